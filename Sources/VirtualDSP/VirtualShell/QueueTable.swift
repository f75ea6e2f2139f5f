import DSPQueue
import RemoteCalls

/// The message queues of a process, and `dspqueue_rpc`, by which the client makes them and signals.
final class QueueTable: Sendable {
    /// What the client opens; there is no such file, on a DSP neither.
    static let module = ModuleURI(file: "libdspqueue_rpc_skel.so", symbol: "dspqueue_rpc_skel_handle_invoke")

    /// A queue that the client made, until it destroys it.
    private struct Entry {
        var queue: OfferedQueue
        var imported: ProgramQueue?
    }

    private struct State {
        var processState: (memory: MappedMemory, words: ProcessState)?
        var queues: [UInt64: Entry] = [:]
        var nextID: UInt64 = 1
        /// Whether the client has something to look at.
        var isSignalled = false
        var isCancelled = false
        var isEnded = false
    }

    private let memory: ProcessMemory
    private let state = Monitor(State())
    /// What the client's signals wake.
    let signals = SignalCounter()

    init(_ memory: ProcessMemory) {
        self.memory = memory
    }

    /// Ends all waiting, on both sides.
    func end() {
        state.withLock { $0.isEnded = true }
        signals.end()
    }

    /// Tells the client that a queue moved. Several signals before it looks are one.
    func signalClient() {
        state.withLock { $0.isSignalled = true }
    }

    // The methods of `dspqueue_rpc`.

    /// Serves a call of the client's. A DSP on which queues hang does not see signals.
    func invoke(
        _ scalars: Scalars, _ list: UnsafeMutableBufferPointer<RemoteArgument>, hangs: Bool
    ) throws(RemoteCallError) {
        switch scalars.method {
        case 2:
            var call = try IncomingCall(scalars, list, hasPrimitives: true)
            try setProcessState(descriptor: try call.read())
            try call.finish()
        case 3:
            var call = try IncomingCall(scalars, list, hasPrimitives: true, replySize: 8)
            var reply = WireWriter()
            reply.append(
                try create(slot: try call.read(), descriptor: try call.read(), queueCount: try call.read()))
            try call.finish(reply)
        case 4:
            var call = try IncomingCall(scalars, list, hasPrimitives: true)
            try destroy(try call.read())
            try call.finish()
        case 5:
            var call = try IncomingCall(scalars, list, hasPrimitives: true, replySize: 4)
            var reply = WireWriter()
            reply.append(Int32(try isImported(try call.read()) ? 1 : 0))
            try call.finish(reply)
        case 6:
            let call = try IncomingCall(scalars, list, hasPrimitives: false, replySize: 4)
            try call.finish()
            var reply = WireWriter()
            reply.append(waitForSignal() ? Int32(0) : -1)
            try call.finish(reply)
        case 7, 8:
            guard scalars.argumentCount == 0 else {
                throw RemoteCallError(.badParameter, operation: "dspqueue_rpc call \(scalars)")
            }
            if scalars.method == 7 {
                state.withLock { $0.isCancelled = true }
            } else if !hangs {
                signals.signal()
            }
        default:
            throw RemoteCallError(.unsupported, operation: "dspqueue_rpc call \(scalars)")
        }
    }

    private func mapping(_ descriptor: Int32) throws(RemoteCallError) -> MappedMemory {
        guard let (memory, _) = memory.buffer(descriptor) else {
            throw RemoteCallError(.noSuchMap, operation: "dspqueue_rpc with descriptor \(descriptor)")
        }
        return memory
    }

    private func setProcessState(descriptor: Int32) throws(RemoteCallError) {
        let memory = try mapping(descriptor)
        guard memory.bytes.count >= ProcessState.byteCount else {
            throw RemoteCallError(
                .badParameter, operation: "a process state of \(memory.bytes.count) bytes")
        }
        let words = ProcessState(memory.bytes)
        state.withLock { state in
            state.processState = (memory, words)
            state.isCancelled = false
            state.isSignalled = false
        }
    }

