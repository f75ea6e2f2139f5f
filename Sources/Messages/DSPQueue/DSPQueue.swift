import RemoteCalls
import SharedMemory
import Synchronization

/// A message queue between host and DSP: packets of a message and buffer references, in both directions,
/// through shared memory. Any thread may use it.
///
/// The DSP's side opens it by ``exportedID``. On mainline kernels waking a side that sleeps costs a remote
/// call; a queue is worth it when the DSP looks for packets by itself.
public final class DSPQueue: Sendable {
    /// The number to give to the program on the DSP, which imports the queue by it.
    public let exportedID: UInt64
    /// The buffers that packets may name.
    public var buffers: MappedBuffers { domain.buffers }

    /// Owns the memory of the process state, in which this queue counts.
    let domain: QueueDomain
    let slot: Int
    let memory: SharedBuffer
    /// Bytes of the memory that are used, without the rest of its last page.
    let byteCount: Int
    let gate: SignalGate
    private let signals: any QueueSignals
    private let writer: Mutex<QueueWriter>
    private let reader: Mutex<QueueReader>
    private let isClosed = Mutex(false)

    init(
        domain: QueueDomain, slot: Int, exportedID: UInt64, memory: consuming SharedBuffer,
        byteCount: Int, rings: QueueMemory, state: ProcessState, signals: any QueueSignals, gate: SignalGate
    ) {
        self.domain = domain
        self.slot = slot
        self.exportedID = exportedID
        self.memory = memory
        self.byteCount = byteCount
        self.signals = signals
        self.gate = gate
        let usesWaitCounts = rings.flags.contains(.waitCounts)
        writer = Mutex(
            QueueWriter(
                rings.request, counter: state.word(.requestPackets, queue: slot),
                usesWaitCounts: usesWaitCounts))
        reader = Mutex(
            QueueReader(
                rings.response, counter: state.word(.responseSpace, queue: slot),
                usesWaitCounts: usesWaitCounts))
    }

    /// Writes a packet if there is room: `dspqueue_write_noblock`. False when the queue is full.
    ///
    /// - Parameters:
    ///   - message: at most 65,536 bytes.
    ///   - buffers: at most 64 parts of buffers that ``buffers`` knows.
    ///   - flags: those that say what the packet carries are set here.
    public func write(
        _ message: [UInt8], buffers: [BufferReference] = [], flags: PacketFlags = []
    ) throws(DSPQueueError) -> Bool {
        guard !flags.contains(.wakeup) else {
            throw .invalidArgument("early wakeup packets have a function of their own")
        }
        return try finish { () throws(DSPQueueError) in
            try self.buffers.account(buffers) { _ throws(DSPQueueError) in
                let outcome = try writer.withLock { writer throws(DSPQueueError) in
                    try Self.write(message, buffers, flags, &writer)
                }
                return (outcome, outcome != .full)
            }
        }
    }

    /// Tells the DSP that a packet will come soon, so that it looks out for it instead of going to sleep:
    /// `dspqueue_write_early_wakeup_noblock`. False when the queue is full.
    ///
    /// - Parameter delay: microseconds, capped to 2500 by the reader; nil for its default of 1000.
    public func writeEarlyWakeup(delay: UInt32? = nil, flags: PacketFlags = []) throws(DSPQueueError) -> Bool
    {
        try finish { () throws(DSPQueueError) in
            try writer.withLock { writer throws(DSPQueueError) in
                try writer.writeWakeup(delay: delay, flags: flags)
            }
        }
    }

    /// Reads a packet if there is one: `dspqueue_read_noblock`. Nil when the queue is empty; an early
    /// wakeup packet makes the call look out for the next packet up to 2.5 ms.
    ///
    /// A packet whose buffers are not mapped stays in the queue.
    public func read() throws(DSPQueueError) -> Packet? {
        try take { reader, front throws(DSPQueueError) in
            let raw = reader.copy(front)
            return try self.buffers.account(raw.buffers) { found throws(DSPQueueError) in
                let packet = Packet(flags: raw.flags, buffers: found, message: raw.message)
                return ((packet, reader.consume(front)), true)
            }
        }
    }

