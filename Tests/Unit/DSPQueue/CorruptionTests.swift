import DSPQueue
import Foundation
import TestSupport
import Testing

@Suite struct DSPQueueCorruptionTests {
    /// What a reader may hand out, whatever is in the memory.
    static func isPossible(_ packet: RawPacket, in byteCount: Int) -> Bool {
        packet.buffers.count <= 64 && packet.message.count <= 65_536
            && 8 + 24 * packet.buffers.count + packet.message.count <= byteCount
    }

    /// Values that come close to breaking something, and any others.
    static func value(_ random: inout SeededGenerator) -> UInt32 {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: random.next32()
        case 1: 8 &* .random(in: 0...40, using: &random)
        case 2:
            [0, 1, 7, .max, .max - 7, 0x8000_0000, 0x7fff_ffff, 0x10_0000].randomElement(using: &random) ?? 0
        default: .random(in: 0...300, using: &random)
        }
    }

    /// 100,000 times: write and read a little, then change a word of the ring or of a state.
    @Test func mutations() throws {
        var random = SeededGenerator(20)
        var failures = 0
        var packets = 0
        var mutations = 0
        while mutations < 100_000 {
            let byteCount = 8 * Int.random(in: 2...40, using: &random)
            let fixture = try RingFixture(request: byteCount, response: 16)
            var writer = QueueWriter(fixture.memory.request)
            var reader = QueueReader(fixture.memory.request)
            do {
                for _ in 0..<50 {
                    let packet = DSPQueueRingTests.packet(40, &random)
                    if Bool.random(using: &random) {
                        do {
                            _ = try writer.write(packet.message, buffers: packet.buffers)
                        } catch DSPQueueError.invalidArgument {}
                    }
                    if Bool.random(using: &random), let (packet, _) = try reader.read() {
                        packets += 1
                        try #require(Self.isPossible(packet, in: byteCount))
                    }
                    if mutations % 64 == 0 { _ = try reader.skipWakeups() }
                    let ring = fixture.layout.request
                    let offset =
                        switch Int.random(in: 0..<8, using: &random) {
                        case 0: ring.readState + 4 * Int.random(in: 0..<3, using: &random)
                        case 1: ring.writeState + 4 * Int.random(in: 0..<3, using: &random)
                        default: ring.data + 4 * Int.random(in: 0..<byteCount / 4, using: &random)
                        }
                    fixture.bytes.storeBytes(of: Self.value(&random), toByteOffset: offset, as: UInt32.self)
                    mutations += 1
                }
            } catch let error as DSPQueueError {
                guard case .corrupt = error else { throw error }
                failures += 1
            }
            // Nothing was written outside of the data, wherever the reader claimed to be.
            let rest = fixture.layout.request.data + byteCount..<fixture.layout.request.readState
            let isUntouched = fixture.bytes[rest].allSatisfy { $0 == 0xee }
            try #require(isUntouched)
        }
        // Both happen all the time.
        #expect(failures > 1000 && packets > 1000)
    }

    /// The same memory, changed by a thread while this one reads: what was checked may be different a
    /// moment later.
    @Test func mutationsAtTheSameTime() throws {
        let fixture = try RingFixture(request: 512, response: 16)
        let isDone = SharedWord(fixture.bytes.baseAddress! + fixture.layout.response.writeState + 12)
        isDone.store(0)
        let mutating = Thread {
            var random = SeededGenerator(9)
            while isDone.load() == 0 {
                let ring = fixture.layout.request
                // A good header as often as anything else, or nothing would get past the first check.
                let (offset, value): (Int, UInt32) =
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: (ring.writeState, Self.value(&random))
                    case 1: (ring.data, .random(in: 8...60, using: &random))
                    case 2: (ring.data + 4, [0x10, 0x1_0012].randomElement(using: &random) ?? 0)
                    default: (ring.data + 4 * Int.random(in: 0..<128, using: &random), Self.value(&random))
                    }
                SharedWord(fixture.mirror.baseAddress! + offset).store(value)
            }
            isDone.store(0)
        }
        mutating.start()
        defer {
            isDone.store(1)
            while isDone.load() == 1 { sched_yield() }
        }
        var failures = 0
        var packets = 0
        var rounds = 0
        let deadline = ContinuousClock.now + .seconds(300)
        while rounds < 20_000 || failures < 100 || packets < 100 {
            try #require(ContinuousClock.now < deadline, "\(packets) packets, \(failures) failures")
            rounds += 1
            var reader = QueueReader(fixture.memory.request)
            do {
                for _ in 0..<100 {
                    guard let (packet, _) = try reader.read() else { continue }
                    packets += 1
                    try #require(Self.isPossible(packet, in: 512))
                }
            } catch let error as DSPQueueError {
                guard case .corrupt = error else { throw error }
                failures += 1
            }
        }
    }

    @Test func everyRuleHasItsError() throws {
        let header = PacketHeader(sequence: 0, bufferCount: 0, flags: .userReady, messageByteCount: 0)
        for (word, position, name) in [
            (header.word, 12, "write position 12"), (header.word, 64, "write position 64"),
            (header.word, .max, "write position"), (header.word - 1, 8, "packet length 7"),
            (header.word | 1 << 37, 8, "packet flags"), (header.word | 65 << 48, 8, "65 buffers"),
            (header.word | 1 << 48, 32, "packet length 8, 1 buffers"),
            (header.word + 65_537, 32, "packet length 65545"), (header.word | 1 << 56, 8, "packet number 1"),
            (header.word + 9, 16, "a packet of 24 bytes at 0"),
        ] as [(UInt64, UInt32, String)] {
            let fixture = try RingFixture(request: 64, response: 16)
            let reader = QueueReader(fixture.memory.request)
            fixture.bytes.storeBytes(of: word.littleEndian, toByteOffset: 256, as: UInt64.self)
            fixture.memory.request.writeState.position.store(position)
            let error = #expect(throws: DSPQueueError.self) { _ = try reader.front() }
            guard case .corrupt(let what) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(what.contains(name))
        }
        let fixture = try RingFixture(request: 64, response: 16)
        fixture.memory.request.readState.position.store(4)
        var writer = QueueWriter(fixture.memory.request)
        let error = #expect(throws: DSPQueueError.self) { _ = try writer.write([]) }
        #expect(error == .corrupt("read position 4 in a queue of 64 bytes"))
    }

    /// A writer that sends nothing but early wakeups does not keep a reader.
    @Test func endlessWakeups() throws {
        let fixture = try RingFixture(request: 64, response: 16)
        let isDone = SharedWord(fixture.bytes.baseAddress! + fixture.layout.response.writeState + 12)
        isDone.store(0)
        let writing = Thread {
            var writer = QueueWriter(fixture.memory.request)
            while isDone.load() == 0 { _ = try? writer.writeWakeup(delay: .max) }
            isDone.store(0)
        }
        writing.start()
        var reader = QueueReader(fixture.memory.request)
        let start = ContinuousClock.now
        var longest = Duration.zero
        while reader.packetCount < 200, ContinuousClock.now - start < .seconds(60) {
            let call = ContinuousClock.now
            _ = try reader.skipWakeups()
            longest = max(longest, ContinuousClock.now - call)
        }
        #expect(reader.packetCount >= 200)
        #expect(longest < .seconds(20))
        isDone.store(1)
        while isDone.load() == 1 { sched_yield() }
    }
}
