import Glibc
import RemoteCalls
import SharedMemory
import Synchronization
import VirtualChannel

/// A process on the virtual DSP, as the driver sees it: messages go out, answers come back in any order.
///
/// A thread receives. It never sends, so that neither side can wait for the other with both queues full.
final class DSPProcess: Sendable {
    private let endpoint: ChannelEndpoint
    private let state = Mutex(State())
    /// Free memory for arguments, and memory that calls use whose clients no longer wait.
    private let blocks = Mutex(Blocks())
    private let mappings = Mutex<[BufferMapping]>([])

    private struct State: Sendable {
        var calls: [UInt64: PendingCall] = [:]
        var lastCall: UInt64 = 0
        var lastMemory: UInt32 = 0
        var end: PendingCall.Outcome?
    }

    private struct Blocks: Sendable {
        var free: [ArgumentBlock] = []
        var abandoned: [ArgumentBlock] = []
    }

    /// Takes over the kernel's end of a channel.
    init(_ endpoint: ChannelEndpoint) throws(SystemError) {
        self.endpoint = endpoint
        try DetachedThread.start { [self] in receive() }
    }

    /// Ends the process; calls under way end with `outcome`.
    func end(_ outcome: PendingCall.Outcome) {
        finish(outcome)
        endpoint.shutDown()
    }

    private func receive() {
        while let received = try? endpoint.receive() {
            if received.file >= 0 { SystemCalls.close(received.file) }
            // Anything else is none of the DSP's business to send.
            guard case .reply(let id, let status, let value) = received.message else { continue }
            // An answer that nobody waits for is thrown away, as the driver does.
            let call = state.withLock { $0.calls.removeValue(forKey: id) }
            call?.complete(.reply(status: status, value: value))
        }
        finish(.processDied)
        endpoint.shutDown()
    }

    private func finish(_ outcome: PendingCall.Outcome) {
        let calls = state.withLock { state in
            if state.end == nil { state.end = outcome }
            defer { state.calls = [:] }
            return state.calls.values
        }
        for call in calls { call.complete(outcome) }
    }

    // MARK: Calls

    /// The answer to a message.
    struct Reply {
        var status: UInt32
        var value: UInt64 = 0
    }

    /// Sends a message of the kernel's own and waits ten seconds for the answer.
    func ask(_ message: (UInt64) -> ChannelMessage) throws(SystemError) -> Reply {
        guard let reply = try call(message, while: { $0 < .seconds(10) }) else {
            throw SystemError(ETIMEDOUT)
        }
        return reply
    }

    /// Sends a message and waits for the answer, at least as long as `goOn` says. Returns nil where that says
    /// no.
    ///
    /// - Throws: `EPIPE` where the whole DSP is gone.
    func call(
        _ message: (UInt64) -> ChannelMessage, while goOn: (_ waited: Duration) -> Bool
    ) throws(SystemError) -> Reply? {
        let call = PendingCall()
        let (id, end) = state.withLock { state in
            if let end = state.end { return (UInt64(0), Optional(end)) }
            state.lastCall += 1
            state.calls[state.lastCall] = call
            return (state.lastCall, nil)
        }
        switch end {
        case nil: break
        case .channelGone?: throw SystemError(EPIPE)
        default: return Reply(status: Self.noSuchProcess)
        }
        do throws(SystemError) {
            try endpoint.send(message(id))
        } catch {
            // The other end is gone, which the receiving thread sees as well and tells all calls.
            endpoint.shutDown()
        }
        guard let outcome = call.wait(while: goOn) else {
            // The answer, should one come, is thrown away.
            _ = state.withLock { $0.calls.removeValue(forKey: id) }
            return nil
        }
        switch outcome {
        case .reply(let status, let value): return Reply(status: status, value: value)
        case .processDied: return Reply(status: Self.processIsDead)
        case .channelGone: throw SystemError(EPIPE)
        }
    }

    /// `AEE_EBADSTATE` of the DSP: the process died over the call.
    static let processIsDead: UInt32 = 0x8000_040d
    /// `AEE_ENOSUCH`: there is no such process (any more).
    static let noSuchProcess: UInt32 = 39

    private func nextMemory() -> UInt32 {
        state.withLock { state in
            // 0 names no memory.
            state.lastMemory = state.lastMemory == .max ? 1 : state.lastMemory + 1
            return state.lastMemory
        }
    }

    // MARK: Memory for copied arguments

