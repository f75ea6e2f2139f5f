import Synchronization

/// The reading side of one direction. Everything the writer may have written is checked before use.
package struct QueueReader: ~Copyable, @unchecked Sendable {
    private let ring: RingMemory
    private let counter: SharedWord?
    private let usesWaitCounts: Bool
    private var position = 0
    private var waiting: UInt32 = 0
    /// Packets read, early wakeups included.
    package private(set) var packetCount: UInt64 = 0
    /// Their bytes: headers, references and messages without padding.
    package private(set) var byteCount: UInt64 = 0
    /// How long early wakeups made this side look out for packets.
    package private(set) var wakeupWait = Duration.zero
    /// How many of them were not followed by a packet in time.
    package private(set) var wakeupMisses: UInt64 = 0

    /// A packet at the front of the queue.
    package struct Front: Hashable, Sendable {
        /// Checked.
        package let header: PacketHeader
        /// Where references and message start.
        fileprivate let body: Int
        /// Where the next packet starts.
        fileprivate let next: Int
    }

    /// Reads from an empty ring; `counter` is counted up for every packet.
    package init(_ ring: RingMemory, counter: SharedWord? = nil, usesWaitCounts: Bool = true) {
        self.ring = ring
        self.counter = counter
        self.usesWaitCounts = usesWaitCounts
    }

    /// The packet that is next, or nil when the queue is empty. It stays there.
    package func front() throws(DSPQueueError) -> Front? {
        let writer = try ring.position(ring.writeState, of: "write")
        guard writer != position else { return nil }
        let header = try PacketHeader(checking: UInt64(littleEndian: loadOnce(ring.data + position)))
        guard header.sequence == UInt8(truncatingIfNeeded: packetCount) else {
            throw .corrupt(
                "packet number \(header.sequence) instead of \(UInt8(truncatingIfNeeded: packetCount))")
        }
        let needed = header.paddedByteCount
        let isBehind = ring.byteCount - position >= needed
        // What the writer has released in one piece, from the packet's start or from the ring's.
        let released =
            if writer > position { isBehind ? writer - position : 0 } else {
                isBehind ? ring.byteCount - position : writer
            }
        guard needed <= released else {
            throw .corrupt(
                "a packet of \(needed) bytes at \(position), but the writer is at \(writer)")
        }
        let body = isBehind ? position + 8 : 8
        let end = body - 8 + needed
        return Front(header: header, body: body, next: end == ring.byteCount ? 0 : end)
    }

    /// Copies the packet out of the queue; it stays there.
    package func copy(_ front: Front) -> RawPacket {
        var source = UnsafeRawPointer(ring.data + front.body)
        var buffers: [BufferReference] = []
        buffers.reserveCapacity(front.header.bufferCount)
        for _ in 0..<front.header.bufferCount {
            buffers.append(BufferReference(source))
            source += BufferReference.byteCount
        }
        let message = [UInt8](UnsafeRawBufferPointer(start: source, count: front.header.messageByteCount))
        return RawPacket(flags: front.header.flags, buffers: buffers, message: message)
    }

    /// Takes the packet out of the queue. Whether the writer waits for a signal.
    package mutating func consume(_ front: Front) -> Bool {
        position = front.next
        packetCount += 1
        byteCount += UInt64(front.header.byteCount)
        ring.readState.position.store(UInt32(position))
        ring.readState.packetCount.store(UInt32(truncatingIfNeeded: packetCount))
        counter?.increment()
        // As in the writer: first the new position, then the look at the wait count.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return !usesWaitCounts || ring.writeState.waitCount.load() != 0
    }

    /// Takes the next packet out; nil when there is none. Early wakeups are not looked at.
    package mutating func read() throws(DSPQueueError) -> (packet: RawPacket, signalNeeded: Bool)? {
        guard let front = try front() else { return nil }
        let packet = copy(front)
        return (packet, consume(front))
    }

    /// Takes early wakeup packets out, and after one of them looks out for a packet as long as it says.
    /// However many there are, that takes no longer than ``longestWakeup`` and one turn around the ring.
    ///
    /// Whether the writer waits for a signal.
    package mutating func skipWakeups() throws(DSPQueueError) -> Bool {
        var signalNeeded = false
        guard var wakeup = try front(), wakeup.header.flags.contains(.wakeup) else { return false }
        let start = ContinuousClock.now
        let limit = start + Self.longestWakeup
        repeat {
            let until = min(ContinuousClock.now + delay(wakeup), limit)
            if consume(wakeup) { signalNeeded = true }
            var next = try front()
            while next == nil, ContinuousClock.now < until { next = try front() }
            guard let found = next else {
                wakeupMisses += 1
                break
            }
            guard found.header.flags.contains(.wakeup) else { break }
            wakeup = found
        } while ContinuousClock.now < limit
        wakeupWait += ContinuousClock.now - start
        return signalNeeded
    }

    /// `dspqueue` looks out for 1000 µs if the packet does not say, and for 2500 µs at most.
    static let longestWakeup = Duration.microseconds(2500)

    private func delay(_ front: Front) -> Duration {
        let message = copy(front).message
        guard message.count >= 4 else { return .microseconds(1000) }
        let delay = message[..<4].reversed().reduce(0) { $0 << 8 | Int64($1) }
        return min(.microseconds(delay), Self.longestWakeup)
    }

    /// Says that this side is going to wait for a packet. Look once more before waiting: the writer may
    /// not have seen it.
    package mutating func beginWaiting() {
        waiting += 1
        ring.readState.waitCount.store(waiting)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// Says that a wait is over.
    package mutating func endWaiting() {
        waiting -= 1
        ring.readState.waitCount.store(waiting)
    }
}
