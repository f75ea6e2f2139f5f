import RemoteCalls
import SystemInterfaces

/// `adspmsgd_apps`: lines of the DSP's log.
public final class LogService: ReverseService {
    /// `adspmsgd_apps`
    public let name = ADSPMsgdAppsMethod.interface
    private let log: @Sendable (String) -> Void

    /// Hands every message to `log`, without zeros at its end. Broken UTF-8 is repaired.
    public init(log: @escaping @Sendable (String) -> Void) {
        self.log = log
    }

    /// Serves a call.
    public func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        var (_, call) = try ADSPMsgdAppsMethod.unpack(scalars, arguments)
        let bytes = try call.readSequence(elementSize: 1)
        let end = bytes.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
        try call.finish()
        log(String(decoding: bytes[..<end], as: UTF8.self))
    }
}
