import CRemote
import RemoteCalls

/// A module that the client has opened: a loaded skel's own handle.
final class Program: Sendable {
    private let library: Library
    private let entry: Library.Entry
    private let handle: UInt64
    private let callsUnderWay = Monitor(0)

    /// Calls the skel's `open`, method 0: the URI goes in with its zero, the skel's handle comes out.
    init(_ library: Library, _ entry: @escaping Library.Entry, uri: String) throws(RemoteCallError) {
        self.library = library
        self.entry = entry
        let text = Array(uri.utf8) + [0]
        var length = UInt32(text.count)
        var arguments = [RemoteArgument](repeating: RemoteArgument(handle: 0), count: 3)
        let status = text.withUnsafeBytes { text in
            withUnsafeBytes(of: &length) { length in
                arguments[0] = RemoteArgument(reading: length)
                arguments[1] = RemoteArgument(reading: text)
                return arguments.withUnsafeMutableBufferPointer {
                    Self.call(entry, 0, Scalars(rawValue: 0x0002_0001), $0)
                }
            }
        }
        guard status == 0 else {
            throw RemoteCallError(AEEResult(status), operation: "the program refused to open")
        }
        handle = arguments[2].handle
    }

    /// Calls a method of the skel's interface.
    func invoke(_ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>) -> AEEResult {
        callsUnderWay.withLock { $0 += 1 }
        defer { callsUnderWay.withLock { $0 -= 1 } }
        // A stray open or close would leave the skel's handle behind for later calls.
        guard scalars.method >= 2 else { return .badParameter }
        return AEEResult(Self.call(entry, handle, scalars, arguments))
    }

    /// Calls the skel's `close`, method 1, once no other call is under way.
    func close() -> AEEResult {
        _ = callsUnderWay.waitForever { $0 == 0 ? true : nil }
        var arguments = [RemoteArgument(handle: handle)]
        return arguments.withUnsafeMutableBufferPointer {
            AEEResult(Self.call(entry, 0, Scalars(rawValue: 0x0100_0010), $0))
        }
    }

    /// `RemoteArgument` has the layout of the C union.
    private static func call(
        _ entry: Library.Entry, _ handle: UInt64, _ scalars: Scalars,
        _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) -> CInt {
        guard let base = arguments.baseAddress else { return entry(handle, scalars.rawValue, nil) }
        return base.withMemoryRebound(to: remote_arg.self, capacity: max(1, arguments.count)) {
            entry(handle, scalars.rawValue, $0)
        }
    }
}
