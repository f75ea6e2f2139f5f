import Foundation
import SharedMemory
import Testing

@Suite struct MemoryFileTests {
    let allocator = MemoryFileAllocator()

    @Test(arguments: [1, 4095, 4096, 4097, 1_000_000])
    func sizesAreWholePages(byteCount: Int) throws {
        let page = sysconf(CInt(_SC_PAGESIZE))
        let buffer = try allocator.allocate(byteCount: byteCount)
        #expect(buffer.byteCount >= byteCount && buffer.byteCount < byteCount + page)
        #expect(buffer.byteCount % page == 0)
        #expect(UInt(bitPattern: buffer.address) % UInt(page) == 0)
        #expect(buffer.bytes.allSatisfy { $0 == 0 })
        #expect(buffer.origin == .memoryFile && !buffer.isDMABuffer)
        buffer.close()
    }

    @Test(arguments: [0, -1, Int.min, Int.max, Int.max - 1])
    func impossibleSizesAreErrors(byteCount: Int) {
        let error = #expect(throws: SharedMemoryError.self) {
            try allocator.allocate(byteCount: byteCount).close()
        }
        #expect(error?.errno == (byteCount > 0 ? EOVERFLOW : EINVAL))
    }

    @Test func moreThanTheAddressSpaceIsAnError() {
        #expect(throws: SharedMemoryError.self) { try allocator.allocate(byteCount: 1 << 60).close() }
    }

    /// What one mapping writes the other one reads, and the file cannot shrink under either.
    @Test func anotherMappingSeesTheSameBytes() throws {
        let buffer = try allocator.allocate(byteCount: 8192)
        let second = try SharedBuffer(mapping: dup(buffer.descriptor), byteCount: 8192)
        #expect(second.origin == .adopted && second.address != buffer.address)
        try buffer.withCPUAccess(.write) { $0.storeBytes(of: 0xcafe, toByteOffset: 8184, as: UInt64.self) }
        #expect(try second.withCPUAccess(.read) { $0.load(fromByteOffset: 8184, as: UInt64.self) } == 0xcafe)
        #expect(ftruncate(buffer.descriptor, 4096) == -1 && errno == EPERM)
        #expect(fcntl(buffer.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func closingReleasesTheDescriptor() throws {
        let tracer = SystemCallTracer()
        try SystemCalls.$tracer.withValue(tracer) {
            let buffer = try allocator.allocate(byteCount: 4096)
            let (descriptor, size) = (buffer.descriptor, buffer.byteCount)
            buffer.close()
            #expect(tracer.calls.suffix(2) == ["munmap(\(size))", "close(\(descriptor))"])
        }
    }

    @Test func anErrorOnTheWayClosesTheDescriptor() throws {
        for (call, code) in [("ftruncate", ENOMEM), ("fcntl", EPERM), ("mmap", ENOMEM)] {
            let tracer = SystemCallTracer()
            tracer.force("memfd_create", .value(99))
            tracer.force("close", .value(0))
            for step in ["ftruncate", "fcntl"] where step != call { tracer.force(step, .value(0)) }
            tracer.force(call, .failure(code))
            let error = #expect(throws: SharedMemoryError.self) {
                try SystemCalls.$tracer.withValue(tracer) { try allocator.allocate(byteCount: 1).close() }
            }
            #expect(error?.errno == code)
            #expect(tracer.calls.last == "close(99)")
        }
    }
}

