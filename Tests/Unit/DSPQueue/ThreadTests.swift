import DSPQueue
import Foundation
import TestSupport
import Testing

@Suite struct DSPQueueThreadTests {
    /// A thread writes, this one reads, through a ring that a few packets fill. Each packet's message is
    /// made from a seed that it starts with.
    @Test(arguments: [256, 4096])
    func twoThreads(byteCount: Int) async throws {
        let count = 200_000
        let fixture = try RingFixture(request: byteCount, response: 16)
        let writing = Thread {
            var writer = QueueWriter(fixture.memory.request)
            var random = SeededGenerator(1)
            for index in 0..<count {
                let message = Self.message(index, &random)
                let buffers = (0..<index % 3).map {
                    BufferReference(descriptor: UInt32($0), offset: UInt32(index), byteCount: 1)
                }
                while (try? writer.write(message, buffers: buffers)) == .full { sched_yield() }
            }
        }
        writing.start()
        var reader = QueueReader(fixture.memory.request)
        var random = SeededGenerator(1)
        let deadline = ContinuousClock.now + .seconds(600)
        var index = 0
        while index < count {
            guard let (packet, _) = try reader.read() else {
                try #require(ContinuousClock.now < deadline, "stopped after \(index) packets")
                sched_yield()
                continue
            }
            try #require(packet.message == Self.message(index, &random))
            try #require(packet.buffers.count == index % 3)
            try #require(packet.buffers.allSatisfy { $0.offset == UInt32(index) && $0.byteCount == 1 })
            index += 1
        }
        #expect(try reader.front() == nil)
    }

    static func message(_ index: Int, _ random: inout SeededGenerator) -> [UInt8] {
        var generator = SeededGenerator(random.next())
        return (0..<index % 41).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }
}
