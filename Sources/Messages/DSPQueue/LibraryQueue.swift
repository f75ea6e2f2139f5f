import ErrorCodes
import FastRPCLibrary
import RemoteCalls
import Synchronization

/// A message queue that libcdsprpc runs: the same interface as ``DSPQueue`` over the C functions `dspqueue_…`.
///
/// Buffers that packets name must be mapped with `fastrpc_mmap` on the queue's effective domain; the library
/// keeps the table. Nobody waits inside the library, except a writer for room and that in short turns: for a
/// packet, its callback wakes whoever waits here. So a queue can be closed while others wait, although the C
/// library frees it under them.
public final class LibraryQueue: Sendable {
    /// The number to give to the program on the DSP, which imports the queue by it.
    public let exportedID: UInt64

    let gate = SignalGate()
    private let library: FastRPCLibrary
    private let functions: DSPQueueFunctions
    private let requestByteCount: Int
    private let state: Mutex<State>
    private let reader = Mutex(ReadBuffers())
    private let counters = Mutex(QueueStatistics())
    /// Opened when the last call into the library has returned.
    private let idle = SignalGate()

    private struct State: @unchecked Sendable {
        var queue: DSPQueueFunctions.Queue
        /// The library's reference on the context of its callbacks.
        var context: Unmanaged<SignalGate>
        var callCount = 0
        var phase = Phase.open
    }

    private enum Phase { case open, closing, closed }

    /// How long a writer stays in the library at a time, and a reader trusts that a wakeup is not lost: on
    /// processors other than Arm the C library has no barriers.
    static let turn = Duration.milliseconds(250)

    /// Makes a queue: `dspqueue_create` and `dspqueue_export`. A module must be open on the domain.
    ///
    /// - Parameters:
    ///   - effectiveDomain: domain plus 8 times session.
    ///   - requestByteCount: bytes for packets to the DSP, a multiple of 8 up to 16,777,216; 0 for 65,536.
    ///   - responseByteCount: bytes for packets from it, likewise; 0 for 16,384.
    public init(
        library: FastRPCLibrary, effectiveDomain: CInt, requestByteCount: Int = 0, responseByteCount: Int = 0
    ) throws(DSPQueueError) {
        guard let functions = library.queueFunctions else {
            throw .remote(
                RemoteCallError(
                    .unsupported, operation: "make a message queue with \(library.file)",
                    advice: "this library has no queues; use plain calls, or a newer library"))
        }
        for size in [requestByteCount, responseByteCount] {
            guard size >= 0, size <= 16_777_216, size % 8 == 0 else {
                throw .invalidArgument(
                    "a queue of \(size) bytes; a multiple of 8 up to 16,777,216 is possible")
            }
        }
        let context = Unmanaged.passRetained(gate)
        var made: DSPQueueFunctions.Queue?
        let status = functions.create(
            effectiveDomain, 0, UInt32(requestByteCount), UInt32(responseByteCount),
            { _, _, context in LibraryQueue.gate(context)?.open() },
            { _, status, context in
                LibraryQueue.gate(context)?.fail(
                    .remote(
                        RemoteCallError(
                            AEEResult(status), operation: "message queue",
                            advice: lostSessionAdvice)))
            }, context.toOpaque(), &made)
        guard status == 0, let made else {
            context.release()
            let result = status == 0 ? AEEResult.failed : AEEResult(status)
            throw .remote(
                RemoteCallError(
                    result, operation: "make a message queue on domain \(effectiveDomain)",
                    advice: "open a module in this session first; if queues do not work on this machine, use "
                        + "plain calls"))
        }
        var id: UInt64 = 0
        let exported = functions.export(made, &id)
        guard exported == 0 else {
            // A queue that could not be closed may still call back: then its context stays.
            if functions.close(made) == 0 { context.release() }
            throw .remote(RemoteCallError(AEEResult(exported), operation: "export a message queue"))
        }
        self.library = library
        self.functions = functions
        self.requestByteCount = requestByteCount == 0 ? 65_536 : requestByteCount
        exportedID = id
        state = Mutex(State(queue: made, context: context))
    }

    deinit {
        state.withLock { state in
            guard state.phase == .open, functions.close(state.queue) == 0 else { return }
            state.context.release()
        }
    }

