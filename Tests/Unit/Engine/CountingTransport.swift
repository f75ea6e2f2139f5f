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

private final class CountingSession: TransportSession {
    private let transport: CountingTransport
    private let session: any TransportSession

    init(_ transport: CountingTransport, _ session: any TransportSession) {
        (self.transport, self.session) = (transport, session)
    }

    func open(_ uri: ModuleURI) throws(RemoteCallError) -> UInt64 { try session.open(uri) }

    func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        // `submit` of htp.idl.
        if scalars.method == 7 { transport.count.add(1, ordering: .relaxed) }
        try session.invoke(handle, scalars, arguments)
    }

    func close(_ handle: UInt64) throws(RemoteCallError) { try session.close(handle) }

    var allocator: any SharedMemoryAllocator { session.allocator }

    func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try session.map(descriptor, address, byteCount)
    }

    func unmap(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try session.unmap(descriptor, address, byteCount)
    }

    func end() { session.end() }
}
