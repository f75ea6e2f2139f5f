import Glibc
import SharedMemory
import Synchronization
import VirtualChannel
import VirtualKernel

/// Processes on a DSP that do what their handles say, over the real channel.
final class ChannelDSP: ProcessLauncher {
    /// What a call on a handle does.
    /// Not numbers that descriptors may have: a random request takes either for the other.
    enum Handle {
        /// Copies each in buffer to the out buffer of the same place.
        static let echo: UInt32 = 1_000_100
        /// Its status is the first word of the first in buffer.
        static let status: UInt32 = 1_000_101
        /// The process dies.
        static let death: UInt32 = 1_000_102
        /// No answer, ever.
        static let silence: UInt32 = 1_000_103
        /// Writes nothing.
        static let idle: UInt32 = 1_000_104
        /// Fills all outputs with 0xab, and fails with 0x80000406.
        static let failure: UInt32 = 1_000_105
        /// Answers, unasked for, calls that do not exist, and then its own.
        static let chatter: UInt32 = 1_000_106
    }

    private let state = Mutex(State())

    private struct State {
        var messages: [ChannelMessage] = []
        var running = 0
        var refusal: SystemError?
        var createStatus: UInt32 = 0
        var ignoresCreation = false
        var mapStatus: UInt32 = 0
    }

    /// Everything that came, of all processes.
    var messages: [ChannelMessage] { state.withLock { $0.messages.map { $0 } } }
    /// How many processes live.
    var running: Int { state.withLock { $0.running } }

    func refuse(_ error: SystemError?) { state.withLock { $0.refusal = error } }
    func answerCreation(_ status: UInt32) { state.withLock { $0.createStatus = status } }
    func ignoreCreation(_ ignores: Bool) { state.withLock { $0.ignoresCreation = ignores } }
    func answerMapping(_ status: UInt32) { state.withLock { $0.mapStatus = status } }

    /// Waits, for as long as a test may, until something holds.
    func wait(until condition: (ChannelDSP) -> Bool) -> Bool {
        for _ in 0..<5000 {
            if condition(self) { return true }
            usleep(1000)
        }
        return false
    }

    func launch() throws(SystemError) -> ChannelEndpoint {
        if let refusal = state.withLock({ $0.refusal }) { throw refusal }
        let (kernel, process) = try ChannelEndpoint.pair()
        state.withLock { $0.running += 1 }
        let thread = Unmanaged.passRetained(Run(self, process))
        var handle = pthread_t()
        pthread_create(
            &handle, nil,
            { argument in
                let run = Unmanaged<Run>.fromOpaque(argument!).takeRetainedValue()
                run.dsp.serve(run.endpoint)
                return nil
            }, thread.toOpaque())
        pthread_detach(handle)
        return kernel
    }

    private final class Run {
        let dsp: ChannelDSP
        let endpoint: ChannelEndpoint

        init(_ dsp: ChannelDSP, _ endpoint: ChannelEndpoint) { (self.dsp, self.endpoint) = (dsp, endpoint) }
    }

    private func serve(_ endpoint: ChannelEndpoint) {
        var memories: [UInt32: UnsafeMutableRawBufferPointer] = [:]
        defer {
            for memory in memories.values { munmap(memory.baseAddress, memory.count) }
            endpoint.shutDown()
            state.withLock { $0.running -= 1 }
        }
        while let (message, file) = try? endpoint.receive() {
            defer { if file >= 0 { close(file) } }
            state.withLock { $0.messages.append(message) }
            switch message {
            case .create where state.withLock({ $0.ignoresCreation }): continue
            case .create(let call, _): answer(endpoint, call, state.withLock { $0.createStatus })
            case .memory(let id, let byteCount), .buffer(let id, _, let byteCount):
                let address = mmap(
                    nil, Int(byteCount), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                memories[id] = UnsafeMutableRawBufferPointer(start: address, count: Int(byteCount))
            case .drop(let id):
                if let memory = memories.removeValue(forKey: id) { munmap(memory.baseAddress, memory.count) }
            case .map(let call, let mapping):
                let status = state.withLock { $0.mapStatus }
                answer(endpoint, call, status, value: UInt64(mapping.memory) << 20)
            case .addPages(let call, _, _): answer(endpoint, call, 0, value: 0xe000_0000)
            case .unmap(let call, _), .removePages(let call, _, _): answer(endpoint, call, 0)
            case .invoke(let call, let invocation):
                guard invocation.handle != Handle.death else { return }
                guard invocation.handle != Handle.silence else { continue }
                if invocation.handle == Handle.chatter {
                    for number in 0..<UInt64(100) { answer(endpoint, call &+ 1000 &+ number, 7) }
                }
                answer(endpoint, call, run(invocation, memories))
            case .reply: return
            }
        }
    }

    private func answer(_ endpoint: ChannelEndpoint, _ call: UInt64, _ status: UInt32, value: UInt64 = 0) {
        try? endpoint.send(.reply(call: call, status: status, value: value))
    }

    private func run(
        _ invocation: Invocation, _ memories: [UInt32: UnsafeMutableRawBufferPointer]
    ) -> UInt32 {
        let inputs = Int(invocation.scalars >> 16 & 0xff)
        let outputs = Int(invocation.scalars >> 8 & 0xff)
        let buffers = invocation.arguments.prefix(inputs + outputs).map { argument in
            guard let memory = memories[argument.memory], argument.byteCount > 0 else {
                return UnsafeMutableRawBufferPointer(start: nil, count: 0)
            }
            let start = Int(argument.offset)
            return UnsafeMutableRawBufferPointer(
                rebasing: memory[start..<(start + Int(argument.byteCount))])
        }
        switch invocation.handle {
        case Handle.status: return buffers[0].loadUnaligned(as: UInt32.self)
        case Handle.failure:
            for buffer in buffers[inputs...] { memset(buffer.baseAddress!, 0xab, buffer.count) }
            return 0x8000_0406
        case Handle.echo, Handle.chatter:
            for (from, to) in zip(buffers[..<inputs], buffers[inputs...]) where to.count > 0 {
                memmove(to.baseAddress!, from.baseAddress!, min(from.count, to.count))
            }
            return 0
        default: return 0
        }
    }
}
