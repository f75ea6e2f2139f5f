import HexagonRPC
import Synchronization
import VirtualDSP

/// The simulator, with its batches counted.
final class CountingTransport: Transport {
    private let simulator = SimulatorTransport()
    fileprivate let count = Atomic(0)

    /// Batches that came through.
    var submissions: Int { count.load(ordering: .relaxed) }

    var name: String { simulator.name }

    func connect(_ configuration: SessionConfiguration) throws(RemoteCallError) -> any TransportSession {
        CountingSession(self, try simulator.connect(configuration))
    }
}

private final class CountingSession: ForwardingSession, @unchecked Sendable {
    private let transport: CountingTransport

    init(_ transport: CountingTransport, _ session: any TransportSession) {
        self.transport = transport
        super.init(session)
    }

    override func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        if scalars.isBatch { transport.count.add(1, ordering: .relaxed) }
        try super.invoke(handle, scalars, arguments)
    }
}
