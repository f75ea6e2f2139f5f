import DSPQueue
import RemoteCalls
import SharedMemory
import Testing

@Suite struct DSPQueueTests {
    let dsp = SimulatedDSP()
    let domain: QueueDomain

    init() throws { domain = try QueueDomain(transport: dsp, memory: MemoryFileAllocator()) }

    @Test func versionsAndClosing() throws {
        #expect(dsp.mappingCount == 1)
        let queue = try domain.makeQueue()
        #expect(dsp.mappingCount == 2 && dsp.versions == [.max, 2])
        #expect(throws: DSPQueueError.self) { try domain.close() }
        dsp.setImported(queue.exportedID, true)
        let error = #expect(throws: DSPQueueError.self) { try domain.close(queue) }
        #expect(error?.result == .badParameter)
        #expect(try queue.write([1]))
        dsp.setImported(queue.exportedID, false)
        try domain.close(queue)
        #expect(throws: DSPQueueError.closed) { _ = try queue.write([1]) }
        #expect(throws: DSPQueueError.closed) { try queue.read(deadline: nil) }
        #expect(throws: DSPQueueError.closed) { try domain.close(queue) }
        try domain.close()
        #expect(dsp.mappingCount == 0)
        #expect(throws: DSPQueueError.closed) { _ = try domain.makeQueue() }
    }

    /// A DSP that takes any version knows no wait counts and is always signalled.
    @Test func version1() throws {
        let old = SimulatedDSP(isVersion1: true)
        let queue = try QueueDomain(transport: old, memory: MemoryFileAllocator()).makeQueue()
        #expect(old.versions == [.max])
        #expect(try queue.write([1]))
        #expect(try queue.write([2]))
        #expect(old.signalCount.withLock { $0 } == 2)
    }

    @Test func asManyQueuesAsTheProcessStateHas() throws {
        let queues = try (0..<64).map { _ in try domain.makeQueue(requestByteCount: 64, responseByteCount: 64)
        }
        let error = #expect(throws: DSPQueueError.self) { _ = try domain.makeQueue() }
        #expect(error?.result == .badParameter)
        #expect(Set(queues.map(\.exportedID)).count == 64)
        try domain.close(queues[17])
        #expect(try domain.makeQueue().exportedID & 0xff == 17)
    }

    /// The DSP's side by hand: what arrives, what is counted, and what comes back.
    @Test func bothDirections() throws {
        let queue = try domain.makeQueue(requestByteCount: 128, responseByteCount: 128)
        let buffer = try MemoryFileAllocator().allocate(byteCount: 4096)
        try queue.buffers.add(descriptor: buffer.descriptor, bytes: buffer.bytes)
        let (memory, state) = try dsp.rings(queue.exportedID)
        var reader = QueueReader(memory.request, counter: state.word(.requestSpace, queue: 0))
        var writer = QueueWriter(memory.response, counter: state.word(.responsePackets, queue: 0))
        #expect(try queue.read() == nil && queue.peek() == nil)

        var part = BufferReference(descriptor: UInt32(buffer.descriptor), offset: 16, byteCount: 32)
        part.flags = .addReference
        #expect(try queue.write([1, 2, 3], buffers: [part]))
        #expect(
            try reader.read()?.packet
                == RawPacket(
                    flags: [.message, .buffers, .userReady], buffers: [part], message: [1, 2, 3]))
        #expect(queue.buffers.references(buffer.descriptor) == 2)
        #expect(dsp.signalCount.withLock { $0 } == 0)
        reader.beginWaiting()
        #expect(try queue.writeEarlyWakeup(delay: 10))
        #expect(dsp.signalCount.withLock { $0 } == 1)
        reader.endWaiting()

        // Full: the buffer is not counted.
        while try queue.write([0], buffers: []) {}
        #expect(try !queue.write([0], buffers: [part]))
        #expect(queue.buffers.references(buffer.descriptor) == 2)

