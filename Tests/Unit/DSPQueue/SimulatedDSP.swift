import DSPQueue
import Foundation
import RemoteCalls
import SharedMemory
import Synchronization

/// The DSP's side of a domain in threads of this process: it maps descriptors, checks what it is given,
/// and echoes packets.
final class SimulatedDSP: QueueTransport {
    /// Memory that the host mapped, through a mapping of its own.
    private final class Mapping: Sendable {
        let buffer: SharedBuffer
        init(_ descriptor: CInt, _ byteCount: Int) throws {
            buffer = try SharedBuffer(mapping: dup(descriptor), byteCount: byteCount)
        }
    }

    private struct State {
        var mappings: [CInt: Mapping] = [:]
        var process: CInt?
        var queues: [UInt64: Bool] = [:]
        var seen: UInt64 = 0
        var isCancelled = false
        var versions: [UInt32] = []
    }

    private let state = Mutex(State())
    /// Signals of the host, and to it.
    let fromHost = SignalGate()
    private let toHost = SignalGate()
    let signalCount = Mutex(0)
    let isVersion1: Bool

    init(isVersion1: Bool = false) { self.isVersion1 = isVersion1 }

    var mappingCount: Int { state.withLock { $0.mappings.count } }
    var versions: [UInt32] { state.withLock { $0.versions } }
    func setImported(_ queue: UInt64, _ isImported: Bool) {
        state.withLock { $0.queues[queue] = isImported }
    }

    func signal() {
        signalCount.withLock { $0 += 1 }
        fromHost.open()
    }

    func waitForSignal() -> Bool {
        let seen = state.withLock { $0.seen }
        _ = toHost.wait(after: seen, until: nil)
        return state.withLock { state in
            state.seen = (try? toHost.current()) ?? 0
            return !state.isCancelled
        }
    }

    func cancelWaitForSignal() {
        state.withLock { $0.isCancelled = true }
        toHost.open()
    }

    func signalHost() { toHost.open() }

    func map(descriptor: CInt, byteCount: Int) throws(RemoteCallError) {
        guard let mapping = try? Mapping(descriptor, byteCount) else {
            throw RemoteCallError(.failed, operation: "map \(descriptor)")
        }
        state.withLock { $0.mappings[descriptor] = mapping }
    }

    func unmap(descriptor: CInt, byteCount: Int) throws(RemoteCallError) {
        let mapping = state.withLock { $0.mappings.removeValue(forKey: descriptor) }
        guard mapping != nil else { throw RemoteCallError(.failed, operation: "unmap \(descriptor)") }
    }

    func initializeProcessState(descriptor: CInt) { state.withLock { $0.process = descriptor } }

    func createQueue(id: UInt32, descriptor: CInt, queueCount: UInt32) throws(RemoteCallError) -> UInt64 {
        let mapping = state.withLock { $0.mappings[descriptor] }
        guard let mapping else { throw RemoteCallError(.badParameter, operation: "create queue") }
        let version = mapping.buffer.bytes.load(as: UInt32.self)
        state.withLock { $0.versions.append(version) }
        if isVersion1 { return 99 }
        guard version == 2 else {
            throw RemoteCallError(AEEResult.unsupported.fromDSP, operation: "create queue")
        }
        guard let queue = try? QueueMemory(mapping.buffer.bytes), queue.queueCount == queueCount else {
            throw RemoteCallError(.badParameter, operation: "create queue")
        }
        state.withLock { $0.queues[UInt64(descriptor) << 8 | UInt64(id)] = false }
        return UInt64(descriptor) << 8 | UInt64(id)
    }

    func destroyQueue(_ queue: UInt64) { state.withLock { _ = $0.queues.removeValue(forKey: queue) } }

    func isImported(_ queue: UInt64) -> Bool { state.withLock { $0.queues[queue] ?? false } }

    /// Opens a queue as a program on the DSP does: reader of requests, writer of responses.
    func rings(_ queue: UInt64) throws -> (memory: QueueMemory, state: ProcessState) {
        let descriptor = CInt(queue >> 8)
        let (mapping, process) = state.withLock {
            ($0.mappings[descriptor], $0.process.flatMap($0.mappings.get))
        }
        guard let mapping, let process else { throw RemoteCallError(.badParameter, operation: "import") }
        return (try QueueMemory(mapping.buffer.bytes), ProcessState(process.buffer.bytes))
    }

    /// Echoes `count` packets in a thread of its own, sleeping while there is nothing to do.
    func echo(_ queue: UInt64, count: Int) throws {
        let (memory, state) = try rings(queue)
        let slot = Int(queue & 0xff)
        let thread = Thread { [self] in
            var reader = QueueReader(memory.request, counter: state.word(.requestSpace, queue: slot))
            var writer = QueueWriter(memory.response, counter: state.word(.responsePackets, queue: slot))
            for _ in 0..<count {
                guard let packet = receive(&reader) else { return }
                while true {
                    guard let outcome = try? writer.write(packet.message, buffers: packet.buffers) else {
                        return
                    }
                    if case .written(let signalNeeded) = outcome {
                        if signalNeeded { signalHost() }
                        break
                    }
                    sched_yield()
                }
            }
        }
        thread.start()
    }

    private func receive(_ reader: inout QueueReader) -> RawPacket? {
        reader.beginWaiting()
        defer { reader.endWaiting() }
        while true {
            guard let seen = try? fromHost.current(), let wakeups = try? reader.skipWakeups() else {
                return nil
            }
            if wakeups { signalHost() }
            if let (packet, signalNeeded) = try? reader.read() {
                if signalNeeded { signalHost() }
                return packet
            }
            guard fromHost.wait(after: seen, until: .now + .seconds(120)) else { return nil }
        }
    }
}

extension Dictionary {
    fileprivate func get(_ key: Key) -> Value? { self[key] }
}
