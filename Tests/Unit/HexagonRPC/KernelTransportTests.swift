import Foundation
import Glibc
import HexagonRPC
import SharedMemory
import Synchronization
import TestSupport
import Testing

@Suite("KernelTransport", .serialized)
struct KernelTransportTests {
    private func failure(_ body: () throws -> Void) -> RemoteCallError? {
        do { try body() } catch {
            return error as? RemoteCallError
        }
        return nil
    }

    /// `open1` gives handle 77; other calls succeed.
    private static let opens: @Sendable (ScriptedKernel.Call) -> SystemCallTracer.Answer? = { call in
        if call.handle == 8, call.method == 2 { call.set(2, 77, 0) }
        return nil
    }

    @Test("Requests of a session in their order; the shell, its attributes and its name arrive")
    func order() throws {
        let kernel = try ScriptedKernel(method: Self.opens)
        try kernel.run {
            let session = try Session(kernel.transport { $0.processName = "translator" })
            #expect(try session.capability(.architectureVersion) == 0x73)
            let handle = try session.open(ModuleURI(interface: "calculator"))
            #expect(handle.rawValue == 77)
            try handle.close()
            session.close()
        }
        let log = kernel.log.filter { $0 != "7.6" }
        #expect(
            log == [
                "GET_DSP_INFO", "ALLOC_DMA_BUFF", "INIT_CREATE", "7.5", "GET_DSP_INFO", "8.2", "8.3", "4.2",
            ])
        let (shell, attributes, name) = kernel.state.withLock { ($0.shell, $0.attributes, $0.threadName) }
        #expect(shell == Array("shell".utf8))
        #expect(attributes == 8)
        #expect(name == "translator")
    }

    @Test("Shared buffers travel by descriptor, all else by copy, and none across a buffer's end")
    func packing() throws {
        let seen = Mutex<[InvokeArgument]>([])
        let kernel = try ScriptedKernel { call in
            if call.handle == 77 { seen.withLock { $0 = call.arguments } }
            return Self.opens(call)
        }
        try kernel.run {
            let session = try Session(kernel.transport())
            let handle = try session.open(ModuleURI(interface: "calculator"))
            let buffer = try session.allocator.allocate(byteCount: 8192)
            var plain: [UInt8] = [1, 2, 3]
            try plain.withUnsafeMutableBytes { plain in
                var arguments = [
                    RemoteArgument(writing: plain),
                    RemoteArgument(buffer: buffer.address + 100, count: 8092),
                    RemoteArgument(buffer: nil, count: 0),
                    RemoteArgument(descriptor: buffer.descriptor, offset: 64),
                ]
                let scalars = Scalars(method: 2, inBuffers: 2, outBuffers: 1, inHandles: 1)
                try arguments.withUnsafeMutableBufferPointer { try handle.invoke(scalars, $0) }
                let packed = seen.withLock { $0 }
                #expect(packed.map(\.fd) == [-1, buffer.descriptor, -1, buffer.descriptor])
                #expect(packed.map(\.length) == [3, 8092, 0, 8192])
                #expect(packed[1].address == UInt64(UInt(bitPattern: buffer.address + 100)))
                #expect(packed[3].address == 64)

                for (offset, count) in [(100, 8093), (-1, 2), (8191, 2)] {
                    arguments[1] = RemoteArgument(buffer: buffer.address + offset, count: count)
                    let error = self.failure {
                        try arguments.withUnsafeMutableBufferPointer { try handle.invoke(scalars, $0) }
                    }
                    #expect(error?.result == .badParameter)
                    #expect(error?.operation.contains("argument 1") == true)
                }
            }
        }
    }

    @Test("Mapping: once each, undone at the address that the kernel gave")
    func mapping() throws {
        let kernel = try ScriptedKernel(method: Self.opens)
        try kernel.run {
            let session = try Session(kernel.transport())
            let buffer = try session.allocator.allocate(byteCount: 4096)
            try session.map(buffer)
            #expect(failure { try session.map(buffer) }?.result.rawValue == 0x1a)
            try session.unmap(buffer)
            #expect(failure { try session.unmap(buffer) }?.result.rawValue == 0x48)
            try session.map(buffer)
            try session.unmap(buffer)
        }
        #expect(
            kernel.log.filter { $0.hasPrefix("MEM_") } == ["MEM_MAP", "MEM_UNMAP", "MEM_MAP", "MEM_UNMAP"])
    }

    @Test(
        "What the kernel refuses, with its remedy",
        arguments: [
            ("INIT_CREATE", SystemCallTracer.Answer.failure(ECONNREFUSED), 0x72 as UInt32, "-secure"),
            ("INIT_CREATE", .value(Int(Int32(bitPattern: 0x8000_054f))), 0x8000_054f, "different builds"),
            ("INIT_CREATE", .value(Int(Int32(bitPattern: 0x8000_0416))), 0x8000_0416, "different builds"),
            ("INIT_CREATE", .failure(EINVAL), 0x0e, "dma-buf"),
            ("INIT_CREATE", .failure(ETIMEDOUT), 0x0c, "10 s"),
            ("ALLOC_DMA_BUFF", .failure(ENOMEM), 0x02, "dma-heap"),
            ("GET_DSP_INFO", .failure(EPIPE), 104, "stopped or restarted"),
        ])
    func refusals(
        _ request: String, _ answer: SystemCallTracer.Answer, _ code: UInt32, _ word: String
    ) throws {
        let kernel = try ScriptedKernel()
        kernel.answer(request, answer)
        let error = kernel.run { failure { _ = try Session(kernel.transport()) } }
        #expect(error?.result.rawValue == code)
        #expect(error?.advice.contains(word) == true, "\(error.map { "\($0)" } ?? "no error")")
    }

    @Test("No node, a busy node, no shell")
    func nodes() throws {
        let none = try ScriptedKernel(nodes: [])
        var error = none.run { failure { _ = try Session(none.transport()) } }
        #expect(error?.result.rawValue == 0x43)
        #expect(error?.advice.contains("load the module fastrpc") == true)
        #expect(error?.operation.contains("fastrpc-cdsp") == true)

        let busy = try ScriptedKernel()
        busy.tracer.handle("open") { path, _ in path.contains("fastrpc-") ? .failure(EBUSY) : nil }
        error = busy.run { failure { _ = try Session(busy.transport()) } }
        #expect(error?.result.rawValue == 0x8a)
        #expect(error?.advice.contains("every session") == true)

        error = busy.run {
            failure {
                _ = try Session(
                    busy.transport {
                        $0.shellPath = nil
                        $0.files = HostFiles(root: busy.folder.path)
                    })
            }
        }
        #expect(error?.operation.contains("no fastrpc_shell_unsigned_3 in /usr/lib/rfsa/adsp") == true)
    }

    @Test("A module that does not load is reported with what the DSP asked for")
    func missingModule() throws {
        let holder = Mutex<ScriptedKernel?>(nil)
        let kernel = try ScriptedKernel { call in
            guard call.handle == 8, call.method == 2, let kernel = holder.withLock({ $0 }) else { return nil }
            let name = Self.text("libcalculator_skel.so")
            let interface: [[UInt8]] = [[9, 0, 0, 0, 0, 0, 0, 0], Self.text("apps_std")]
            guard let opened = kernel.ask(0, 0x0002_0200, Self.pack(interface, [8, 0])), opened.result == 0
            else { return .failure(EIO) }
            let std = UInt32(opened.bytes[8]) | UInt32(opened.bytes[9]) << 8
            let strings = [Self.text("ADSP_LIBRARY_PATH"), Self.text(";"), name, Self.text("r")]
            let lengths = strings.flatMap { string -> [UInt8] in [UInt8(string.count), 0, 0, 0] }
            let reply = kernel.ask(std, 0x1305_0100, Self.pack([lengths] + strings, [4]))
            guard reply?.result == UInt32(ENOENT) else { return .failure(EIO) }
            call.set(2, 0, 0x8000_0406)
            return nil
        }
        holder.withLock { $0 = kernel }
        defer { holder.withLock { $0 = nil } }
        try kernel.run {
            let session = try Session(kernel.transport { $0.modulePath = [kernel.folder.path("modules")] })
            let error = failure { _ = try session.open(ModuleURI(interface: "calculator")) }
            #expect(error?.result.rawValue == 0x8000_0406)
            #expect(error?.advice.contains("asked for libcalculator_skel.so") == true)
            #expect(error?.advice.contains(kernel.folder.path("modules")) == true)
        }
    }

    @Test("A lost session fails fast with the same error, and a new one works")
    func loss() throws {
        let isDead = Atomic(false)
        let kernel = try ScriptedKernel { call in
            if call.handle == 77, isDead.load(ordering: .relaxed) { return .failure(EPIPE) }
            return Self.opens(call)
        }
        try kernel.run {
            let none = UnsafeMutableBufferPointer<RemoteArgument>(start: nil, count: 0)
            let session = try Session(kernel.transport())
            let handle = try session.open(ModuleURI(interface: "calculator"))
            try handle.invoke(Scalars(method: 2), none)
            isDead.store(true, ordering: .relaxed)
            let first = failure { try handle.invoke(Scalars(method: 2), none) }
            #expect(first?.isSessionLost == true)
            let count = kernel.log.count { $0 == "77.2" }
            let second = failure { try handle.invoke(Scalars(method: 2), none) }
            #expect(second == first)
            #expect(kernel.log.count { $0 == "77.2" } == count)
            // The listener of a dead process ends as well.
            kernel.state.withLock { $0.listenerFailures = [.failure(EPIPE)] }
            try? handle.close()
            session.close()

            isDead.store(false, ordering: .relaxed)
            try kernel.transport().waitForNode(deadline: .now + .seconds(20))
            let again = try Session(kernel.transport())
            let other = try again.open(ModuleURI(interface: "calculator"))
            try other.invoke(Scalars(method: 2), none)
        }
    }

    @Test("The listener: interruption, one more try, then the end")
    func listenerErrors() throws {
        let kernel = try ScriptedKernel(method: Self.opens)
        try kernel.run {
            let session = try Session(kernel.transport())
            kernel.state.withLock { $0.listenerFailures = [.value(46), .value(0x51), .value(46)] }
            // It still serves: an unknown handle is refused.
            #expect(kernel.ask(9999, 0x0000_0000, [])?.result == 0x2c)
            kernel.state.withLock { $0.listenerFailures = [.value(0x51), .value(0x51)] }
            for _ in 0..<40_000 {
                if failure({ _ = try session.capability(.hvx128) }) != nil { break }
                usleep(500)
            }
            let error = failure { _ = try session.open(ModuleURI(interface: "calculator")) }
            #expect(error?.isSessionLost == true)
        }
    }

    @Test("Older firmware: the listener's other handle")
    func oldListener() throws {
        let kernel = try ScriptedKernel { call in
            call.handle == 7 ? .value(Int(Int32(bitPattern: 0x8000_0600))) : Self.opens(call)
        }
        try kernel.run {
            let session = try Session(kernel.transport())
            #expect(kernel.ask(9999, 0x0000_0000, [])?.result == 0x2c)
            session.close()
        }
        #expect(kernel.log.contains("3.3"))
        #expect(kernel.log.contains("3.4"))
    }

    @Test("A silent DSP does not keep the end waiting")
    func silentEnd() throws {
        let isOver = Atomic(false)
        let kernel = try ScriptedKernel(method: Self.opens)
        try kernel.run {
            let session = try Session(kernel.transport { $0.endTimeout = .milliseconds(200) })
            kernel.tracer.handle("ioctl") { _, _ in
                while !isOver.load(ordering: .relaxed) { usleep(1000) }
                return .failure(EPIPE)
            }
            let start = ContinuousClock.now
            session.close()
            #expect(ContinuousClock.now - start < .seconds(30))
            isOver.store(true, ordering: .relaxed)
            kernel.state.withLock { $0.hasExited = true }
        }
    }

    @Test("Memory for the DSP's heap comes from the kernel and goes back with its size")
    func heap() throws {
        let kernel = try ScriptedKernel(method: Self.opens)
        try kernel.run {
            let session = try Session(kernel.transport())
            let opened = try #require(
                kernel.ask(
                    0, 0x0002_0200, Self.pack([[9, 0, 0, 0, 0, 0, 0, 0], Self.text("apps_mem")], [8, 0])))
            let memory = UInt32(opened.bytes[8])
            var request = [UInt8](repeating: 0, count: 32)
            request[9] = 0x10  // flags 0x1000
            request[26] = 0x10  // 1 MiB
            let mapped = try #require(kernel.ask(memory, 0x0201_0100, Self.pack([request], [16])))
            #expect(mapped.result == 0)
            let address = Array(mapped.bytes[16..<24])
            #expect(address.contains { $0 != 0 })
            let size: [UInt8] = [0, 0, 0x10, 0, 0, 0, 0, 0]
            #expect(kernel.ask(memory, 0x0301_0000, Self.pack([address + size], []))?.result == 0)
            #expect(kernel.ask(memory, 0x0301_0000, Self.pack([address + size], []))?.result == 0x48)
            session.close()
        }
        #expect(kernel.log.filter { ["MMAP", "MUNMAP"].contains($0) } == ["MMAP", "MUNMAP"])
    }

    @Test("A module in memory as a mapped buffer, by descriptor, and back")
    func sharedFile() throws {
        let kernel = try ScriptedKernel(method: Self.opens)
        let module = (0..<5000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try kernel.run {
            let session = try Session(kernel.transport { $0.modules["libcalculator_skel.so"] = module })
            let interface: [[UInt8]] = [[9, 0, 0, 0, 0, 0, 0, 0], Self.text("apps_std")]
            let std = try #require(kernel.ask(0, 0x0002_0200, Self.pack(interface, [8, 0]))).bytes[8]
            let strings = ["ADSP_LIBRARY_PATH", ";", "libcalculator_skel.so", "r"].map(Self.text)
            let lengths = strings.flatMap { string -> [UInt8] in [UInt8(string.count), 0, 0, 0] }
            let words = [36, 0, 0, 0] + lengths
            let reply = try #require(
                kernel.ask(UInt32(std), 0x1f05_0100, Self.pack([words] + strings, [8])))
            #expect(reply.result == 0)
            try #require(reply.bytes.count == 16)
            #expect(Array(reply.bytes[12..<16]) == [0x88, 0x13, 0, 0])
            let descriptor = reply.bytes[8..<12].reversed().reduce(CInt(0)) { $0 << 8 | CInt($1) }
            #expect(kernel.state.withLock { $0.maps[descriptor] } != nil)
            do {
                let seen = try SharedBuffer(mapping: descriptor, byteCount: 5000, closingDescriptor: false)
                #expect(Array(seen.bytes) == module)
            }
            let close = Self.pack([[35, 0, 0, 0] + reply.bytes[8..<12]], [])
            #expect(kernel.ask(UInt32(std), 0x1f01_0000, close)?.result == 0)
            #expect(kernel.state.withLock { $0.maps.isEmpty })
            #expect(kernel.ask(UInt32(std), 0x1f01_0000, close)?.result == UInt32(EBADF))
            session.close()
        }
    }

    @Test("Queues: the version is offered twice, and everything is given back")
    func queues() throws {
        let isCancelled = Atomic(false)
        let offers = Atomic(0)
        let kernel = try ScriptedKernel { call in
            guard call.handle == 77 else { return Self.opens(call) }
            switch call.method {
            case 3:
                if offers.add(1, ordering: .relaxed).oldValue == 0 {
                    return .value(Int(Int32(bitPattern: 0x8000_0414)))
                }
                call.set(1, 4711, 0)
            case 6:
                while !isCancelled.load(ordering: .relaxed) { usleep(500) }
                call.set(0, .max)
            case 7: isCancelled.store(true, ordering: .relaxed)
            default: break
            }
            return nil
        }
        try kernel.run {
            let session = try Session(kernel.transport())
            let queue = try session.makeQueue()
            #expect(queue.exportedID == 4711)
            #expect(offers.load(ordering: .relaxed) == 2)
            #expect(try queue.write([1, 2, 3]))
            #expect(throws: DSPQueueError.self) { try queue.read(deadline: .now + .milliseconds(20)) }
            try queue.close()
            session.close()
            #expect(kernel.state.withLock { $0.maps.isEmpty })
        }
    }

    static func text(_ string: String) -> [UInt8] { Array(string.utf8) + [0] }

    /// Packs a reverse request.
    static func pack(_ buffers: [[UInt8]], _ capacities: [Int]) -> [UInt8] {
        var request: [UInt8] = []
        for buffer in buffers {
            request += [UInt8(buffer.count), 0, 0, 0]
            while request.count % 8 != 0 { request.append(0) }
            request += buffer
        }
        for capacity in capacities { request += [UInt8(capacity), 0, 0, 0] }
        return request
    }
}
