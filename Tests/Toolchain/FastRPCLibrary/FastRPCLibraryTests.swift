import FastRPCLibrary
import Foundation
import SharedMemory
import Testing

@Suite(.enabled(if: systemCompiler != nil, "needs a C compiler as cc")) struct FastRPCLibraryTests {
    let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    /// What the fixture has written down so far.
    private func log(_ library: FastRPCLibrary) throws -> String {
        let handle = try #require(dlopen(library.file, RTLD_NOW))
        defer { dlclose(handle) }
        let symbol = try #require(dlsym(handle, "fixture_log"))
        typealias Log = @convention(c) () -> UnsafePointer<CChar>
        return String(cString: unsafeBitCast(symbol, to: Log.self)())
    }

    private func load(_ path: String) throws -> FastRPCLibrary {
        try FastRPCLibrary(path: path, registry: LibraryRegistry())
    }

    @Test func everyFunctionGetsItsArguments() throws {
        let path = try FixtureLibrary.build(in: scratch, name: "calls")
        let library = try load(path)
        #expect(library.file == URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
        #expect(library.missingOptionalSymbols == [])

        var handle: UInt64 = 0
        #expect(library.open(uri: "file:///libx.so?x&_dom=cdsp", handle: &handle) == 11)
        #expect(handle == 0x1234_5678_9abc_def0)
        var word: CInt = 77
        #expect(
            library.invoke(handle: handle, scalars: 0x0202_0200, arguments: &word)
                == CInt(bitPattern: 0x8000_0406))
        #expect(library.invoke(handle: handle, scalars: 0xff00_0000, arguments: nil) < 0)
        #expect(library.close(handle: handle) == 13)
        #expect(library.control(handle: handle, request: 1, data: &word, byteCount: 4) == 14)
        #expect(library.sessionControl(request: 2, data: &word, byteCount: 8) == 15)
        #expect(try library.control(request: 3, data: &word, byteCount: 12) == 16)
        #expect(try library.systemRequest(&word) == 17)
        let address = UnsafeMutableRawPointer(bitPattern: 0x7_0000_1000)
        #expect(library.map(domain: 11, descriptor: 5, address: address, byteCount: 1 << 33, flags: 2) == 18)
        #expect(library.unmap(domain: 11, descriptor: 5, address: address, byteCount: 1 << 33) == 19)
        try library.registerBuffer(address, byteCount: 4096, descriptor: -1)
        try library.registerBuffer(address, byteCount: 1 << 33, descriptor: 6, attributes: 16)
        #expect(try library.registerDMAHandle(descriptor: 7, byteCount: 5000) == 33)
        #expect(try library.registerDMAHandle(descriptor: 7, byteCount: 5000, attributes: 16) == 34)
        try library.initializeMemory()
        try library.deinitializeMemory()
        #expect(
            try log(library) == """
                open file:///libx.so?x&_dom=cdsp;invoke 123456789abcdef0 2020200 77;\
                invoke 123456789abcdef0 ff000000 -1;close 123456789abcdef0;\
                control64 123456789abcdef0 1 77 4;session 2 77 8;control 3 77 12;system 77;\
                mmap 11 5 30064775168 0 8589934592 2;munmap 11 5 30064775168 8589934592;\
                register 30064775168 4096 -1;register2 30064775168 8589934592 6 16;dma 7 5000;\
                dma2 7 5000 16;init;deinit;
                """)
    }

    @Test func queueFunctionsGetTheirArguments() throws {
        let library = try load(FixtureLibrary.build(in: scratch, name: "queue"))
        let queues = try #require(library.queueFunctions)
        var queue: DSPQueueFunctions.Queue?
        var seen: CInt = 0
        let status = withUnsafeMutablePointer(to: &seen) { seen in
            queues.create(
                3, 0, 65_536, 16_384,
                { _, status, context in context?.storeBytes(of: status, as: CInt.self) }, nil, seen, &queue)
        }
        #expect(status == 22 && seen == 21)
        let made = try #require(queue)
        var id: UInt64 = 0
        #expect(queues.export(made, &id) == 24 && id == 1 << 40)
        #expect(queues.write(made, 1, 0, nil, 3, [1, 2, 9], 0xffff_ffff) == 25)
        #expect(queues.writeNonblocking(made, 2, 0, nil, 2, [1, 8]) == 516)
        var (flags, count, length, message) = (UInt32(0), UInt32(9), UInt32(0), UInt8(0))
        #expect(queues.read(made, &flags, 4, &count, nil, 1, &length, &message, 250) == 27)
        #expect(flags == 3 && count == 0 && length == 1 && message == 42)
        #expect(queues.readNonblocking(made, &flags, 5, &count, nil, 1, &length, &message) == 28)
        #expect(queues.peek?(made, &flags, &count, &length, 7) == 29)
        #expect(flags == 1 && count == 2 && length == 3)
        #expect(queues.peekNonblocking?(made, &flags, &count, &length) == 30 && length == 4)
        #expect(queues.writeEarlyWakeup?(made, 1000, 4) == 31)
        #expect(queues.statistic?(made, 7, &id) == 32 && id == 1 << 33)
        #expect(queues.close(made) == 23)
        #expect(
            try log(library) == """
                create 3 0 65536 16384;write 1 0 3 9 ffffffff;write_noblock 2 0 2 8;read 4 1 250;\
                read_noblock 5 1;peek 7;peek_noblock;wakeup 1000 4;stat 7;qclose 1;
                """)
    }

    @Test(arguments: FastRPCLibrary.requiredSymbols)
    func aMissingRequiredFunctionIsNamed(name: String) throws {
        // rpcmem_alloc2 shares code with rpcmem_alloc in the fixture.
        let omitted =
            name == "rpcmem_alloc" ? [name, "rpcmem_alloc2", "rpcmem_free", "rpcmem_to_fd"] : [name]
        let path = try FixtureLibrary.build(in: scratch, name: "lacking", without: omitted)
        let error = #expect(throws: FastRPCLibraryError.self) { try load(path) }
        guard case .missingSymbols(let names, let file) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(names == omitted.filter { FastRPCLibrary.requiredSymbols.contains($0) })
        #expect(file == URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
        #expect(error?.description.contains(name) == true && error?.description.contains(file) == true)
    }

    @Test func allMissingFunctionsAreListedAtOnce() throws {
        let path = try FixtureLibrary.build(
            in: scratch, name: "several", without: ["remote_handle64_close", "fastrpc_mmap", "rpcmem_init"])
        let error = #expect(throws: FastRPCLibraryError.self) { try load(path) }
        guard case .missingSymbols(let names, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(names == ["remote_handle64_close", "fastrpc_mmap"])
    }

    @Test func missingOptionalFunctionsAreListedAndThrowWhenCalled() throws {
        let missing = ["rpcmem_alloc2", "remote_handle_control", "remote_system_request", "dspqueue_read"]
        let library = try load(FixtureLibrary.build(in: scratch, name: "older", without: missing))
        #expect(Set(library.missingOptionalSymbols) == Set(missing))
        #expect(library.queueFunctions == nil)
        #expect(
            throws: FastRPCLibraryError.missingOptionalSymbol("remote_system_request", file: library.file)
        ) { try library.systemRequest(nil) }
        #expect(library.close(handle: 1) == 13)
    }

    @Test func whatIsNoLibraryIsAnErrorWithTheLoadersWords() throws {
        let text = try scratch.write(String(repeating: "just text\n", count: 100), to: "text.so")
        for (path, word) in [("\(scratch.path)/absent.so", "No such file"), (text, "ELF")] {
            let error = #expect(throws: FastRPCLibraryError.self) { try load(path) }
            guard case .cannotLoad(let attempts) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(attempts.map(\.name) == [path])
            #expect(attempts[0].reason.contains(word))
        }
    }

    @Test func aSecondLibraryIsRefusedAndTheSameIsNot() throws {
        let first = try FixtureLibrary.build(in: scratch, name: "first")
        let second = try FixtureLibrary.build(in: scratch, name: "second")
        let link = "\(scratch.path)/link.so"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: first)
        let registry = LibraryRegistry()
        let library = try FastRPCLibrary(path: first, registry: registry)
        #expect(try FastRPCLibrary(path: first, registry: registry).file == library.file)
        #expect(try FastRPCLibrary(path: link, registry: registry).file == library.file)
        if getenv(FastRPCLibrary.environmentVariable) == nil {
            #expect(try FastRPCLibrary(path: nil, registry: registry).file == library.file)
        }
        #expect(throws: FastRPCLibraryError.otherLibraryInUse(library.file, requested: second)) {
            try FastRPCLibrary(path: second, registry: registry)
        }
        #expect(dlopen(second, RTLD_NOLOAD | RTLD_LAZY) == nil, "the second was not even loaded")
    }

    /// Somebody else in the process has loaded `libadsprpc.so`, say: a file of another path and name that the
    /// loader knows by its SONAME.
    @Test func aLibraryThatSomebodyElseLoadedIsRespected() throws {
        let soname = "libhexagontest-\(UUID().uuidString).so.1"
        let other = try FixtureLibrary.build(in: scratch, name: "other", soname: soname)
        let mine = try FixtureLibrary.build(in: scratch, name: "mine")
        let registry = LibraryRegistry(names: ["libabsent.so", soname])
        let handle = try #require(dlopen(other, RTLD_NOW | RTLD_LOCAL))
        defer { dlclose(handle) }
        let file = URL(fileURLWithPath: other).resolvingSymlinksInPath().path
        let error = #expect(throws: FastRPCLibraryError.self) {
            try FastRPCLibrary(path: mine, registry: registry)
        }
        #expect(error == .otherLibraryInUse(file, requested: mine))
        #expect(dlopen(mine, RTLD_NOLOAD | RTLD_LAZY) == nil, "the second was not even loaded")
        // Without a wish, the library that is there is joined.
        if getenv(FastRPCLibrary.environmentVariable) == nil {
            #expect(try FastRPCLibrary(path: nil, registry: registry).file == file)
        }
        for domain in ["c", "a", "s", "m", "g"] {
            #expect(LibraryRegistry.names.contains("lib\(domain)dsprpc.so.1"))
            #expect(LibraryRegistry.names.contains("lib\(domain)dsprpc.so"))
        }
    }

    @Test func rpcmemBuffersAreSharedAndFreed() throws {
        let library = try load(FixtureLibrary.build(in: scratch, name: "memory"))
        let page = sysconf(Int32(_SC_PAGESIZE))
        let buffer = try RPCMemAllocator(library: library).allocate(byteCount: 100)
        let second = try SharedBuffer(mapping: dup(buffer.descriptor), byteCount: page)
        try buffer.withCPUAccess(.write) { $0[99] = 7 }
        #expect(second.bytes[99] == 7)
        let (origin, size) = (buffer.origin, buffer.byteCount)
        #expect(origin == .rpcmem && size == page)
        buffer.close()
        #expect(try log(library) == "alloc 25 1 \(page);free 1;")
    }

    @Test func largeBuffersTakeTheSecondFunction() throws {
        let library = try load(FixtureLibrary.build(in: scratch, name: "large"))
        let allocator = RPCMemAllocator(library: library, heap: .contiguous, flags: .tryMapStatic)
        try allocator.allocate(byteCount: 1 << 31).close()
        #expect(try log(library) == "alloc2 22 4000000 2147483648;free 1;")

        let failure = #expect(throws: SharedMemoryError.self) {
            try allocator.allocate(byteCount: 1 << 40).close()
        }
        #expect(failure?.description.contains("rpcmem_alloc") == true)

        let older = try load(
            FixtureLibrary.build(in: scratch, name: "large-older", without: ["rpcmem_alloc2"]))
        let error = #expect(throws: SharedMemoryError.self) {
            try RPCMemAllocator(library: older).allocate(byteCount: 1 << 31).close()
        }
        #expect(error?.errno == EFBIG)
        try RPCMemAllocator(library: older).allocate(byteCount: 1).close()
    }
}
