import FastRPCKernel
import Foundation
import Glibc
import HexagonRPC
import SharedMemory
import Synchronization
import TestSupport

/// Answers the driver's requests in the kernel's place, from all threads of a session: a process on a DSP whose
/// methods the test scripts. Nodes are ordinary files of a made-up folder.
final class ScriptedKernel: Sendable {
    /// One remote call as the driver got it; buffers may be read and written until it is answered.
    struct Call: @unchecked Sendable {
        let handle: UInt32
        let method: Int
        let arguments: [InvokeArgument]

        func bytes(_ index: Int) -> UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(bitPattern: UInt(arguments[index].address)),
                count: Int(arguments[index].length))
        }
        func word(_ index: Int, _ place: Int) -> UInt32 {
            bytes(index).loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self)
        }
        func set(_ index: Int, _ words: UInt32...) {
            for (place, word) in words.enumerated() {
                bytes(index).storeBytes(of: word, toByteOffset: 4 * place, as: UInt32.self)
            }
        }
    }

    /// A request of the DSP, which `next2` delivers.
    struct Request: Sendable {
        var handle: UInt32
        var scalars: UInt32
        var bytes: [UInt8]
    }

    /// What is about to be answered to the host: the request by name, calls as `handle.method`, and where its
    /// results are. A distortion may change both.
    struct Reply: @unchecked Sendable {
        let name: String
        let answer: SystemCallTracer.Answer
        let outputs: [UnsafeMutableRawBufferPointer]
    }

    /// How a DSP goes wrong.
    struct Hostility: Sendable {
        /// Changes answers before the host sees them.
        var distort: (@Sendable (Reply) -> SystemCallTracer.Answer)?
        /// Makes the DSP's requests when there are none in the queue; gets the reply to the one before.
        var source: (@Sendable (_ result: UInt32, _ reply: [UInt8]) -> Request?)?
    }

    struct State: Sendable {
        /// Answers to requests other than INVOKE, by name; otherwise 0.
        var answers: [String: SystemCallTracer.Answer] = [:]
        /// The log: requests by name, calls as `handle.method`.
        var log: [String] = []
        /// What the DSP asks the host, in order.
        var requests: [Request] = []
        /// Results and replies of the host, in order.
        var replies: [(result: UInt32, bytes: [UInt8])] = []
        /// What the next `next2` fails with.
        var listenerFailures: [SystemCallTracer.Answer] = []
        var hasExited = false
        var nextAddress: UInt64 = 0x1_0000
        var maps: [CInt: UInt64] = [:]
        var shell: [UInt8] = []
        var attributes: UInt32 = 0
        var threadName = ""
        /// The request that `next2` delivered last, for `get_in_bufs2`.
        var delivered: [UInt8] = []
    }

    let folder: TemporaryFolder
    let state = Mutex(State())
    /// Answers calls of handles other than the listener's and `exit`; nil succeeds.
    let method: @Sendable (Call) -> SystemCallTracer.Answer?
    let hostility: Hostility
    let tracer = SystemCallTracer()

    init(
        nodes: [String] = ["fastrpc-cdsp"],
        hostility: Hostility = Hostility(),
        method: @escaping @Sendable (Call) -> SystemCallTracer.Answer? = { _ in nil }
    ) throws {
        folder = try TemporaryFolder()
        self.method = method
        self.hostility = hostility
        for node in nodes { _ = try folder.write([], to: node) }
        _ = try folder.write(Array("shell".utf8), to: "shell")
        // Weak: the tracer is this object's own.
        tracer.handle("ioctl") { [weak self] arguments, pointer in
            guard let self, let pointer, let number = arguments.split(separator: " ").last else { return nil }
            return self.answer(String(number), pointer)
        }
    }

    var options: KernelTransport.Options {
        var options = KernelTransport.Options()
        options.nodeDirectory = folder.path
        options.heapDirectory = folder.path
        options.shellPath = folder.path("shell")
        options.environment = [:]
        options.endTimeout = .seconds(2)
        return options
    }

    // Arrays of the reader's own: an array that grows while another thread reads its former self is no race, but
    // ThreadSanitizer does not see the reference count that orders the two.
    var log: [String] { state.withLock { $0.log.map { $0 } } }
    var replies: [(result: UInt32, bytes: [UInt8])] { state.withLock { $0.replies.map { $0 } } }
    func answer(_ request: String, _ answer: SystemCallTracer.Answer) {
        state.withLock { $0.answers[request] = answer }
    }

    /// Runs `body` with this kernel below it.
    func run<Result>(_ body: () throws -> Result) rethrows -> Result {
        try SystemCalls.$tracer.withValue(tracer, operation: body)
    }

    func transport(_ change: (inout KernelTransport.Options) -> Void = { _ in }) -> KernelTransport {
        var options = options
        change(&options)
        return KernelTransport(options)
    }

    private static let names = [
        "0xc0105201": "ALLOC_DMA_BUFF", "0xc0185205": "INIT_CREATE", "0xc0205206": "MMAP",
        "0xc0105207": "MUNMAP", "0xc040520a": "MEM_MAP", "0xc030520b": "MEM_UNMAP",
        "0xc01c520d": "GET_DSP_INFO",
    ]

    private func answer(_ number: String, _ pointer: UnsafeMutableRawPointer) -> SystemCallTracer.Answer? {
        if number == "0xc0105203" { return invoke(pointer) }
        guard let name = Self.names[number] else { return nil }
        let forced = state.withLock { state in
            state.log.append(name)
            return state.answers[name]
        }
        if let forced { return forced }
        switch name {
        case "ALLOC_DMA_BUFF":
            guard let descriptor = try? SystemCalls.memoryFile("scripted"),
                ftruncate(descriptor, off_t(pointer.load(fromByteOffset: 8, as: UInt64.self))) == 0
            else { return .failure(ENOMEM) }
            pointer.storeBytes(of: descriptor, as: CInt.self)
            let answer = distorted(name, .value(0), [])
            // Who is told of a failure closes nothing.
            if case .value(0) = answer { return answer }
            close(descriptor)
            return answer
        case "INIT_CREATE":
            let count = Int(pointer.load(as: UInt32.self))
            let address = pointer.load(fromByteOffset: 16, as: UInt.self)
            let attributes = pointer.load(fromByteOffset: 8, as: UInt32.self)
            let shell = Array(
                UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: count))
            let name = SystemCalls.threadName
            state.withLock { state in
                state.shell = shell
                state.attributes = attributes
                state.threadName = name
            }
        case "MMAP": newAddress(at: pointer + 24)
        case "MEM_MAP":
            let descriptor = pointer.load(fromByteOffset: 4, as: CInt.self)
            let address = newAddress(at: pointer + 32)
            state.withLock { $0.maps[descriptor] = address }
        case "MEM_UNMAP":
            let descriptor = pointer.load(fromByteOffset: 4, as: CInt.self)
            let address = pointer.load(fromByteOffset: 8, as: UInt64.self)
            let isRight = state.withLock { $0.maps.removeValue(forKey: descriptor) == address }
            return isRight ? .value(0) : .failure(EINVAL)
        case "GET_DSP_INFO": pointer.storeBytes(of: 0x73, toByteOffset: 8, as: UInt32.self)
        default: break
        }
        return distorted(name, .value(0), Self.results(name, pointer))
    }

    private func distorted(
        _ name: String, _ answer: SystemCallTracer.Answer, _ outputs: [UnsafeMutableRawBufferPointer]
    ) -> SystemCallTracer.Answer {
        hostility.distort?(Reply(name: name, answer: answer, outputs: outputs)) ?? answer
    }

    /// Where the kernel writes the results of a request that are numbers.
    private static func results(
        _ name: String, _ pointer: UnsafeMutableRawPointer
    ) -> [UnsafeMutableRawBufferPointer] {
        let places = ["MMAP": 24..<32, "MEM_MAP": 32..<40, "GET_DSP_INFO": 8..<12]
        guard let place = places[name] else { return [] }
        return [UnsafeMutableRawBufferPointer(start: pointer + place.lowerBound, count: place.count)]
    }

    @discardableResult
    private func newAddress(at pointer: UnsafeMutableRawPointer) -> UInt64 {
        let address = state.withLock { state in
            state.nextAddress += 0x1000
            return state.nextAddress
        }
        pointer.storeBytes(of: address, as: UInt64.self)
        return address
    }

    private func invoke(_ pointer: UnsafeMutableRawPointer) -> SystemCallTracer.Answer {
        let handle = pointer.load(as: UInt32.self)
        let scalars = Scalars(rawValue: pointer.load(fromByteOffset: 4, as: UInt32.self))
        let address = pointer.load(fromByteOffset: 8, as: UInt.self)
        let arguments = UnsafeBufferPointer(
            start: UnsafePointer<InvokeArgument>(bitPattern: address), count: scalars.argumentCount)
        let call = Call(handle: handle, method: scalars.method, arguments: Array(arguments))
        state.withLock { $0.log.append("\(handle).\(scalars.method)") }
        let answer: SystemCallTracer.Answer
        switch (handle, scalars.method) {
        case (7, 6), (3, 4): answer = next(call)
        case (7, 7) where hostility.source != nil: answer = buffers(call)
        case (4, 2):
            state.withLock { $0.hasExited = true }
            return .value(0)
        default: answer = method(call) ?? .value(0)
        }
        let outputs = (scalars.inBuffers..<scalars.inBuffers + scalars.outBuffers).map(call.bytes)
        return distorted("\(handle).\(scalars.method)", answer, outputs)
    }

    /// `get_in_bufs2`: the rest of a request.
    private func buffers(_ call: Call) -> SystemCallTracer.Answer {
        let request = state.withLock { $0.delivered }
        call.set(1, UInt32(request.count))
        call.bytes(2).copyBytes(from: request.dropFirst(Int(call.word(0, 1))).prefix(call.bytes(2).count))
        return .value(0)
    }

    private func next(_ call: Call) -> SystemCallTracer.Answer {
        if hostility.source == nil, call.word(0, 0) != 0 {
            let reply = (result: call.word(0, 1), bytes: Array(call.bytes(1)))
            state.withLock { $0.replies.append(reply) }
        }
        while true {
            let request: Request? = state.withLock { state in
                state.requests.isEmpty ? nil : state.requests.removeFirst()
            }
            if let request = request ?? hostility.source?(call.word(0, 1), Array(call.bytes(1))) {
                if hostility.source != nil { state.withLock { $0.delivered = request.bytes } }
                call.set(2, 5, request.handle, request.scalars, UInt32(request.bytes.count))
                call.bytes(3).copyBytes(from: request.bytes.prefix(call.bytes(3).count))
                return .value(0)
            }
            let failure = state.withLock { state in
                state.listenerFailures.isEmpty ? nil : state.listenerFailures.removeFirst()
            }
            if let failure { return failure }
            if state.withLock({ $0.hasExited }) { return .value(Int(Int32(bitPattern: 0x8000_040d))) }
            usleep(500)
        }
    }

    /// Has the DSP ask the host, and waits for the reply.
    func ask(_ handle: UInt32, _ scalars: UInt32, _ bytes: [UInt8]) -> (result: UInt32, bytes: [UInt8])? {
        let count = replies.count
        state.withLock {
            $0.requests.append(Request(handle: handle, scalars: scalars, bytes: bytes))
        }
        for _ in 0..<40_000 {
            if let reply = replies.dropFirst(count).first { return reply }
            usleep(500)
        }
        return nil
    }
}