@Suite struct AdoptedBufferTests {
    @Test func moreThanThereIsCannotBeMapped() throws {
        let buffer = try MemoryFileAllocator().allocate(byteCount: 4096)
        let descriptor = buffer.descriptor
        for byteCount in [0, -1, buffer.byteCount + 1, Int.max] {
            let error = #expect(throws: SharedMemoryError.self) {
                try SharedBuffer(mapping: descriptor, byteCount: byteCount).close()
            }
            #expect(error?.errno == EINVAL)
        }
        #expect(fcntl(descriptor, F_GETFD) != -1, "a refused descriptor stays open")
    }

    @Test func aBadDescriptorIsAnError() {
        let error = #expect(throws: SharedMemoryError.self) {
            try SharedBuffer(mapping: -1, byteCount: 4096).close()
        }
        #expect(error?.errno == EBADF)
        #expect(
            error?.description
                == "cannot map 4096 bytes of descriptor -1: Bad file descriptor (errno \(EBADF))")
    }

    @Test func aBorrowedDescriptorStaysOpen() throws {
        let buffer = try MemoryFileAllocator().allocate(byteCount: 4096)
        try SharedBuffer(mapping: buffer.descriptor, byteCount: 4096, closingDescriptor: false).close()
        #expect(fcntl(buffer.descriptor, F_GETFD) != -1)
    }
}

/// A dma-buf needs a kernel with heaps, so its place is taken by an anonymous file that the tracer calls one.
@Suite struct DMABufferTests {
    /// Numbers of `linux/dma-buf.h` and `linux/dma-heap.h`; a toolchain test compares them with the headers.
    @Test func requestNumbers() {
        #expect(DMABuffer.sync.rawValue == 0x4008_6200)
        #expect(DMAHeap.allocate.rawValue == 0xc018_4800)
    }

    private func pretend(_ tracer: SystemCallTracer) throws -> SharedBuffer {
        tracer.force("fstatfs", .value(0x444d_4142))
        return try allocate(4096, from: MemoryFileAllocator(), under: tracer)
    }

    @Test func accessIsBracketed() throws {
        let tracer = SystemCallTracer()
        let buffer = try pretend(tracer)
        let isDMABuffer = buffer.isDMABuffer
        #expect(isDMABuffer)
        let flags = FlagRecorder()
        // Interrupted once, busy once, then accepted; the end is accepted at once.
        tracer.force("ioctl", .failure(EINTR), .failure(EAGAIN))
        for _ in 0..<2 {
            tracer.force("ioctl") { pointer in
                flags.append(pointer?.load(as: UInt64.self) ?? 0)
                return .value(0)
            }
        }
        try SystemCalls.$tracer.withValue(tracer) {
            try buffer.withCPUAccess(.readWrite) { _ in flags.append(100) }
        }
        #expect(flags.values == [3, 100, 7])
        #expect(tracer.calls.filter { $0.hasPrefix("ioctl") }.count == 4)
    }

