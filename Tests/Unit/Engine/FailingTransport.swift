import Glibc
import HTPDevice
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
        /// The call does not return before the session is given up. While the next session is used the DSP writes
        /// nonsense over all that its program may write to.
        case hang
        /// The call never returns, and the session cannot be ended.
        case endlessHang
        /// Buffers can be had and mapped no more.
        case noMemory
    }

    final class State: Sendable {
        /// What is counted: batches, or all that loading does.
        fileprivate enum Counted {
            case batches
            case everything
        }

        private let counted = Mutex<Counted>(.batches)
        /// Calls that are still good, once they are counted.
        private let remaining = Mutex<Int?>(nil)
        fileprivate let isOver = Mutex(false)
        /// Whether a call is under way that does not return.
        fileprivate let isHanging = Mutex(false)
        private let time = Mutex(Duration.zero)
        /// Own descriptors of what a session had mapped that was given up.
        private let lost = Mutex<[(descriptor: CInt, byteCount: Int)]>([])
        let failure: Failure

        init(_ failure: Failure) { self.failure = failure }

        deinit { for (descriptor, _) in lost.withLock({ $0 }) { Glibc.close(descriptor) } }

        /// Stands still until a call hangs, then half a second passes from one look at it to the next: a call that is
        /// just slow is none that hangs.
        var clock: CallClock {
            CallClock { [self] in
                time.withLock { time in
                    if isHanging.withLock({ $0 }) { time += .milliseconds(500) }
                    return time
                }
            }
        }

        /// Takes over what an abandoned session had mapped.
        fileprivate func lose(_ buffers: [(descriptor: CInt, byteCount: Int)]) {
            lost.withLock { $0 += buffers }
        }

        /// The DSP of the abandoned session goes on writing.
        fileprivate func scribble() {
            lost.withLock { lost in
                for (descriptor, byteCount) in lost {
                    _ = pwrite(descriptor, [UInt8](repeating: 0x7f, count: byteCount), byteCount, 0)
                }
            }
        }

        /// From now on batches are counted, and the one after `calls` fails.
        func fail(after calls: Int) { remaining.withLock { $0 = calls } }

        /// From now on everything is counted, and what comes after `calls` fails.
        func failLoading(after calls: Int) {
            counted.withLock { $0 = .everything }
            remaining.withLock { $0 = calls }
        }

        /// Whether what was counted has failed.
        var hasFailed: Bool { isOver.withLock { $0 } }

        /// Whether the call that comes is the one.
        fileprivate func isDue(isBatch: Bool) -> Bool {
            guard isBatch || counted.withLock({ $0 == .everything }) else { return false }
            let isDue = remaining.withLock { remaining in
                guard let count = remaining else { return false }
                remaining = count > 0 ? count - 1 : [.always, .noMemory].contains(failure) ? 0 : nil
                return count == 0
            }
            if isDue { isOver.withLock { $0 = true } }
            return isDue
        }
    }

    let state: State

    init(_ state: State) { self.state = state }

    var name: String { "failing" }

    static let dead = RemoteCallError(
        AEEResult(rawValue: 0x8000_040d), operation: "call a process that is dead")

    func connect(_ configuration: SessionConfiguration) throws(RemoteCallError) -> any TransportSession {
        let isOver = state.hasFailed
        state.isHanging.withLock { $0 = false }
        if isOver, [.deathOfAll, .endlessHang].contains(state.failure) {
            throw RemoteCallError(AEEResult(rawValue: 0x72), operation: "begin a session")
        }
        // Each session has a DSP of its own: one that was given up may still be at work.
        let session = FailingSession(
            state, try SimulatorTransport().connect(configuration),
            mapsNothing: isOver && state.failure == .refusedMaps)
        if state.failure != .noMemory, state.isDue(isBatch: false) { try session.fail() }
        return session
    }
}

private final class FailingSession: ForwardingSession, @unchecked Sendable {
    private let state: FailingTransport.State
    private let mapsNothing: Bool
    private let isDead = Mutex(false)
    private let isAbandoned = Mutex(false)
    /// Own descriptors of what is mapped, in order.
    private let mapped = Mutex<[(descriptor: CInt, byteCount: Int)]>([])

    init(_ state: FailingTransport.State, _ session: any TransportSession, mapsNothing: Bool) {
        (self.state, self.mapsNothing) = (state, mapsNothing)
        super.init(session)
    }

    deinit { for (descriptor, _) in mapped.withLock({ $0 }) { Glibc.close(descriptor) } }

    /// What the failure does to a call.
    func fail() throws(RemoteCallError) {
        if [.hang, .endlessHang].contains(state.failure) { state.isHanging.withLock { $0 = true } }
        switch state.failure {
        case .hang:
            while !isAbandoned.withLock({ $0 }) { usleep(1000) }
            // All but the weights, which are the second buffer of a first session: programs only read them.
            var lost = mapped.withLock { $0 }
            if lost.count > 1 { lost.remove(at: 1) }
            state.lose(lost.map { (dup($0.descriptor), $0.byteCount) })
        case .endlessHang: while true { pause() }
        default: break
        }
        isDead.withLock { $0 = true }
        throw FailingTransport.dead
    }

    /// Fails where it is time to.
    private func check(isBatch: Bool = false) throws(RemoteCallError) {
        if isDead.withLock({ $0 }) { throw FailingTransport.dead }
        if state.failure != .noMemory, state.isDue(isBatch: isBatch) { try fail() }
        // Not before the next session's first map: what no program writes may be copied until then.
        if isBatch { state.scribble() }
    }

    override func abandon() {
        super.abandon()
        isAbandoned.withLock { $0 = true }
        state.isHanging.withLock { $0 = false }
    }

    override func open(_ uri: ModuleURI) throws(RemoteCallError) -> UInt64 {
        try check()
        return try super.open(uri)
    }

    override func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        let isBatch = scalars.isBatch
        if state.failure == .lie {
            if state.isDue(isBatch: isBatch) { return }
        } else {
            try check(isBatch: isBatch)
        }
        try super.invoke(handle, scalars, arguments)
    }

    override func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try check()
        let isRefused = state.failure == .noMemory && state.isDue(isBatch: false)
        if mapsNothing || isRefused {
            throw RemoteCallError(AEEResult(rawValue: 0x8000_0402), operation: "map")
        }
        state.scribble()
        try super.map(descriptor, address, byteCount)
        mapped.withLock { $0.append((dup(descriptor), byteCount)) }
    }
}