    /// What the next packet needs: `dspqueue_peek_noblock`. Nil when the queue is empty; early wakeup
    /// packets are skipped as by a read.
    public func peek() throws(DSPQueueError) -> PacketSize? {
        try take { _, front in
            let size = PacketSize(
                flags: front.header.flags, bufferCount: front.header.bufferCount,
                messageByteCount: front.header.messageByteCount)
            return (size, false)
        }
    }

    /// Counters since the queue was made: `dspqueue_get_stat`.
    public var statistics: QueueStatistics {
        var statistics = QueueStatistics()
        writer.withLock {
            statistics.writtenPackets = $0.packetCount
            statistics.writtenBytes = $0.byteCount
        }
        reader.withLock {
            statistics.readPackets = $0.packetCount
            statistics.readBytes = $0.byteCount
            statistics.earlyWakeupWait = $0.wakeupWait
            statistics.earlyWakeupMisses = $0.wakeupMisses
        }
        return statistics
    }

    func beginReading() { reader.withLock { $0.beginWaiting() } }
    func endReading() { reader.withLock { $0.endWaiting() } }
    func beginWriting() { writer.withLock { $0.beginWaiting() } }
    func endWriting() { writer.withLock { $0.endWaiting() } }

    /// Whether this call closed it.
    func markClosed() -> Bool {
        isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
    }

    func checkOpen() throws(DSPQueueError) {
        if isClosed.withLock({ $0 }) { throw .closed }
    }

    private static func write(
        _ message: [UInt8], _ buffers: [BufferReference], _ flags: PacketFlags, _ writer: inout QueueWriter
    ) throws(DSPQueueError) -> QueueWriter.Outcome {
        var result: Result<QueueWriter.Outcome, DSPQueueError> = .success(.full)
        message.withUnsafeBytes { bytes in
            do throws(DSPQueueError) {
                result = .success(try writer.write(bytes, buffers: buffers, flags: flags))
            } catch {
                result = .failure(error)
            }
        }
        return try result.get()
    }

    private func finish(
        _ write: () throws(DSPQueueError) -> QueueWriter.Outcome
    ) throws(DSPQueueError) -> Bool {
        try checkOpen()
        guard case .written(let signalNeeded) = try write() else { return false }
        if signalNeeded { try signal() }
        return true
    }

    /// Runs `body` on the packet at the front; it says whether the DSP waits for a signal.
    private func take<Value>(
        _ body: (inout QueueReader, QueueReader.Front) throws(DSPQueueError) -> (Value, Bool)
    ) throws(DSPQueueError) -> Value? {
        try checkOpen()
        var signalNeeded = false
        var result: Result<Value?, DSPQueueError> = .success(nil)
        reader.withLock { reader in
            do throws(DSPQueueError) {
                signalNeeded = try reader.skipWakeups()
                // A wakeup that is still there came too late for this call.
                guard let front = try reader.front(), !front.header.flags.contains(.wakeup) else { return }
                let (value, needed) = try body(&reader, front)
                if needed { signalNeeded = true }
                result = .success(value)
            } catch {
                result = .failure(error)
            }
        }
        if signalNeeded { try signal() }
        return try result.get()
    }

    private func signal() throws(DSPQueueError) {
        do throws(RemoteCallError) { try signals.signal() } catch { throw .remote(error) }
    }
}

/// What a queue counted. Bytes are those of packets without padding: header, buffer references, message.
public struct QueueStatistics: Hashable, Sendable {
    /// Packets read, early wakeups included.
    public var readPackets: UInt64 = 0
    /// Their bytes.
    public var readBytes: UInt64 = 0
    /// Packets written, early wakeups included.
    public var writtenPackets: UInt64 = 0
    /// Their bytes.
    public var writtenBytes: UInt64 = 0
    /// How long reads looked out for packets after early wakeups.
    public var earlyWakeupWait = Duration.zero
    /// How many early wakeups were not followed by a packet in time.
    public var earlyWakeupMisses: UInt64 = 0

    /// Nothing counted yet.
    public init() {}
}