    private static func gate(_ context: UnsafeMutableRawPointer?) -> SignalGate? {
        context.map { Unmanaged<SignalGate>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Calls the library, unless the queue is closed or being closed.
    private func call<Result>(
        _ body: (DSPQueueFunctions.Queue) throws(DSPQueueError) -> Result
    ) throws(DSPQueueError) -> Result {
        let queue: DSPQueueFunctions.Queue? = state.withLock { state in
            guard state.phase == .open else { return nil }
            state.callCount += 1
            return state.queue
        }
        guard let queue else { throw .closed }
        defer {
            let isLast = state.withLock { state in
                state.callCount -= 1
                return state.callCount == 0 && state.phase == .closing
            }
            if isLast { idle.open() }
        }
        return try body(queue)
    }
}

extension LibraryQueue: MessageQueue {
    /// `dspqueue_write_noblock`
    public func write(
        _ message: [UInt8], buffers: [BufferReference] = [], flags: PacketFlags = []
    ) throws(DSPQueueError) -> Bool {
        var list = try check(message, buffers, flags)
        return try call { queue throws(DSPQueueError) in
            let status = functions.writeNonblocking(
                queue, UInt32(flags.rawValue), UInt32(buffers.count), &list, UInt32(message.count), message)
            return try finishWriting(status, message, buffers)
        }
    }

    /// `dspqueue_write`
    public func write(
        _ message: [UInt8], buffers: [BufferReference] = [], flags: PacketFlags = [],
        deadline: ContinuousClock.Instant?
    ) throws(DSPQueueError) {
        if try write(message, buffers: buffers, flags: flags) { return }
        var list = try check(message, buffers, flags)
        let start = ContinuousClock.now
        while true {
            _ = try gate.current()
            let left = deadline.map { ContinuousClock.now.duration(to: $0) } ?? Self.turn
            guard left > .zero else {
                throw .expired("no room for a packet after \(ContinuousClock.now - start)")
            }
            let isWritten = try call { queue throws(DSPQueueError) in
                let status = functions.write(
                    queue, UInt32(flags.rawValue), UInt32(buffers.count), &list, UInt32(message.count),
                    message,
                    microseconds(min(left, Self.turn)))
                return AEEResult(status).withoutOffset == .expired
                    ? false : try finishWriting(status, message, buffers)
            }
            if isWritten { return }
        }
    }

    /// `dspqueue_write_early_wakeup_noblock`
    public func writeEarlyWakeup(
        delay: UInt32? = nil, flags: PacketFlags = []
    ) throws(DSPQueueError) -> Bool {
        guard let function = functions.writeEarlyWakeup else {
            throw missing("dspqueue_write_early_wakeup_noblock")
        }
        return try call { queue throws(DSPQueueError) in
            // 0 is the C function's way to say "no delay given".
            let status = function(queue, delay ?? 0, UInt32(flags.rawValue))
            let message = [UInt8](repeating: 0, count: (delay ?? 0) == 0 ? 0 : 4)
            return try finishWriting(status, message, [])
        }
    }

    /// `dspqueue_read_noblock`. A packet whose buffers are not mapped is lost: the library takes it out of
    /// the queue before it looks.
    public func read() throws(DSPQueueError) -> QueuePacket? {
        try call { queue throws(DSPQueueError) in
            try reader.withLock { reader throws(DSPQueueError) in
                let status = reader.fill { flags, count, buffers, length, message in
                    functions.readNonblocking(
                        queue, flags, UInt32(PacketLimits.bufferCount), count, buffers,
                        UInt32(PacketLimits.messageByteCount), length, message)
                }
                guard try hasPacket(status, "read a packet") else { return nil }
                let packet = try reader.packet()
                counters.withLock {
                    $0.readPackets += 1
                    $0.readBytes += bytes(packet.message.count, packet.buffers.count)
                }
                return packet
            }
        }
    }

    /// `dspqueue_peek_noblock`
    public func peek() throws(DSPQueueError) -> QueuePacketSize? {
        guard let function = functions.peekNonblocking else { throw missing("dspqueue_peek_noblock") }
        var (flags, count, length) = (UInt32(0), UInt32(0), UInt32(0))
        let status = try call { queue in function(queue, &flags, &count, &length) }
        guard try hasPacket(status, "look at a packet") else { return nil }
        guard count <= PacketLimits.bufferCount, length <= PacketLimits.messageByteCount else {
            throw .corrupt("a packet of \(count) buffers and \(length) bytes")
        }
        return QueuePacketSize(
            flags: PacketFlags(rawValue: UInt16(truncatingIfNeeded: flags)), bufferCount: Int(count),
            messageByteCount: Int(length))
    }

    /// Waits for the library's packet callback, then reads.
    public func read(deadline: ContinuousClock.Instant?) throws(DSPQueueError) -> QueuePacket {
        try block(deadline) { () throws(DSPQueueError) in try read() }
    }

    /// Waits for the library's packet callback, then looks.
    public func peek(deadline: ContinuousClock.Instant?) throws(DSPQueueError) -> QueuePacketSize {
        try block(deadline) { () throws(DSPQueueError) in try peek() }
    }

    /// Waits for the library's packet callback without a thread, then reads.
    public func nextPacket() async throws -> QueuePacket {
        while true {
            try Task.checkCancellation()
            let seen = try gate.current()
            if let packet = try read() { return packet }
            await gate.wait(after: seen)
        }
    }

    /// Packets and bytes as they went through this object; what the library says about early wakeups, whose
    /// counters start anew whenever they are read (`dspqueue_get_stat` 5 and 6).
    public var statistics: QueueStatistics {
        let news = try? call { queue in (statistic(queue, 5), statistic(queue, 6)) }
        return counters.withLock { counters in
            if let (wait, misses) = news {
                counters.earlyWakeupWait += .microseconds(Int64(clamping: wait))
                counters.earlyWakeupMisses &+= misses
            }
            return counters
        }
    }

    /// `dspqueue_close`. Whoever waits on the queue ends with `closed`; of those, a writer may hold up the
    /// closing for a quarter of a second. Not to be called from the library's own threads.
    public func close() throws(DSPQueueError) {
        let begins = state.withLock { state in
            guard state.phase == .open else { return false }
            state.phase = .closing
            return true
        }
        guard begins else { throw .closed }
        gate.open()
        while true {
            let seen = try idle.current()
            if state.withLock({ $0.callCount == 0 }) { break }
            _ = idle.wait(after: seen, until: nil)
        }
        // No lock is held: the library joins its callback thread here.
        let queue = state.withLock { UnsafeTransfer($0.queue) }
        let status = functions.close(queue.value)
        guard status == 0 else {
            state.withLock { $0.phase = .open }
            throw .remote(
                RemoteCallError(
                    AEEResult(status), operation: "close queue \(exportedID)",
                    advice: "let the program on the DSP close its side first"))
        }
        gate.fail(.closed)
        state.withLock { state in
            state.phase = .closed
            state.context.release()
        }
    }
}

extension LibraryQueue {
    private func block<Value>(
        _ deadline: ContinuousClock.Instant?, _ attempt: () throws(DSPQueueError) -> Value?
    ) throws(DSPQueueError) -> Value {
        let start = ContinuousClock.now
        while true {
            // Before the attempt, so that a callback in between is not lost.
            let seen = try gate.current()
            if let value = try attempt() { return value }
            let now = ContinuousClock.now
            if let deadline, now >= deadline { throw .expired("no packet after \(now - start)") }
            let next = now + Self.turn
            _ = gate.wait(after: seen, until: deadline.map { min($0, next) } ?? next)
        }
    }

    private func check(
        _ message: [UInt8], _ buffers: [BufferReference], _ flags: PacketFlags
    ) throws(DSPQueueError) -> [BufferRecord] {
        guard !flags.contains(.wakeup) else {
            throw .invalidArgument("early wakeup packets have a function of their own")
        }
        guard message.count <= PacketLimits.messageByteCount, buffers.count <= PacketLimits.bufferCount else {
            throw .invalidArgument(
                "a packet of \(buffers.count) buffers and \(message.count) bytes; 64 and 65,536 are possible")
        }
        let size = Int(bytes(message.count, buffers.count) + 7) & ~7
        guard size <= requestByteCount - 8 else {
            throw .invalidArgument("a packet of \(size) bytes never fits into a queue of \(requestByteCount)")
        }
        return buffers.map(BufferRecord.init)
    }

    /// What a status of a write means; counts a packet that was written.
    private func finishWriting(
        _ status: CInt, _ message: [UInt8], _ buffers: [BufferReference]
    ) throws(DSPQueueError) -> Bool {
        let result = AEEResult(status)
        switch result.withoutOffset {
        case .success:
            counters.withLock {
                $0.writtenPackets += 1
                $0.writtenBytes += bytes(message.count, buffers.count)
            }
            return true
        case .wouldBlock: return false
        case .noSuchMap,
            .badParameter where !buffers.isEmpty:
            let names = buffers.map { "\($0.descriptor)" }.joined(separator: ", ")
            throw .invalidBuffer(
                result,
                "a packet with buffers \(names); map them in this session first, and name parts of them")
        default:
            throw failure(result, "write a packet")
        }
    }

    /// Whether a read found something.
    private func hasPacket(_ status: CInt, _ operation: String) throws(DSPQueueError) -> Bool {
        let result = AEEResult(status)
        switch result.withoutOffset {
        case .success: return true
        case .wouldBlock: return false
        case .noSuchMap: throw .invalidBuffer(result, "a packet names a buffer that is not mapped")
        default: throw failure(result, operation)
        }
    }

    private func failure(_ result: AEEResult, _ operation: String) -> DSPQueueError {
        // Why the queue failed says more than what the next call returns.
        do throws(DSPQueueError) { _ = try gate.current() } catch { return error }
        return .remote(
            RemoteCallError(
                result, operation: "\(operation) of queue \(exportedID)",
                // A call may meet the loss before the callback tells of it.
                advice: result.isSessionLost
                    ? lostSessionAdvice : "if queues do not work on this machine, use plain calls"))
    }

    private func missing(_ name: String) -> DSPQueueError {
        .remote(
            RemoteCallError(
                .unsupported, operation: "call \(name)",
                advice: "\(library.file) lacks it: a newer FastRPC library has it"))
    }

    private func statistic(_ queue: DSPQueueFunctions.Queue, _ number: CInt) -> UInt64 {
        var value: UInt64 = 0
        return functions.statistic?(queue, number, &value) == 0 ? value : 0
    }

    /// A packet's bytes in a queue, without padding.
    private func bytes(_ messageByteCount: Int, _ bufferCount: Int) -> UInt64 {
        UInt64(8 + BufferReference.byteCount * bufferCount + messageByteCount)
    }

    private func microseconds(_ duration: Duration) -> UInt32 {
        let (seconds, attoseconds) = duration.components
        return UInt32(clamping: max(1, seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
    }
}

private let lostSessionAdvice = ErrorCodes.advice(0x8000_040d)

/// `struct dspqueue_buffer`, 24 bytes.
private struct BufferRecord: BitwiseCopyable {
    var descriptor: UInt32 = 0
    var byteCount: UInt32 = 0
    var offset: UInt32 = 0
    var flags: UInt32 = 0
    /// `ptr`: the library sets it when it reads.
    var address: UInt64 = 0

    init() {}

    init(_ reference: BufferReference) {
        descriptor = reference.descriptor
        byteCount = reference.byteCount
        offset = reference.offset
        flags = reference.flags.rawValue
    }
}

/// Room for one packet of the largest size, reused by each read.
private struct ReadBuffers {
    private var flags: UInt32 = 0
    private var count: UInt32 = 0
    private var length: UInt32 = 0
    private var buffers = [BufferRecord](repeating: BufferRecord(), count: PacketLimits.bufferCount)
    private var message = [UInt8](repeating: 0, count: PacketLimits.messageByteCount)

    mutating func fill(
        _ read: (
            UnsafeMutablePointer<UInt32>, UnsafeMutablePointer<UInt32>, UnsafeMutableRawPointer,
            UnsafeMutablePointer<UInt32>, UnsafeMutablePointer<UInt8>
        ) -> CInt
    ) -> CInt {
        read(&flags, &count, &buffers, &length, &message)
    }

    /// What the library wrote, checked.
    func packet() throws(DSPQueueError) -> QueuePacket {
        guard count <= buffers.count, length <= message.count else {
            throw .corrupt("a packet of \(count) buffers and \(length) bytes")
        }
        let found = buffers[..<Int(count)].map { record in
            ReceivedBuffer(
                reference: BufferReference(
                    descriptor: record.descriptor, offset: record.offset, byteCount: record.byteCount,
                    flags: BufferFlags(rawValue: record.flags)),
                bytes: UnsafeMutableRawBufferPointer(
                    start: UnsafeMutableRawPointer(bitPattern: UInt(record.address)),
                    count: record.address == 0 ? 0 : Int(record.byteCount)))
        }
        return QueuePacket(
            flags: PacketFlags(rawValue: UInt16(truncatingIfNeeded: flags)), buffers: Array(found),
            message: Array(message[..<Int(length)]))
    }
}

/// Carries a C pointer out of a lock.
private struct UnsafeTransfer<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}
