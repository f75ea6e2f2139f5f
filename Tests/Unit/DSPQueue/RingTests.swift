import TestSupport
import Testing

import DSPQueue

@Suite struct DSPQueueRingTests {
    /// The rules of the format once more, over packets instead of bytes: which packets are in the ring,
    /// and which bytes of it they take.
    struct Model {
        let byteCount: Int
        var packets: [(packet: RawPacket, end: Int)] = []
        var reader = 0
        var writer = 0

        enum Verdict: Hashable { case fits, full, never }

        mutating func write(_ packet: RawPacket) -> Verdict {
            let length = 8 + 24 * packet.buffers.count + packet.message.count
            let needed = (length + 7) / 8 * 8
            if needed > byteCount - 8 { return .never }
            // Bytes that may be taken, one by one from the writer on: all but 8 before the reader.
            var free = (reader - writer + byteCount) % byteCount
            if free == 0 { free = byteCount }
            free -= 8
            let behind = byteCount - writer
            let skipped = needed > behind ? behind : 0
            if skipped + needed > free { return packets.isEmpty && needed <= free ? .never : .full }
            writer = (skipped > 0 ? needed : writer + needed) % byteCount
            packets.append((packet, writer))
            return .fits
        }

        mutating func read() -> RawPacket? {
            guard !packets.isEmpty else { return nil }
            let first = packets.removeFirst()
            reader = first.end
            return first.packet
        }
    }

    static func packet(_ limit: Int, _ random: inout SeededGenerator) -> RawPacket {
        let buffers = (0..<Int.random(in: 0...(limit < 24 ? 0 : 2), using: &random)).map { _ in
            BufferReference(
                descriptor: .random(in: 0...9, using: &random), offset: random.next32(),
                byteCount: random.next32(), flags: BufferFlags(rawValue: random.next32()))
        }
        let message = (0..<Int.random(in: 0...limit, using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
        }
        var flags: PacketFlags = .userReady
        if !buffers.isEmpty { flags.insert(.buffers) }
        if !message.isEmpty { flags.insert(.message) }
        return RawPacket(flags: flags, buffers: buffers, message: message)
    }

    @Test(arguments: [16, 24, 32, 40, 64, 72, 96, 128, 256, 264, 1000])
    func sameAsTheModel(byteCount: Int) throws {
        var random = SeededGenerator(UInt64(byteCount))
        let fixture = try RingFixture(request: byteCount, response: 16)
        var writer = QueueWriter(fixture.memory.request)
        var reader = QueueReader(fixture.memory.request)
        var model = Model(byteCount: byteCount)
        var seen: [Model.Verdict: Int] = [:]
        for _ in 0..<20_000 {
            if Bool.random(using: &random) {
                let packet = Self.packet(byteCount / 2 - 8, &random)
                let verdict = model.write(packet)
                seen[verdict, default: 0] += 1
                switch verdict {
                case .fits:
                    let outcome = try writer.write(packet.message, buffers: packet.buffers)
                    try #require(outcome == .written(signalNeeded: false))
                case .full:
                    let outcome = try writer.write(packet.message, buffers: packet.buffers)
                    try #require(outcome == .full)
                case .never:
                    #expect(throws: DSPQueueError.self) {
                        _ = try writer.write(packet.message, buffers: packet.buffers)
                    }
                }
            } else {
                let read = try reader.read()
                try #require(read?.packet == model.read())
            }
            try #require(fixture.memory.request.writeState.position.load() == UInt32(model.writer))
            try #require(fixture.memory.request.readState.position.load() == UInt32(model.reader))
        }
        #expect(seen[.fits, default: 0] > 1000 && seen[.full, default: 0] > 100)
        #expect(reader.packetCount > 1000)
        // Outside of the data nothing but the states changed.
        let rest = fixture.layout.request.data + byteCount..<fixture.layout.request.readState
        #expect(fixture.bytes[rest].allSatisfy { $0 == 0xee })
    }