    /// Memory for one call, all of it zero or marked as used.
    func takeBlock(_ byteCount: Int) throws(SystemError) -> ArgumentBlock {
        let free = blocks.withLock { blocks -> ArgumentBlock? in
            let fitting = blocks.free.indices.filter { blocks.free[$0].byteCount >= byteCount }
            guard let best = fitting.min(by: { blocks.free[$0].byteCount < blocks.free[$1].byteCount }) else {
                return nil
            }
            return blocks.free.remove(at: best)
        }
        if let free { return free }
        let id = nextMemory()
        return try ArgumentBlock(id: id, holding: byteCount) { (descriptor, size) throws(SystemError) in
            try announce(.memory(id: id, byteCount: UInt64(size)), descriptor)
        }
    }

    /// Ends a call's use of its memory.
    func giveBack(_ block: ArgumentBlock) {
        block.isUsed = true
        let isKept = blocks.withLock { blocks in
            let held = blocks.free.reduce(0) { $0 + $1.byteCount }
            guard held + block.byteCount <= Self.keptBytes else { return false }
            blocks.free.append(block)
            return true
        }
        if !isKept { try? endpoint.send(.drop(memory: block.id)) }
    }

    /// The client no longer waits for a call, and the DSP still may write to its memory: it stays as it is until
    /// the process ends.
    func abandon(_ block: ArgumentBlock) {
        blocks.withLock { $0.abandoned.append(block) }
    }

    /// How many bytes are kept for later calls.
    private static let keptBytes = 64 << 20

    // MARK: Buffers of the client

    /// Makes a buffer known to the DSP, or finds that it is. Every call needs its ``release(_:)``.
    ///
    /// The lock is held while a new buffer is announced, since nobody may refer to it before: a send waits for
    /// the DSP at most, which is where every other sender would wait too.
    func acquire(_ buffer: VirtualDMABuffer, descriptor: CInt) throws(SystemError) -> UInt32 {
        let id = nextMemory()
        let result = mappings.withLock { mappings -> Result<UInt32, SystemError> in
            if let index = mappings.firstIndex(where: { $0.descriptor == descriptor && $0.buffer === buffer })
            {
                mappings[index].references += 1
                return .success(mappings[index].id)
            }
            do throws(SystemError) {
                let message = ChannelMessage.buffer(
                    id: id, clientDescriptor: descriptor, byteCount: buffer.byteCount)
                try announce(message, buffer.descriptor)
            } catch {
                return .failure(error)
            }
            mappings.append(BufferMapping(id: id, descriptor: descriptor, buffer: buffer))
            return .success(id)
        }
        return try result.get()
    }

    /// Ends one use of a buffer; with the last one the DSP forgets it.
    func release(_ id: UInt32) {
        mappings.withLock { mappings in
            guard let index = mappings.firstIndex(where: { $0.id == id }) else { return }
            mappings[index].references -= 1
            guard mappings[index].references == 0 else { return }
            mappings.remove(at: index)
            try? endpoint.send(.drop(memory: id))
        }
    }

    /// Notes where the DSP has put a buffer (`raddr`). A second mapping of the same buffer replaces the first.
    func setAddress(_ address: UInt64, of id: UInt32) {
        mappings.withLock { mappings in
            guard let index = mappings.firstIndex(where: { $0.id == id }) else { return }
            mappings[index].dspAddress = address
        }
    }

    /// The buffer that the DSP sees at an address, of any descriptor where that is negative.
    ///
    /// The driver does not tell buffers without an address from one at 0 either.
    func buffer(at address: UInt64, descriptor: CInt) -> UInt32? {
        mappings.withLock { mappings in
            mappings.first {
                (descriptor < 0 || $0.descriptor == descriptor) && $0.dspAddress == address
            }?.id
        }
    }

    /// Sends a message with a descriptor. A process that is gone does not mind: the call that follows says so.
    private func announce(_ message: ChannelMessage, _ descriptor: CInt) throws(SystemError) {
        do throws(SystemError) {
            try endpoint.send(message, with: descriptor)
        } catch  where error.errno == EPIPE || error.errno == ECONNRESET {
            return
        }
    }
}

/// A buffer of the client that the DSP knows (`struct fastrpc_map`).
private struct BufferMapping: Sendable {
    var id: UInt32
    var descriptor: CInt
    var buffer: VirtualDMABuffer
    var references = 1
    var dspAddress: UInt64 = 0
}
