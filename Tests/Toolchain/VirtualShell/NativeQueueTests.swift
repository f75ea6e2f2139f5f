import DSPQueue
import Foundation
import RemoteCalls
import SharedMemory
import TestSupport
import Testing

/// Message queues between the host's code and a module in C on the virtual DSP.
@Suite(.serialized, .enabled(if: NativeShell.canRun, NativeShell.comment))
struct NativeQueueTests {
    static func words(_ number: UInt64) -> [UInt32] {
        [UInt32(truncatingIfNeeded: number), UInt32(number >> 32)]
    }

    static func deadline(_ seconds: Int = 10) -> ContinuousClock.Instant { .now + .seconds(seconds) }

    @Test func echoesByCallbacks() throws {
        let (kernel, echo) = try NativeShell.start()
        let transport = KernelQueueTransport(kernel)
        let allocator = MemoryFileAllocator()
        let domain = try QueueDomain(transport: transport, memory: allocator)
        // Small rings, so that both sides wait for room and packets turn around the end.
        let queue = try domain.makeQueue(requestByteCount: 4096, responseByteCount: 4096)
        #expect(transport.refusedQueues == 1)
        let start = TestKernel.words(Self.words(queue.exportedID) + [1])
        #expect(kernel.invoke(echo, 0x0701_0000, [start]).status == 0)
        #expect(try transport.isImported(queue.exportedID))
        // Each once at a time.
        #expect(kernel.invoke(echo, 0x0701_0000, [start]).status == 0x8000_040d)

        let buffer = try allocator.allocate(byteCount: 4096)
        try transport.map(descriptor: buffer.descriptor, byteCount: 4096)
        try queue.buffers.add(descriptor: buffer.descriptor, bytes: buffer.bytes)
        let reference = BufferReference(
            descriptor: UInt32(bitPattern: buffer.descriptor), offset: 64, byteCount: 16)
        for round in 0..<500 {
            let message = (0..<(round * 7 % 700)).map { UInt8(truncatingIfNeeded: $0 + round) }
            let buffers = round % 5 == 0 ? [reference] : []
            try queue.write(message, buffers: buffers, deadline: Self.deadline())
            let packet = try queue.read(deadline: Self.deadline())
            #expect(packet.message == message.map { $0 &+ 1 })
            #expect(packet.buffers.count == buffers.count)
        }
        #expect(buffer.bytes[64..<80].allSatisfy { $0 == 100 })
        #expect(buffer.bytes[63] == 0 && buffer.bytes[80] == 0)

        // Many at once: the module waits for room.
        for number in 0..<20 {
            try queue.write([UInt8](repeating: UInt8(number), count: 150), deadline: Self.deadline())
        }
        for number in 0..<20 {
            #expect(try queue.read(deadline: Self.deadline()).message.first == UInt8(number) + 1)
        }
        #expect(try queue.writeEarlyWakeup(delay: 200))
        try queue.write([1], deadline: Self.deadline())
        #expect(try queue.read(deadline: Self.deadline()).message == [2])

        #expect(throws: DSPQueueError.self) { try domain.close(queue) }
        let stopped = kernel.invoke(echo, 0x0900_0100, [], [4])
        #expect(stopped.status == 0)
        #expect(stopped.word(0, 0) == 0)
        try domain.close(queue)
        try domain.close()
        #expect(kernel.close(echo) == 0)
        #expect(kernel.exit() == 0)
        #expect(kernel.ends())
    }

    @Test func echoesByBlockingReads() throws {
        let (kernel, echo) = try NativeShell.start()
        let transport = KernelQueueTransport(kernel)
        let domain = try QueueDomain(transport: transport, memory: MemoryFileAllocator())
        let queue = try domain.makeQueue()
        let start = TestKernel.words(Self.words(queue.exportedID) + [0])
        #expect(kernel.invoke(echo, 0x0701_0000, [start]).status == 0)
        // Nothing comes: the module's read gives up after 200 ms, AEE_EEXPIRED.
        #expect(kernel.invoke(echo, 0x0801_0000, [TestKernel.words([1])]).status == 0x8000_040c)
        let group = DispatchGroup()
        nonisolated(unsafe) var status: UInt32?
        group.enter()
        Thread.detachNewThread {
            status = kernel.invoke(echo, 0x0801_0000, [TestKernel.words([50])]).status
            group.leave()
        }
        for number in 0..<50 {
            try queue.write([UInt8(number), 0], deadline: Self.deadline())
            #expect(try queue.read(deadline: Self.deadline()).message == [UInt8(number) + 1, 1])
        }
        #expect(group.wait(timeout: .now() + 60) == .success)
        #expect(status == 0)
        #expect(kernel.exit() == 0)
        #expect(kernel.ends())
    }