    /// From every position: as many packets as fit, then full; all of them back, then empty.
    @Test(arguments: [16, 32, 64, 120])
    func fullAndEmptyEverywhere(byteCount: Int) throws {
        for start in stride(from: 0, to: byteCount, by: 8) {
            for size in stride(from: 8, through: byteCount - 8, by: 8) {
                let fixture = try RingFixture(request: byteCount, response: 16)
                var writer = QueueWriter(fixture.memory.request)
                var reader = QueueReader(fixture.memory.request)
                for _ in 0..<start / 8 {
                    #expect(try writer.write([]) == .written(signalNeeded: false))
                    #expect(try reader.read() != nil)
                }
                #expect(try reader.read() == nil)
                let message = [UInt8](repeating: UInt8(size), count: size - 8)
                var count = 0
                do {
                    while try writer.write(message) != .full { count += 1 }
                } catch DSPQueueError.invalidArgument {
                    #expect(count == 0 && size > byteCount - start && size > start - 8)
                }
                // Behind the start, and before it with 8 bytes left.
                let behind = (byteCount - start) / size
                let expected = start == 0 ? (byteCount - 8) / size : behind + (start - 8) / size
                #expect(count == expected, "\(size) bytes at \(start) of \(byteCount)")
                for _ in 0..<count { #expect(try reader.read()?.packet.message == message) }
                #expect(try reader.read() == nil)
            }
        }
    }

    @Test func headerStandsTwiceWhereABodyMoves() throws {
        let fixture = try RingFixture(request: 64, response: 16)
        var writer = QueueWriter(fixture.memory.request)
        var reader = QueueReader(fixture.memory.request)
        for _ in 0..<6 {
            _ = try writer.write([])
            _ = try reader.read()
        }
        #expect(try writer.write([1, 2, 3, 4, 5, 6, 7, 8, 9]) == .written(signalNeeded: false))
        let header = Array(fixture.bytes[256 + 48..<256 + 56])
        #expect(header == [17, 0, 0, 0, 0x11, 0, 0, 6])
        #expect(Array(fixture.bytes[256..<256 + 17]) == header + [1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(fixture.memory.request.writeState.position.load() == 24)
        #expect(try reader.read()?.packet.message == [1, 2, 3, 4, 5, 6, 7, 8, 9])
    }

    @Test func limits() throws {
        let fixture = try RingFixture(request: 1 << 20)
        var writer = QueueWriter(fixture.memory.request)
        var reader = QueueReader(fixture.memory.request)
        let buffers = [BufferReference](repeating: BufferReference(descriptor: 3), count: 64)
        let message = [UInt8](repeating: 1, count: 65_536)
        #expect(try writer.write(message, buffers: buffers) == .written(signalNeeded: false))
        let packet = try reader.read()?.packet
        #expect(packet?.message == message && packet?.buffers == buffers)
        for (message, buffers, flags) in [
            (message + [0], [], []), ([], buffers + [BufferReference(descriptor: 4)], []),
            ([], [], PacketFlags(rawValue: 0x20)),
        ] as [([UInt8], [BufferReference], PacketFlags)] {
            let error = #expect(throws: DSPQueueError.self) {
                _ = try writer.write(message, buffers: buffers, flags: flags)
            }
            #expect(error?.result == .badParameter)
        }
        #expect(try reader.read() == nil)
    }

    @Test func signalsOnlyWhoWaits() throws {
        let fixture = try RingFixture(request: 64, response: 16)
        var writer = QueueWriter(fixture.memory.request)
        var reader = QueueReader(fixture.memory.request)
        #expect(try writer.write([]) == .written(signalNeeded: false))
        reader.beginWaiting()
        #expect(try writer.write([]) == .written(signalNeeded: true))
        reader.endWaiting()
        #expect(try writer.write([]) == .written(signalNeeded: false))
        #expect(try reader.read()?.signalNeeded == false)
        writer.beginWaiting()
        #expect(try reader.read()?.signalNeeded == true)
        writer.endWaiting()
        #expect(try reader.read()?.signalNeeded == false)
        // A peer without wait counts is always signalled.
        var old = QueueWriter(fixture.memory.response, usesWaitCounts: false)
        #expect(try old.write([]) == .written(signalNeeded: true))
    }

    @Test func earlyWakeup() throws {
        let fixture = try RingFixture()
        var writer = QueueWriter(fixture.memory.request)
        var reader = QueueReader(fixture.memory.request)
        _ = try writer.writeWakeup(delay: 300)
        #expect(Array(fixture.bytes[256..<268]) == [12, 0, 0, 0, 0x15, 0, 0, 0, 0x2c, 1, 0, 0])
        #expect(try reader.skipWakeups() == false)
        #expect(reader.wakeupMisses == 1 && reader.wakeupWait >= .microseconds(300))
        let before = reader.wakeupWait
        _ = try writer.writeWakeup(delay: nil)
        _ = try writer.write([5])
        #expect(try reader.skipWakeups() == false)
        #expect(try reader.read()?.packet.message == [5])
        #expect(reader.wakeupMisses == 1 && reader.wakeupWait >= before)
        // The largest delay that a packet can ask for is cut.
        _ = try writer.writeWakeup(delay: .max)
        let start = ContinuousClock.now
        #expect(try reader.skipWakeups() == false)
        let waited = ContinuousClock.now - start
        #expect(waited >= .microseconds(2500) && waited < .seconds(20))
        #expect(reader.wakeupMisses == 2 && reader.packetCount == 4)
    }
}

extension SeededGenerator {
    mutating func next32() -> UInt32 { UInt32(truncatingIfNeeded: next()) }
}
