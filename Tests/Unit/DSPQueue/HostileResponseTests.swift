import DSPQueue
import Foundation
import RemoteCalls
import SharedMemory
import Synchronization
import TestSupport
import Testing

/// The DSP's side of a queue in the hands of somebody who wants the host to fall.
@Suite struct DSPQueueHostileResponseTests {
    private struct Counts {
        var packets = 0
        var corrupt = 0
        var expired = 0
        var queues = 0
    }

    /// 100,000 times: a response or none, a changed word of the rings, the wait counts or the process state, and
    /// a host that reads, looks, writes and waits.
    @Test func mutations() throws {
        let dsp = SimulatedDSP()
        let domain = try QueueDomain(transport: dsp, memory: MemoryFileAllocator())
        let shared = try MemoryFileAllocator().allocate(byteCount: 4096)
        try domain.buffers.add(descriptor: shared.descriptor, bytes: shared.bytes)
        var random = SeededGenerator(31)
        var counts = Counts()
        var mutations = 0
        while mutations < 100_000 {
            let queue = try domain.makeQueue(
                requestByteCount: 8 * Int.random(in: 2...40, using: &random),
                responseByteCount: 8 * Int.random(in: 2...40, using: &random))
            counts.queues += 1
            let (memory, state) = try dsp.rings(queue.exportedID)
            let slot = Int(queue.exportedID & 0xff)
            var writer = QueueWriter(memory.response, counter: state.word(.responsePackets, queue: slot))
            for _ in 0..<50 {
                let packet = DSPQueueRingTests.packet(40, &random)
                let buffers = Self.buffers(UInt32(shared.descriptor), &random)
                // What the DSP finds corrupt itself is its own affair.
                if Bool.random(using: &random) { _ = try? writer.write(packet.message, buffers: buffers) }
                mutate(memory, state, slot, &random)
                mutations += 1
                if Int.random(in: 0..<20, using: &random) == 0 { dsp.signalHost() }
                guard try use(queue, &counts, &random) else { break }
            }
            try domain.close(queue)
        }
        #expect(counts.packets > 1000 && counts.corrupt > 1000 && counts.expired > 10, "\(counts)")
        // Another queue of the same process is none the worse.
        let queue = try domain.makeQueue()
        try dsp.echo(queue.exportedID, count: 1)
        #expect(try queue.write([1, 2, 3]))
        dsp.fromHost.open()
        #expect(try queue.read(deadline: .now + .seconds(600)).message == [1, 2, 3])
        dsp.setImported(queue.exportedID, false)
        try domain.close(queue)
        try domain.close()
        #expect(dsp.mappingCount == 0)
    }

    /// References to a buffer that is there, or to none, inside it or not.
    private static func buffers(_ descriptor: UInt32, _ random: inout SeededGenerator) -> [BufferReference] {
        (0..<[0, 0, 0, 1, 2].randomElement(using: &random)!).map { _ in
            BufferReference(
                descriptor: [descriptor, descriptor, descriptor, .max, 0, 4711].randomElement(
                    using: &random)!,
                offset: [0, 0, 4095, 4096, .max].randomElement(using: &random)!,
                byteCount: [0, 1, 4096, .max].randomElement(using: &random)!,
                flags: BufferFlags(rawValue: UInt32.random(in: 0...0xff, using: &random)))
        }
    }

    private func mutate(
        _ memory: QueueMemory, _ state: ProcessState, _ slot: Int, _ random: inout SeededGenerator
    ) {
        let value = DSPQueueCorruptionTests.value(&random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0: memory.response.writeState.position.store(value)
        case 1: memory.response.readState.position.store(value)
        case 2: memory.request.readState.position.store(value)
        case 3: memory.request.writeState.position.store(value)
        case 4:
            let counters: [ProcessState.Counter] = [
                .requestPackets, .requestSpace, .responsePackets, .responseSpace,
            ]
            let other = Bool.random(using: &random) ? slot : Int.random(in: 0..<64, using: &random)
            state.word(counters.randomElement(using: &random)!, queue: other).store(value)
        case 5:
            let states = [
                memory.response.writeState, memory.response.readState, memory.request.readState,
                memory.request.writeState,
            ]
            states.randomElement(using: &random)!.waitCount.store(value)
        default:
            let place = 4 * Int.random(in: 0..<memory.response.byteCount / 4, using: &random)
            memory.response.data.storeBytes(of: value, toByteOffset: place, as: UInt32.self)
        }
    }

    /// One thing that a program does. False when the queue is known to be corrupt.
    private func use(
        _ queue: DSPQueue, _ counts: inout Counts, _ random: inout SeededGenerator
    ) throws -> Bool {
        do throws(DSPQueueError) {
            switch Int.random(in: 0..<200, using: &random) {
            case 0:
                _ = try queue.read(deadline: .now + .milliseconds(1))
                counts.packets += 1
            case 1: _ = try queue.peek(deadline: .now + .milliseconds(1))
            case 2: try queue.write([1], deadline: .now + .milliseconds(1))
            case 3: _ = try queue.writeEarlyWakeup()
            case 4..<60:
                _ = try queue.write([UInt8](repeating: 3, count: Int.random(in: 0...8, using: &random)))
            case 60..<90: _ = try queue.peek()
            default:
                guard let packet = try queue.read() else { break }
                counts.packets += 1
                // No more than a packet can have, and no buffer that is not there.
                #expect(packet.message.count <= 65_536 && packet.buffers.count <= 64)
                for buffer in packet.buffers { #expect(buffer.bytes.count <= 4096) }
            }
            return true
        } catch {
            switch error {
            case .corrupt:
                counts.corrupt += 1
                return false
            case .expired: counts.expired += 1
            default: break
            }
            return true
        }
    }
}