        part.flags = .dropReference
        _ = try writer.write([9], buffers: [part])
        #expect(
            try queue.peek()
                == DSPQueue.PacketSize(
                    flags: [.message, .buffers, .userReady], bufferCount: 1, messageByteCount: 1))
        let packet = try queue.read()
        #expect(packet?.message == [9] && packet?.buffers.first?.bytes.count == 32)
        #expect(packet?.buffers.first?.bytes.baseAddress == buffer.address + 16)
        #expect(queue.buffers.references(buffer.descriptor) == 1)

        // A packet with a wrong buffer stays.
        _ = try writer.write([8], buffers: [part])
        for _ in 0..<2 {
            let error = #expect(throws: DSPQueueError.self) { _ = try queue.read() }
            #expect(error?.result == .badParameter)
        }
        _ = try writer.writeWakeup(delay: 10)
        #expect(try queue.peek()?.bufferCount == 1)
        let statistics = queue.statistics
        #expect(statistics.readPackets == 1 && statistics.readBytes == 8 + 24 + 1)
        #expect(statistics.writtenPackets == UInt64(state.word(.requestPackets, queue: 0).load()))
        #expect(state.word(.responseSpace, queue: 0).load() == 1)
        #expect(state.word(.responsePackets, queue: 0).load() == 3)
        #expect(state.word(.requestSpace, queue: 0).load() == 1)
        buffer.close()
    }

    @Test func wrongArguments() throws {
        let queue = try domain.makeQueue(requestByteCount: 128)
        for (message, buffers, flags, result) in [
            ([1], [], .wakeup, 0x0e), ([UInt8](repeating: 0, count: 113), [], [], 0x0e),
            ([], [BufferReference(descriptor: 1000)], [], 0x48),
            ([1], [], PacketFlags(rawValue: 0x8000), 0x0e),
        ] as [([UInt8], [BufferReference], PacketFlags, UInt32)] {
            let error = #expect(throws: DSPQueueError.self) {
                _ = try queue.write(message, buffers: buffers, flags: flags)
            }
            #expect(error?.result.rawValue == result)
        }
        #expect(queue.statistics == QueueStatistics())
    }

    @Test func deadlines() throws {
        let queue = try domain.makeQueue(requestByteCount: 64, responseByteCount: 64)
        let start = ContinuousClock.now
        let error = #expect(throws: DSPQueueError.self) {
            _ = try queue.read(deadline: start + .milliseconds(600))
        }
        #expect(error?.result == .expired && "\(error!)".contains("plain calls"))
        #expect(ContinuousClock.now - start >= .milliseconds(600))
        #expect(throws: DSPQueueError.self) { try queue.peek(deadline: .now - .seconds(1)) }
        while try queue.write([1, 2, 3]) {}
        let full = #expect(throws: DSPQueueError.self) {
            try queue.write([1], deadline: .now + .milliseconds(600))
        }
        #expect(full?.result == .expired)
        // The waits are over, and the DSP is told so.
        let (memory, _) = try dsp.rings(queue.exportedID)
        #expect(memory.response.readState.waitCount.load() == 0)
        #expect(memory.request.writeState.waitCount.load() == 0)
    }

    /// Both sides sleep whenever they have nothing to do, so a lost wakeup would stop it.
    @Test func blockingEcho() throws {
        let count = 5000
        let queue = try domain.makeQueue(requestByteCount: 64, responseByteCount: 64)
        try dsp.echo(queue.exportedID, count: count)
        let deadline = ContinuousClock.now + .seconds(600)
        for index in 0..<count {
            let message = [UInt8](repeating: UInt8(index & 0xff), count: index % 20)
            try queue.write(message, deadline: deadline)
            if index % 7 == 0 { #expect(try queue.peek(deadline: deadline).messageByteCount == index % 20) }
            try #require(try queue.read(deadline: deadline).message == message)
        }
        #expect(queue.statistics.readPackets == UInt64(count))
    }

    @Test func asynchronousEcho() async throws {
        let count = 2000
        let queue = try domain.makeQueue(requestByteCount: 4096, responseByteCount: 64)
        try dsp.echo(queue.exportedID, count: count)
        async let sum = { () async throws -> Int in
            var sum = 0
            for _ in 0..<count { sum += Int(try await queue.nextPacket().message[0]) }
            return sum
        }()
        for index in 0..<count {
            while try !queue.write([UInt8(index & 0xff)]) { await Task.yield() }
        }
        #expect(try await sum == (0..<count).reduce(0) { $0 + $1 & 0xff })
    }

    @Test func cancellation() async throws {
        let queue = try domain.makeQueue(requestByteCount: 64, responseByteCount: 64)
        let (memory, _) = try dsp.rings(queue.exportedID)
        for round in 0..<50 {
            let task = Task { try await queue.nextPacket() }
            if round % 2 == 0 {
                while memory.response.readState.waitCount.load() == 0 { await Task.yield() }
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            #expect(memory.response.readState.waitCount.load() == 0)
        }
        // Nothing was lost, nothing is left behind.
        var writer = QueueWriter(memory.response)
        _ = try writer.write([4])
        #expect(try await queue.nextPacket().message == [4])
    }

    @Test func closingWakesWhoWaits() async throws {
        let queue = try domain.makeQueue(requestByteCount: 64, responseByteCount: 64)
        let (memory, _) = try dsp.rings(queue.exportedID)
        let task = Task { try await queue.nextPacket() }
        while memory.response.readState.waitCount.load() == 0 { await Task.yield() }
        try domain.close(queue)
        await #expect(throws: DSPQueueError.closed) { _ = try await task.value }
    }

    /// Whoever has a queue need not know which of the two it is.
    @Test func throughTheCommonInterface() async throws {
        let made = try domain.makeQueue(requestByteCount: 64, responseByteCount: 64)
        let queue: any MessageQueue = made
        let error = await #expect(throws: DSPQueueError.self) {
            _ = try await queue.nextPacket(deadline: .now + .milliseconds(600))
        }
        #expect(error?.result == .expired && error?.description.contains("plain calls") == true)
        try dsp.echo(queue.exportedID, count: 1)
        #expect(try queue.write([7]))
        #expect(try await queue.nextPacket(deadline: .now + .seconds(3600)).message == [7])
        try queue.close()
        await #expect(throws: DSPQueueError.closed) {
            _ = try await queue.nextPacket(deadline: .now + .seconds(3600))
        }
    }

    /// A task is cancelled while its packet comes: either it has the packet, or the queue still has it.
    /// The deadline is never reached: a task may wait for a thread as long as the longest of the other tests takes.
    @Test func cancellationWithADeadlineLosesNoPacket() async throws {
        let made = try domain.makeQueue(requestByteCount: 64, responseByteCount: 64)
        let queue: any MessageQueue = made
        let (memory, _) = try dsp.rings(queue.exportedID)
        var writer = QueueWriter(memory.response)
        for round in 0..<200 {
            let task = Task { try await queue.nextPacket(deadline: .now + .seconds(3600)) }
            for _ in 0..<round % 7 { await Task.yield() }
            _ = try writer.write([UInt8(round)])
            dsp.signalHost()
            if round % 3 != 0 { for _ in 0..<round % 5 { await Task.yield() } }
            task.cancel()
            do {
                #expect(try await task.value.message == [UInt8(round)])
            } catch is CancellationError {
                #expect(try queue.read()?.message == [UInt8(round)])
            }
        }
        try queue.close()
    }
}