    private func create(
        slot: UInt32, descriptor: Int32, queueCount: UInt32
    ) throws(RemoteCallError) -> UInt64 {
        let memory = try mapping(descriptor)
        let bytes = memory.bytes
        guard bytes.count >= 4 else {
            throw RemoteCallError(.badParameter, operation: "a queue in \(bytes.count) bytes")
        }
        // How the client asks whether versions are looked at.
        guard UInt32(littleEndian: bytes.load(as: UInt32.self)) == QueueMemory.version else {
            throw RemoteCallError(.unsupported, operation: "a queue of another version")
        }
        let rings: QueueMemory
        do throws(DSPQueueError) {
            rings = try QueueMemory(bytes)
        } catch {
            throw RemoteCallError(.badParameter, operation: "\(error)")
        }
        return try state.withLock { state throws(RemoteCallError) in
            guard let (_, words) = state.processState, rings.queueCount == queueCount,
                slot < UInt32(ProcessState.queueCount),
                !state.queues.values.contains(where: { $0.queue.slot == Int(slot) })
            else {
                throw RemoteCallError(.badParameter, operation: "queue \(slot), number \(queueCount)")
            }
            defer { state.nextID += 1 }
            state.queues[state.nextID] = Entry(
                queue: OfferedQueue(slot: Int(slot), memory: memory, rings: rings, state: words))
            return state.nextID
        }
    }

    private func destroy(_ id: UInt64) throws(RemoteCallError) {
        let entry = try state.withLock { state throws(RemoteCallError) in
            guard let entry = state.queues[id] else {
                throw RemoteCallError(.noSuch, operation: "queue \(id)")
            }
            guard entry.imported == nil else {
                throw RemoteCallError(.badState, operation: "queue \(id) is imported")
            }
            state.queues[id] = nil
            return entry
        }
        // Its memory goes outside of the lock.
        withExtendedLifetime(entry) {}
    }

    private func isImported(_ id: UInt64) throws(RemoteCallError) -> Bool {
        try state.withLock { state throws(RemoteCallError) in
            guard let entry = state.queues[id] else {
                throw RemoteCallError(.noSuch, operation: "queue \(id)")
            }
            return entry.imported != nil
        }
    }

    /// False where the waiting ends: the client cancelled it, or the process exits.
    private func waitForSignal() -> Bool {
        state.waitForever { state in
            if state.isEnded { return false }
            if state.isCancelled {
                state.isCancelled = false
                return false
            }
            guard state.isSignalled else { return nil }
            state.isSignalled = false
            return true
        }
    }

    // For programs.

    /// Opens a queue for a program; each once at a time.
    func open(_ id: UInt64, make: (OfferedQueue) -> ProgramQueue) -> AEEResult {
        state.withLock { state in
            guard let entry = state.queues[id] else { return .badParameter }
            guard entry.imported == nil else { return .badState }
            state.queues[id]?.imported = make(entry.queue)
            return .success
        }
    }

    /// Takes back a queue that a program has closed.
    func closed(_ queue: ProgramQueue) {
        state.withLock { state in
            for (id, entry) in state.queues where entry.imported === queue {
                state.queues[id]?.imported = nil
            }
        }
    }
}

/// A queue as the client made it.
struct OfferedQueue: Sendable {
    let slot: Int
    let memory: MappedMemory
    let rings: QueueMemory
    let state: ProcessState
}

/// Counts the client's signals, so that none is missed between a look and a wait.
final class SignalCounter: Sendable {
    private let state = Monitor((count: UInt64(0), isEnded: false))

    var count: UInt64 { state.withLock { $0.count } }
    /// Whether the process ends, so that no signal will come.
    var isEnded: Bool { state.withLock { $0.isEnded } }

    func signal() { state.withLock { $0.count += 1 } }
    func end() {
        state.withLock { state in
            state.isEnded = true
            state.count += 1
        }
    }

    /// Waits for a signal after the first `count`. False when `timeout` passed before.
    func wait(after count: UInt64, timeout: Duration?) -> Bool {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while true {
            let left = deadline.map { $0 - .now }
            if state.wait(timeout: left, until: { $0.count != count ? true : nil }) != nil { return true }
            if let left, left <= .zero { return false }
        }
    }
}
