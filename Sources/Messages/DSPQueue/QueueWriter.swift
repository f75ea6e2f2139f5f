import Synchronization

/// The writing side of one direction. Its own position never comes from shared memory, where a stray
/// write could have changed it.
package struct QueueWriter: ~Copyable, @unchecked Sendable {
    private let ring: RingMemory
    private let counter: SharedWord?
    private let usesWaitCounts: Bool
    private var position = 0
    private var waiting: UInt32 = 0
    /// Packets written, early wakeups included.
    package private(set) var packetCount: UInt64 = 0
    /// Their bytes: headers, references and messages without padding.
    package private(set) var byteCount: UInt64 = 0

    /// What came of a write.
    package enum Outcome: Hashable, Sendable {
        /// Written; the reader waits for a signal, or it does not.
        case written(signalNeeded: Bool)
        /// No room.
        case full
    }

    /// Writes into an empty ring; `counter` is counted up for every packet.
    package init(_ ring: RingMemory, counter: SharedWord? = nil, usesWaitCounts: Bool = true) {
        self.ring = ring
        self.counter = counter
        self.usesWaitCounts = usesWaitCounts
    }

    /// Writes a packet, or nothing.
    ///
    /// - Throws: `corrupt` when the reader's position is none; `invalidArgument` when the packet breaks a
    ///   limit, or when no reading can make room for it.
    package mutating func write(
        _ message: UnsafeRawBufferPointer, buffers: [BufferReference] = [], flags: PacketFlags = []
    ) throws(DSPQueueError) -> Outcome {
        let header = try header(message.count, buffers, flags)
        guard let body = try place(header) else { return .full }
        ring.data.storeBytes(of: header.word.littleEndian, toByteOffset: position, as: UInt64.self)
        if body == 8 {
            // Also when the packet starts at 0: the same bytes once more.
            ring.data.storeBytes(of: header.word.littleEndian, as: UInt64.self)
        }
        var target = ring.data + body
        for buffer in buffers {
            buffer.store(target)
            target += BufferReference.byteCount
        }
        if let source = message.baseAddress { target.copyMemory(from: source, byteCount: message.count) }

        let end = body - 8 + header.paddedByteCount
        position = end == ring.byteCount ? 0 : end
        packetCount += 1
        byteCount += UInt64(header.byteCount)
        ring.writeState.position.store(UInt32(position))
        ring.writeState.packetCount.store(UInt32(truncatingIfNeeded: packetCount))
        counter?.increment()
        return .written(signalNeeded: isPeerWaiting())
    }

    /// Writes an early wakeup packet: the reader is to look out for a packet for `delay` microseconds.
    package mutating func writeWakeup(
        delay: UInt32?, flags: PacketFlags = []
    ) throws(DSPQueueError) -> Outcome {
        guard let delay else {
            return try write(UnsafeRawBufferPointer(start: nil, count: 0), flags: flags.union(.wakeup))
        }
        var result: Result<Outcome, DSPQueueError> = .success(.full)
        withUnsafeBytes(of: delay.littleEndian) { bytes in
            do throws(DSPQueueError) {
                result = .success(try write(bytes, flags: flags.union(.wakeup)))
            } catch {
                result = .failure(error)
            }
        }
        return try result.get()
    }

    /// Says that this side is going to wait for room. Try once more before waiting: the reader may not
    /// have seen it.
    package mutating func beginWaiting() {
        waiting += 1
        ring.writeState.waitCount.store(waiting)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// Says that a wait is over.
    package mutating func endWaiting() {
        waiting -= 1
        ring.writeState.waitCount.store(waiting)
    }

    private func header(
        _ messageByteCount: Int, _ buffers: [BufferReference], _ flags: PacketFlags
    ) throws(DSPQueueError) -> PacketHeader {
        guard messageByteCount <= PacketLimits.messageByteCount else {
            throw .invalidArgument(
                "a message of \(messageByteCount) bytes; at most \(PacketLimits.messageByteCount)")
        }
        guard buffers.count <= PacketLimits.bufferCount else {
            throw .invalidArgument(
                "\(buffers.count) buffers in a packet; at most \(PacketLimits.bufferCount)")
        }
        guard flags.isSubset(of: .known) else {
            throw .invalidArgument("packet flags \(flags.rawValue) use reserved bits")
        }
        var header = PacketHeader(
            sequence: UInt8(truncatingIfNeeded: packetCount), bufferCount: buffers.count,
            flags: flags.subtracting([.message, .buffers]).union(.userReady),
            messageByteCount: messageByteCount)
        if messageByteCount > 0 { header.flags.insert(.message) }
        if !buffers.isEmpty { header.flags.insert(.buffers) }
        guard header.paddedByteCount <= ring.byteCount - 8 else {
            throw .invalidArgument(
                "a packet of \(header.paddedByteCount) bytes in a queue of \(ring.byteCount); "
                    + "8 bytes must stay free")
        }
        return header
    }

    /// Where the packet's body goes, or nil when there is no room.
    ///
    /// A packet does not wrap: one that does not fit before the end has its header there and its body,
    /// behind a copy of the header, at the start.
    private func place(_ header: PacketHeader) throws(DSPQueueError) -> Int? {
        let needed = header.paddedByteCount
        let reader = try ring.position(ring.readState, of: "read")
        let free =
            if reader == position {
                ring.byteCount - 8
            } else if position > reader {
                ring.byteCount - position + reader - 8
            } else {
                reader - position - 8
            }
        guard free >= needed else { return nil }
        let behind = ring.byteCount - position
        if behind >= needed { return position + 8 }
        if free - behind >= needed { return 8 }
        guard reader != position else {
            throw .invalidArgument(
                "a packet of \(needed) bytes fits neither behind nor before position \(position) of a queue "
                    + "of \(ring.byteCount), though it is empty; make the queue twice as large as packets")
        }
        return nil
    }

    private func isPeerWaiting() -> Bool {
        // Orders the new position before the wait count; the reader does it the other way round, so that
        // at least one of the two sees the other.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return !usesWaitCounts || ring.readState.waitCount.load() != 0
    }
}