    @Test func hangsWhereTheScenarioSaysSo() throws {
        let (kernel, echo) = try NativeShell.start(scenario: "queue-hang")
        let transport = KernelQueueTransport(kernel)
        let domain = try QueueDomain(transport: transport, memory: MemoryFileAllocator())
        let queue = try domain.makeQueue()
        let start = TestKernel.words(Self.words(queue.exportedID) + [1])
        #expect(kernel.invoke(echo, 0x0701_0000, [start]).status == 0)
        try queue.write([1], deadline: Self.deadline())
        #expect(throws: DSPQueueError.self) { try queue.read(deadline: .now + .milliseconds(100)) }
        #expect(kernel.exit() == 0)
        #expect(kernel.ends())
    }

    /// What stands in the rings is the client's: nonsense there ends the queue with an error, no more.
    @Test(arguments: 0..<24) func corruptRings(seed: Int) throws {
        let (kernel, echo) = try NativeShell.start()
        let rpc = kernel.open("file:///libdspqueue_rpc_skel.so?dspqueue_rpc_skel_handle_invoke").handle
        let state = try kernel.mapped(1024, descriptor: 500)
        let memory = try kernel.mapped(1 << 17, descriptor: 501)
        let layout = try QueueLayout(requestByteCount: 4096, responseByteCount: 4096)
        QueueMemory.format(memory.bytes, layout: layout, queueCount: 1, version: 2, flags: .waitCounts)
        #expect(kernel.invoke(rpc, 0x0201_0000, [TestKernel.words([500])]).status == 0)
        let created = kernel.invoke(rpc, 0x0301_0100, [TestKernel.words([3, 501, 1])], [8])
        #expect(created.status == 0)
        // The same place twice, another number, a buffer that is not mapped.
        for words: [UInt32] in [[3, 501, 1], [4, 501, 2], [64, 501, 1]] {
            #expect(
                kernel.invoke(rpc, 0x0301_0100, [TestKernel.words(words)], [8]).status == 0x8000_040e)
        }
        #expect(
            kernel.invoke(rpc, 0x0301_0100, [TestKernel.words([5, 502, 1])], [8]).status == 0x8000_0448)
        let start = TestKernel.words([created.word(0, 0), created.word(0, 4), 1])
        #expect(kernel.invoke(echo, 0x0701_0000, [start]).status == 0)

        var random = SeededGenerator(UInt64(seed))
        let position = UInt32(
            [8, 16, 4088, 4089, 4096, 1 << 20, UInt32.max].randomElement(using: &random) ?? 8)
        for offset in stride(from: 0, to: 4096, by: 4) {
            memory.bytes.storeBytes(
                of: UInt32.random(in: 0...UInt32.max, using: &random),
                toByteOffset: layout.request.data + offset,
                as: UInt32.self)
        }
        memory.bytes.storeBytes(of: position, toByteOffset: layout.request.writeState, as: UInt32.self)
        #expect(kernel.invoke(rpc, 0x0800_0000).status == 0)
        usleep(150_000)
        // AEE_EBADSTATE came to the error callback.
        let stopped = kernel.invoke(echo, 0x0900_0100, [], [4])
        #expect(stopped.status == 0)
        #expect(stopped.word(0, 0) == 0x0d)
        #expect(kernel.invoke(rpc, 0x0401_0000, [TestKernel.words([created.word(0, 0), 0])]).status == 0)
        kernel.free(memory)
        kernel.free(state)
        #expect(kernel.exit() == 0)
        #expect(kernel.ends())
    }
}
