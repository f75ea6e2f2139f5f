/// A message queue between host and DSP, whoever does its work: ``DSPQueue``, this library's own over shared
/// memory, or ``LibraryQueue``, libcdsprpc's. Any thread may use it.
///
/// A queue may hang on some machines, and nobody can tell a DSP that is slow from one that never answers: so
/// give a deadline. When it passes, the error is ``DSPQueueError/expired(_:)``, whose text advises to make
/// plain calls.
public protocol MessageQueue: AnyObject, Sendable {
    /// The number to give to the program on the DSP, which imports the queue by it.
    var exportedID: UInt64 { get }

    /// Writes a packet if there is room. False when the queue is full.
    ///
    /// - Parameters:
    ///   - message: at most 65,536 bytes.
    ///   - buffers: at most 64 parts of mapped buffers.
    ///   - flags: those that say what the packet carries are set by the writer.
    func write(
        _ message: [UInt8], buffers: [BufferReference], flags: PacketFlags
    ) throws(DSPQueueError) -> Bool
    /// Tells the DSP that a packet will come soon. False when the queue is full.
    ///
    /// - Parameter delay: microseconds; nil for the reader's default.
    func writeEarlyWakeup(delay: UInt32?, flags: PacketFlags) throws(DSPQueueError) -> Bool
    /// Reads a packet if there is one. Nil when the queue is empty.
    func read() throws(DSPQueueError) -> QueuePacket?
    /// What the next packet needs. Nil when the queue is empty.
    func peek() throws(DSPQueueError) -> QueuePacketSize?

    /// Writes a packet and waits for room; `expired` at the deadline, nil for none.
    func write(
        _ message: [UInt8], buffers: [BufferReference], flags: PacketFlags,
        deadline: ContinuousClock.Instant?
    ) throws(DSPQueueError)
    /// Waits for a packet and reads it; `expired` at the deadline, nil for none.
    func read(deadline: ContinuousClock.Instant?) throws(DSPQueueError) -> QueuePacket
    /// Waits for a packet and says what it needs; `expired` at the deadline, nil for none.
    func peek(deadline: ContinuousClock.Instant?) throws(DSPQueueError) -> QueuePacketSize
    /// Waits for a packet without a thread and reads it. `CancellationError` when the task is cancelled; no
    /// packet is lost then.
    func nextPacket() async throws -> QueuePacket

    /// Counters since the queue was made.
    var statistics: QueueStatistics { get }
    /// Closes the queue. The program on the DSP must have closed its side, else this fails with
    /// `AEE_EBADPARM` and the queue stays open.
    func close() throws(DSPQueueError)
}

extension MessageQueue {
    /// Waits for a packet without a thread, until a deadline: `expired` when it passes.
    public func nextPacket(deadline: ContinuousClock.Instant) async throws -> QueuePacket {
        let start = ContinuousClock.now
        return try await withThrowingTaskGroup(of: QueuePacket?.self) { group in
            group.addTask { try await self.nextPacket() }
            group.addTask {
                // Ends early when the caller is cancelled; a packet read in that moment must still be returned.
                try? await Task.sleep(until: deadline, clock: .continuous)
                return nil
            }
            if let first = try await group.next(), let packet = first {
                group.cancelAll()
                return packet
            }
            group.cancelAll()
            // The reader may have had its packet by the time it was cancelled.
            do {
                if let last = try await group.next(), let packet = last { return packet }
            } catch is CancellationError {
                try Task.checkCancellation()
            }
            throw DSPQueueError.expired("no packet after \(ContinuousClock.now - start)")
        }
    }

    /// Writes a packet without buffers if there is room.
    public func write(_ message: [UInt8]) throws(DSPQueueError) -> Bool {
        try write(message, buffers: [], flags: [])
    }

    /// Writes a packet without buffers and waits for room.
    public func write(_ message: [UInt8], deadline: ContinuousClock.Instant?) throws(DSPQueueError) {
        try write(message, buffers: [], flags: [], deadline: deadline)
    }
}

/// A packet that was read.
public struct QueuePacket: Sendable {
    /// As the writer set them.
    public let flags: PacketFlags
    /// The buffers, looked up.
    public let buffers: [ReceivedBuffer]
    /// The message, at most 65,536 bytes.
    public let message: [UInt8]
}

/// What a packet at the front of a queue needs.
public struct QueuePacketSize: Hashable, Sendable {
    /// As the writer set them.
    public let flags: PacketFlags
    /// Buffers, at most 64.
    public let bufferCount: Int
    /// Bytes of the message, at most 65,536.
    public let messageByteCount: Int

    package init(flags: PacketFlags, bufferCount: Int, messageByteCount: Int) {
        self.flags = flags
        self.bufferCount = bufferCount
        self.messageByteCount = messageByteCount
    }
}

extension DSPQueue: MessageQueue {
    /// A packet that was read.
    public typealias Packet = QueuePacket
    /// What a packet at the front of the queue needs.
    public typealias PacketSize = QueuePacketSize

    /// Closes the queue, as ``QueueDomain/close(_:)`` does.
    public func close() throws(DSPQueueError) {
        try domain.close(self)
    }
}
