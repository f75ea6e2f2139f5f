import DSPQueue
import FastRPCLibrary
import Foundation
import RemoteCalls
import Testing

/// libcdsprpc's queues, played by a library of C functions with threads of their own.
@Suite(.enabled(if: systemCompiler != nil, "needs a C compiler as cc")) struct LibraryQueueTests {
    let scratch: ScratchDirectory
    let fixture: QueueFixture

    init() throws {
        scratch = try ScratchDirectory()
        fixture = try QueueFixture(in: scratch, name: "queue-\(UUID().uuidString)")
    }

    private func make() throws -> LibraryQueue {
        try LibraryQueue(library: fixture.library, effectiveDomain: 11)
    }

    private var soon: ContinuousClock.Instant { .now + .seconds(3600) }

    @Test func packetsGoRoundAndAreCounted() throws {
        let queue = try make()
        #expect(queue.exportedID == 0x1_0000_0007)
        #expect(fixture.count(.lastDomain) == 11)
        #expect(try queue.read() == nil && queue.peek() == nil)
        let buffers = [
            BufferReference(descriptor: 5, offset: 16, byteCount: 32, flags: .addReference),
            BufferReference(descriptor: 6),
        ]
        #expect(try queue.write([1, 2, 3], buffers: buffers))
        let size = try queue.peek(deadline: soon)
        #expect(size.bufferCount == 2 && size.messageByteCount == 3)
        #expect(size.flags == [.message, .buffers, .userReady])
        let packet = try queue.read(deadline: soon)
        #expect(packet.message == [1, 2, 3] && packet.flags == size.flags)
        #expect(packet.buffers.map(\.reference.descriptor) == [5, 6])
        #expect(packet.buffers[0].reference.flags == .addReference)
        #expect(packet.buffers[0].bytes.baseAddress == UnsafeMutableRawPointer(bitPattern: 0x50_0010))
        #expect(packet.buffers.map(\.bytes.count) == [32, 4096])

        let largest = (0..<65_536 - 16).map { UInt8(truncatingIfNeeded: $0) }
        try queue.write(largest, deadline: soon)
        #expect(try queue.read(deadline: soon).message == largest)
        try queue.write([], deadline: soon)
        #expect(try queue.read(deadline: soon).message.isEmpty)

        #expect(try queue.writeEarlyWakeup(delay: 100) && queue.writeEarlyWakeup())
        let statistics = queue.statistics
        #expect(statistics.writtenPackets == 5 && statistics.readPackets == 3)
        #expect(statistics.writtenBytes == 59 + 65_528 + 8 + 12 + 8)
        #expect(statistics.readBytes == 59 + 65_528 + 8)
        #expect(statistics.earlyWakeupWait == .microseconds(250) && statistics.earlyWakeupMisses == 1)
        #expect(queue.statistics.earlyWakeupWait == .microseconds(500), "the library's counters start anew")
        try queue.close()
        #expect(throws: DSPQueueError.closed) { _ = try queue.read() }
        #expect(throws: DSPQueueError.closed) { try queue.close() }
        #expect(fixture.count(.queues) == 0 && fixture.count(.misuses) == 0)
    }

    @Test func whatCannotBeWrittenIsRefused() throws {
        let queue = try make()
        let many = (0..<65).map { BufferReference(descriptor: UInt32($0)) }
        for (message, buffers, flags) in [
            ([UInt8](repeating: 0, count: 65_537), [], PacketFlags()), ([], many, []), ([], [], .wakeup),
            ([UInt8](repeating: 0, count: 65_536), [], []),
        ] {
            let error = #expect(throws: DSPQueueError.self) {
                _ = try queue.write(message, buffers: buffers, flags: flags)
            }
            #expect(error?.result == .badParameter)
        }
        let unmapped = #expect(throws: DSPQueueError.self) {
            _ = try queue.write([], buffers: [BufferReference(descriptor: 99)])
        }
        #expect(unmapped?.result == .noSuchMap && unmapped?.description.contains("99") == true)
        for size in [-8, 12, 16_777_224] {
            #expect(throws: DSPQueueError.self) {
                _ = try LibraryQueue(
                    library: fixture.library, effectiveDomain: 3, requestByteCount: size)
            }
        }
        let refused = #expect(throws: DSPQueueError.self) {
            _ = try LibraryQueue(library: fixture.library, effectiveDomain: -1)
        }
        #expect(refused?.result == .badParameter && refused?.description.contains("plain calls") == true)
    }

    /// A queue that hangs: the deadline passes, the error says what to do instead, and the queue still works.
    @Test func aHangIsDetectedByTheDeadline() throws {
        let queue = try make()
        fixture.set(.held, true)
        for index in 0..<4 { #expect(try queue.write([UInt8(index)])) }
        #expect(try !queue.write([4]))
        let start = ContinuousClock.now
        let full = #expect(throws: DSPQueueError.self) {
            try queue.write([4], deadline: start + .milliseconds(300))
        }
        let empty = #expect(throws: DSPQueueError.self) {
            _ = try queue.read(deadline: start + .milliseconds(400))
        }
        let elapsed = ContinuousClock.now - start
        #expect(elapsed >= .milliseconds(400) && elapsed < .seconds(60))
        for error in [full, empty] {
            #expect(error?.result == .expired && error?.description.contains("plain calls") == true)
        }
        fixture.set(.held, false)
        try queue.write([4], deadline: soon)
        for index in 0..<5 { #expect(try queue.read(deadline: soon).message == [UInt8(index)]) }
        try queue.close()
        #expect(fixture.count(.misuses) == 0)
    }

    /// The C library has no barriers on some processors, so a callback may be missed.
    @Test func aLostCallbackOnlyCostsTime() throws {
        let queue = try make()
        fixture.set(.silent, true)
        let late = Thread { [fixture] in
            fixture.set(.held, true)
            _ = try? queue.write([8])
            usleep(50_000)
            fixture.set(.held, false)
        }
        late.start()
        #expect(try queue.read(deadline: soon).message == [8])
        try queue.close()
    }

    @Test func tasksWaitForCallbacksOfForeignThreads() async throws {
        let queue = try make()
        let count = 500
        async let received = {
            var messages: [[UInt8]] = []
            for _ in 0..<count { messages.append(try await queue.nextPacket().message) }
            return messages
        }()
        let expected = (0..<count).map { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        // Without blocking: this is one of the few threads that tasks have, and the reader needs one, too.
        for message in expected {
            while try !queue.write(message) { await Task.yield() }
        }
        #expect(try await received == expected)

        let hanging: any MessageQueue = queue
        let error = await #expect(throws: DSPQueueError.self) {
            _ = try await hanging.nextPacket(deadline: .now + .milliseconds(50))
        }
        #expect(error?.result == .expired)
        let cancelled = Task { try await queue.nextPacket() }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { _ = try await cancelled.value }
        #expect(try queue.write([1]))
        #expect(try await hanging.nextPacket(deadline: soon).message == [1])
        try queue.close()
        #expect(fixture.count(.misuses) == 0)
    }

    /// The C function frees the queue; nobody may be in the library then.
    @Test func closingEndsThoseWhoWait() async throws {
        for _ in 0..<5 {
            fixture.set(.held, true)
            let queue = try make()
            for _ in 0..<4 { #expect(try queue.write([0])) }
            let task = Task { try await queue.nextPacket() }
            let results = ResultBox()
            let threads = [
                Thread { results.add { _ = try queue.read(deadline: nil) } },
                Thread { results.add { try queue.write([1], deadline: nil) } },
                Thread { results.add { _ = try queue.peek(deadline: nil) } },
            ]
            threads.forEach { $0.start() }
            try await Task.sleep(for: .milliseconds(30))
            try queue.close()
            await #expect(throws: DSPQueueError.closed) { _ = try await task.value }
            while results.errors.count < threads.count { try await Task.sleep(for: .milliseconds(5)) }
            #expect(results.errors.allSatisfy { $0 == .closed })
            #expect(fixture.count(.misuses) == 0 && fixture.count(.queues) == 0)
        }
    }

    @Test func aQueueThatTheDSPHoldsStaysOpen() throws {
        let queue = try make()
        fixture.set(.imported, true)
        let error = #expect(throws: DSPQueueError.self) { try queue.close() }
        #expect(error?.result == .badParameter && error?.description.contains("close its side") == true)
        try queue.write([6], deadline: soon)
        #expect(try queue.read(deadline: soon).message == [6])
        fixture.set(.imported, false)
        try queue.close()
        #expect(fixture.count(.queues) == 0)
    }

    /// The codes of a lost session come through as they are.
    @Test(arguments: [104, 39, 0x8000_040d] as [UInt32])
    func aFailedDSPEndsAllCalls(status: UInt32) async throws {
        let queue = try make()
        let task = Task { try await queue.nextPacket() }
        let results = ResultBox()
        Thread { results.add { _ = try queue.read(deadline: nil) } }.start()
        try await Task.sleep(for: .milliseconds(20))
        fixture.fail(status)
        let error = await #expect(throws: DSPQueueError.self) { _ = try await task.value }
        #expect(error?.result.rawValue == status)
        while results.errors.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        #expect(results.errors.first?.result.rawValue == status)
        #expect(error?.description.contains("open it again") == true)
        for call in [{ _ = try queue.write([1]) }, { _ = try queue.read(deadline: nil) }] {
            let later = #expect(throws: DSPQueueError.self) { try call() }
            #expect(later?.result.rawValue == status)
            #expect(later?.description.contains("open it again") == true)
        }
        try queue.close()
        #expect(fixture.count(.queues) == 0 && fixture.count(.misuses) == 0)
    }

    @Test func aQueueThatNobodyClosedIsClosedInTheEnd() throws {
        do {
            let queue = try make()
            #expect(try queue.write([1]))
            #expect(fixture.count(.queues) == 1)
        }
        #expect(fixture.count(.queues) == 0 && fixture.count(.misuses) == 0)
    }

    @Test func missingFunctionsAreErrorsWithTheirNames() throws {
        let names = ["dspqueue_peek_noblock", "dspqueue_write_early_wakeup_noblock", "dspqueue_get_stat"]
        let older = try QueueFixture(in: scratch, name: "older", without: names)
        let queue = try LibraryQueue(library: older.library, effectiveDomain: 3)
        let peek = #expect(throws: DSPQueueError.self) { _ = try queue.peek() }
        #expect(peek?.result == .unsupported && peek?.description.contains(names[0]) == true)
        let wakeup = #expect(throws: DSPQueueError.self) { _ = try queue.writeEarlyWakeup() }
        #expect(wakeup?.description.contains(names[1]) == true)
        #expect(queue.statistics == QueueStatistics())
        try queue.close()

        let without = try QueueFixture(in: scratch, name: "oldest", without: ["dspqueue_create"])
        let error = #expect(throws: DSPQueueError.self) {
            _ = try LibraryQueue(library: without.library, effectiveDomain: 3)
        }
        #expect(error?.result == .unsupported && error?.description.contains("plain calls") == true)
    }

    /// Several threads on one queue; every packet comes back once.
    @Test func manyThreads() async throws {
        let queue = try make()
        let (writers, each) = (4, 250)
        let received = try await withThrowingTaskGroup(of: [Int].self) { group in
            for writer in 0..<writers {
                group.addTask {
                    for index in 0..<each {
                        let number = writer * each + index
                        let message = [UInt8(truncatingIfNeeded: number), UInt8(number >> 8)]
                        while try !queue.write(message) { await Task.yield() }
                    }
                    return []
                }
                group.addTask {
                    var numbers: [Int] = []
                    for _ in 0..<each {
                        let message = try await queue.nextPacket().message
                        numbers.append(Int(message[0]) | Int(message[1]) << 8)
                    }
                    return numbers
                }
            }
            return try await group.reduce(into: [Int]()) { $0 += $1 }
        }
        #expect(received.sorted() == Array(0..<writers * each))
        try queue.close()
        #expect(fixture.count(.misuses) == 0)
    }
}

/// What threads ended with.
private final class ResultBox: @unchecked Sendable {
    private let lock = NSLock()
    private var list: [DSPQueueError] = []

    var errors: [DSPQueueError] { lock.withLock { list } }

    func add(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            lock.withLock { list.append(error as? DSPQueueError ?? .corrupt("\(error)")) }
        }
    }
}
