import HexagonRPC
import Synchronization
import VirtualDSP

/// The simulator, until a call that is chosen.
struct FailingTransport: Transport {
    enum Failure: CaseIterable {
        /// The process on the DSP dies: this call and all later ones of the session fail.
        case death
        /// The same, and no new session can be had.
        case deathOfAll
        /// The same, and the new session maps no buffer.
        case refusedMaps
        /// The call says that all is well, but nothing was done.
        case lie
        /// Every session fails at its first batch.
        case always
    }

    final class State: Sendable {
        /// Batches that are still good, once they are counted.
        fileprivate let remaining = Mutex<Int?>(nil)
        fileprivate let isOver = Mutex(false)
        let failure: Failure

        init(_ failure: Failure) { self.failure = failure }

        /// From now on batches are counted, and the one after `calls` fails.
        func fail(after calls: Int) { remaining.withLock { $0 = calls } }

        /// Whether the call that comes is the one.
        fileprivate func isDue(isBatch: Bool) -> Bool {
            guard isBatch else { return false }
            return remaining.withLock { remaining in
                guard let count = remaining else { return false }
                remaining = count > 0 ? count - 1 : failure == .always ? 0 : nil
                return count == 0
            }
        }
    }

    let state: State
    private let simulator = SimulatorTransport()

    init(_ state: State) { self.state = state }

    var name: String { "failing" }

    func connect(_ configuration: SessionConfiguration) throws(RemoteCallError) -> any TransportSession {
        let isOver = state.isOver.withLock { $0 }
        if isOver, state.failure == .deathOfAll {
            throw RemoteCallError(AEEResult(rawValue: 0x72), operation: "begin a session")
        }
        return FailingSession(
            state, try simulator.connect(configuration), mapsNothing: isOver && state.failure == .refusedMaps)
    }
}

private final class FailingSession: TransportSession {
    private let state: FailingTransport.State
    private let session: any TransportSession
    private let mapsNothing: Bool
    private let isDead = Mutex(false)

    init(_ state: FailingTransport.State, _ session: any TransportSession, mapsNothing: Bool) {
        (self.state, self.session, self.mapsNothing) = (state, session, mapsNothing)
    }

    private static let dead = RemoteCallError(
        AEEResult(rawValue: 0x8000_040d), operation: "call a process that is dead")

    func open(_ uri: ModuleURI) throws(RemoteCallError) -> UInt64 { try session.open(uri) }

    func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        if isDead.withLock({ $0 }) { throw Self.dead }
        // `submit` of htp.idl.
        if state.isDue(isBatch: scalars.method == 7) {
            state.isOver.withLock { $0 = true }
            if state.failure == .lie { return }
            isDead.withLock { $0 = true }
            throw Self.dead
        }
        try session.invoke(handle, scalars, arguments)
    }

    func close(_ handle: UInt64) throws(RemoteCallError) { try session.close(handle) }

    var allocator: any SharedMemoryAllocator { session.allocator }

    func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        if mapsNothing { throw RemoteCallError(AEEResult(rawValue: 0x8000_0402), operation: "map") }
        try session.map(descriptor, address, byteCount)
    }

    func unmap(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try session.unmap(descriptor, address, byteCount)
    }

    func end() { session.end() }
}