    @Test func aRefusedBeginIsAnErrorAndTheBodyDoesNotRun() throws {
        let tracer = SystemCallTracer()
        let buffer = try pretend(tracer)
        tracer.force("ioctl", .failure(EIO))
        let error = #expect(throws: SharedMemoryError.self) {
            try SystemCalls.$tracer.withValue(tracer) {
                try buffer.withCPUAccess(.read) { _ in Issue.record("the body ran") }
            }
        }
        #expect(error?.errno == EIO)
    }

    @Test func aBodyThatThrowsStillEndsTheAccess() throws {
        struct Stop: Error {}
        let tracer = SystemCallTracer()
        let buffer = try pretend(tracer)
        tracer.force("ioctl", .value(0), .value(0))
        #expect(throws: Stop.self) {
            try SystemCalls.$tracer.withValue(tracer) {
                try buffer.withCPUAccess(.read) { _ in throw Stop() }
            }
        }
        #expect(tracer.calls.filter { $0.hasPrefix("ioctl") }.count == 2)
    }

    @Test func aHeapAllocates() throws {
        let memory = try MemoryFileAllocator().allocate(byteCount: 8192)
        let descriptor = dup(memory.descriptor)
        let tracer = SystemCallTracer()
        tracer.force("open", .value(98))
        tracer.force("close", .value(0))
        tracer.force("ioctl") { pointer in
            guard let pointer, pointer.load(as: UInt64.self) == 8192,
                pointer.load(fromByteOffset: 12, as: UInt32.self) == 0x80002
            else { return .failure(EINVAL) }
            pointer.storeBytes(of: UInt32(descriptor), toByteOffset: 8, as: UInt32.self)
            return .value(0)
        }
        let page = SystemCalls.pageSize
        try #require(8192 % page == 0, "written for pages of at most 8 KiB")
        let buffer = try allocate(8192 - 1, from: DMAHeapAllocator(), under: tracer)
        #expect(buffer.descriptor == descriptor && buffer.origin == .dmaHeap("system"))
        #expect(tracer.calls.contains("open(\"/dev/dma_heap/system\")"))
        #expect(tracer.calls.contains("close(98)"))
        buffer.bytes[5] = 7
        #expect(memory.bytes[5] == 7)
    }

    @Test func aHeapThatIsNotThereSaysSo() {
        let error = #expect(throws: SharedMemoryError.self) {
            try DMAHeapAllocator(heap: "system", directory: "/nonexistent").allocate(byteCount: 1).close()
        }
        #expect(error?.errno == ENOENT)
        #expect(error?.advice.contains("CONFIG_DMABUF_HEAPS_SYSTEM") == true)
    }

    @Test(arguments: [(EACCES, "group"), (ENOMEM, "run out")])
    func refusalAndExhaustionAreToldApart(code: CInt, word: String) throws {
        let tracer = SystemCallTracer()
        if code == EACCES {
            tracer.force("open", .failure(code))
        } else {
            tracer.force("open", .value(98))
            tracer.force("close", .value(0))
            tracer.force("ioctl", .failure(code))
        }
        let error = #expect(throws: SharedMemoryError.self) {
            try SystemCalls.$tracer.withValue(tracer) {
                try DMAHeapAllocator().allocate(byteCount: 1).close()
            }
        }
        #expect(error?.errno == code)
        #expect(error?.advice.contains(word) == true)
        #expect(error.map { !"\($0)".contains("\n") } == true)
    }
}

@Suite struct DRMNodeTests {
    /// libdrm finds exactly the devices whose nodes are there; most test machines have none.
    @Test func listsWhatIsThere() throws {
        let devices = try DRMNodes.list()
        let nodes = Set(devices.flatMap { [$0.primaryNode, $0.renderNode].compactMap(\.self) })
        for node in nodes { #expect(access(node, F_OK) == 0) }
        if access("/dev/dri", F_OK) != 0 { #expect(devices.isEmpty) }
    }

    @Test func acceleratorsAreListedInOrder() throws {
        let directory = NSTemporaryDirectory() + "/hexagonrpc-accel-\(getpid())"
        try #require(mkdir(directory, 0o700) == 0)
        defer { rmdir(directory) }
        let names = ["accel1", "accel0", "other"]
        for name in names { close(open("\(directory)/\(name)", O_CREAT | O_WRONLY, 0o600)) }
        defer { for name in names { unlink("\(directory)/\(name)") } }
        #expect(
            DRMNodes.accelerators(directory: directory) == ["\(directory)/accel0", "\(directory)/accel1"])
        #expect(DRMNodes.accelerators(directory: "/nonexistent").isEmpty)
    }
}

/// Allocates under a tracer; `withValue` itself returns copyable values only.
private func allocate(
    _ byteCount: Int, from allocator: some SharedMemoryAllocator, under tracer: SystemCallTracer
) throws -> SharedBuffer {
    var buffer: SharedBuffer?
    try SystemCalls.$tracer.withValue(tracer) { buffer = try allocator.allocate(byteCount: byteCount) }
    guard let buffer = buffer.take() else { throw SystemError(ENOMEM) }
    return buffer
}

private final class FlagRecorder: @unchecked Sendable {
    var values: [UInt64] = []
    func append(_ value: UInt64) { values.append(value) }
}
