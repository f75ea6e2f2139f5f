import FastRPCKernel
import Glibc
import RemoteCalls
import SharedMemory
import Testing
import VirtualChannel
import VirtualKernel

/// Memory maps, pages, dma-bufs and the heap.
struct VirtualMemoryTests {
    private let fixture = KernelFixture()

    private func map(_ file: any VirtualFile, _ buffer: MappedBuffer) throws -> (Int, UInt64) {
        var request = MapMemoryArgument(
            descriptor: buffer.descriptor, offset: 12, flags: 2, hostAddress: buffer.address, byteCount: 4096)
        let result = try fixture.caller.ioctl(file, FastRPCRequest.mapMemory.number, &request)
        return (result, request.dspAddress)
    }

    private func unmap(_ file: any VirtualFile, _ address: UInt64, _ descriptor: CInt = -1) throws -> Int {
        var request = UnmapMemoryArgument(descriptor: descriptor, dspAddress: address, byteCount: 1)
        return try fixture.caller.ioctl(file, FastRPCRequest.unmapMemory.number, &request)
    }

    @Test func mapsUntilUnmapped() throws {
        let file = try fixture.session()
        defer { file.release() }
        let buffer = try fixture.allocate(4096)
        defer { buffer.unmap() }
        let (result, address) = try map(file, buffer)
        #expect(result == 0 && address != 0)
        let mapping = fixture.dsp.messages.compactMap {
            if case .map(_, let mapping) = $0 { mapping } else { nil }
        }
        #expect(mapping.map(\.offset) == [12])
        #expect(mapping.map(\.flags) == [2])
        #expect(mapping.map(\.hostAddress) == [buffer.address])
        #expect(mapping.map(\.byteCount) == [4096])

        // A call refers to it, and it stays.
        let argument = InvokeArgument(address: buffer.address, length: 16, fd: buffer.descriptor)
        for _ in 0..<3 {
            try fixture.invoke(file, ChannelDSP.Handle.idle, Scalars(method: 2, inBuffers: 1), [argument])
        }
        #expect(fixture.dsp.bufferCount == 1 && fixture.dsp.dropCount == 0)
        #expect(fixture.dsp.invocations.allSatisfy { $0.arguments[0].memory == mapping[0].memory })

        #expect(OwnCaller.refusal { try unmap(file, address + 1) } == EINVAL)
        #expect(OwnCaller.refusal { try unmap(file, address, buffer.descriptor + 1) } == EINVAL)
        #expect(try unmap(file, address, buffer.descriptor) == 0)
        #expect(fixture.dsp.wait { $0.dropCount == 1 })
        #expect(OwnCaller.refusal { try unmap(file, address) } == EINVAL)
    }

    /// The driver finds the same buffer again and counts; its address is the latest one.
    @Test func mapsTwice() throws {
        let file = try fixture.session()
        defer { file.release() }
        let buffer = try fixture.allocate(4096)
        defer { buffer.unmap() }
        let first = try map(file, buffer).1
        let second = try map(file, buffer).1
        #expect(first == second)
        #expect(fixture.dsp.bufferCount == 1)
        #expect(try unmap(file, second) == 0)
        #expect(fixture.dsp.dropCount == 0)
        #expect(try unmap(file, second) == 0)
        #expect(fixture.dsp.wait { $0.dropCount == 1 })
    }

    @Test func refusesMaps() throws {
        let file = try fixture.session()
        defer { file.release() }
        let plain = try SystemCalls.memoryFile("a file")
        defer { SystemCalls.close(plain) }
        let buffer = try fixture.allocate(4096)
        defer { buffer.unmap() }
        func refusal(_ descriptor: CInt) -> CInt? {
            let bad = MappedBuffer(descriptor: descriptor, bytes: buffer.bytes)
            return OwnCaller.refusal { try map(file, bad) }
        }
        #expect(refusal(-1) == EBADF)
        #expect(refusal(12345) == EBADF)
        #expect(refusal(plain) == EINVAL)
        #expect(
            OwnCaller.refusal { try file.ioctl(FastRPCRequest.mapMemory.number, 1, fixture.caller) } == EFAULT
        )
        fixture.dsp.answerMapping(0x8000_0402)
        #expect(try map(file, buffer).0 == returned(0x8000_0402))
        #expect(fixture.dsp.wait { $0.dropCount == 1 })
        #expect(OwnCaller.refusal { try unmap(file, 0x100) } == EINVAL)
        fixture.dsp.answerMapping(0)
        #expect(try map(file, buffer).0 == 0)
    }

    @Test func addsAndRemovesPages() throws {
        let file = try fixture.session()
        defer { file.release() }
        func add(_ flags: UInt32, _ size: UInt64, host: UInt64 = 0) throws -> UInt64 {
            var request = argument(AddPagesArgument.self) {
                $0.flags = flags
                $0.byteCount = size
            }
            request.hostAddress = host
            #expect(try fixture.caller.ioctl(file, FastRPCRequest.addPages.number, &request) == 0)
            return request.dspAddress
        }
        func remove(_ address: UInt64, _ size: UInt64) throws -> Int {
            var request = argument(RemovePagesArgument.self) {
                $0.dspAddress = address
                $0.byteCount = size
            }
            return try fixture.caller.ioctl(file, FastRPCRequest.removePages.number, &request)
        }
        #expect(OwnCaller.refusal { try add(0, 4096) } == EINVAL)
        #expect(OwnCaller.refusal { try add(0x1000, 4096, host: 1) } == EINVAL)
        #expect(OwnCaller.refusal { try add(0x1000, 0) } == ENOMEM)
        #expect(OwnCaller.refusal { try add(0x1000, .max) } == ENOMEM)
        let address = try add(0x1000, 1 << 20)
        #expect(address == 0xe000_0000)
        #expect(OwnCaller.refusal { try remove(address, 4096) } == EINVAL)
        #expect(OwnCaller.refusal { try remove(address + 1, 1 << 20) } == EINVAL)
        #expect(try remove(address, 1 << 20) == 0)
        #expect(OwnCaller.refusal { try remove(address, 1 << 20) } == EINVAL)
        #expect(try add(8, 4096) == 0xe000_0000)
    }

    @Test func allocatesFromTheNode() throws {
        let file = try fixture.open()
        defer { file.release() }
        var request = argument(AllocateArgument.self) {
            $0.flags = 77
            $0.byteCount = 5000
        }
        #expect(try fixture.caller.ioctl(file, FastRPCRequest.allocateBuffer.number, &request) == 0)
        #expect(fcntl(request.descriptor, F_GETFD) & FD_CLOEXEC == 0)
        #expect(try SystemCalls.byteCount(request.descriptor) == 5000)
        #expect(fixture.kernel.registry.file(request.descriptor)?.isDMABuffer == true)
        #expect(ftruncate(request.descriptor, 1 << 20) == -1)
        let name = try target(of: "/proc/self/fd/\(request.descriptor)")
        #expect(name.contains("dmabuf"))
        for size: UInt64 in [0, 4 << 30, .max] {
            let bad = argument(AllocateArgument.self) {
                $0.byteCount = size
            }
            #expect(fixture.caller.refusal(file, FastRPCRequest.allocateBuffer.number, bad) == ENOMEM)
        }
    }

    @Test func theHeapChecksItsArguments() throws {
        let heap = try fixture.open("/dev/dma_heap/system")
        func refusal(_ change: (inout DMAHeap.Allocation) -> Void) -> CInt? {
            var request = DMAHeap.Allocation(byteCount: 5000)
            change(&request)
            return fixture.caller.refusal(heap, DMAHeap.allocate, request)
        }
        #expect(DMAHeap.allocate.rawValue == 0xc018_4800)
        #expect(refusal { _ in } == nil)
        #expect(refusal { $0.byteCount = 0 } == EINVAL)
        #expect(refusal { $0.byteCount = .max } == EINVAL)
        #expect(refusal { $0.byteCount = 1 << 50 } == ENOMEM)
        #expect(refusal { $0.descriptor = 3 } == EINVAL)
        #expect(refusal { $0.heapFlags = 1 } == EINVAL)
        #expect(refusal { $0.descriptorFlags = UInt32(O_NONBLOCK) } == EINVAL)
        #expect(OwnCaller.refusal { try heap.ioctl(DMAHeap.allocate, 0, fixture.caller) } == EFAULT)
        #expect(
            OwnCaller.refusal { try heap.ioctl(IOControlRequest(rawValue: 0x5401), 0, fixture.caller) }
                == EINVAL)

        let buffer = try fixture.allocate(5000)
        defer { buffer.unmap() }
        #expect(buffer.bytes.count == 8192)
        #expect(fcntl(buffer.descriptor, F_GETFD) & FD_CLOEXEC != 0)
        var readOnly = DMAHeap.Allocation(byteCount: 4096)
        readOnly.descriptorFlags = UInt32(O_RDONLY)
        try fixture.caller.ioctl(heap, DMAHeap.allocate, &readOnly)
        let descriptor = CInt(readOnly.descriptor)
        #expect(OwnCaller.refusal { try SystemCalls.map(descriptor, 4096) } == EACCES)
        #expect(fixture.kernel.registry.file(descriptor)?.isDMABuffer == true)
    }

    @Test func countsCPUAccesses() throws {
        let buffer = try fixture.allocate(4096)
        defer { buffer.unmap() }
        let file = try #require(fixture.kernel.registry.file(buffer.descriptor) as? VirtualDMABufferFile)
        func sync(_ flags: UInt64) -> CInt? { fixture.caller.refusal(file, DMABuffer.sync, flags) }
        for flags: UInt64 in [1, 5, 2, 6, 3] { #expect(sync(flags) == nil) }
        for flags: UInt64 in [0, 4, 8, 9, .max] { #expect(sync(flags) == EINVAL) }
        #expect(OwnCaller.refusal { try file.ioctl(DMABuffer.sync, 0, fixture.caller) } == EFAULT)
        #expect(file.buffer.cpuAccesses == CPUAccessCounts(begins: 3, ends: 2))
        #expect(fixture.kernel.cpuAccesses == CPUAccessCounts(begins: 3, ends: 2))

        let setName = IOControlRequest(.write, "b", 1, byteCount: 8)
        func name(_ count: Int) -> CInt? {
            let text = [UInt8](repeating: 65, count: count) + [0]
            return text.withUnsafeBytes { bytes in
                OwnCaller.refusal {
                    try file.ioctl(
                        setName, UInt64(UInt(bitPattern: bytes.baseAddress)), fixture.caller)
                }
            }
        }
        #expect(name(0) == nil && name(31) == nil && name(32) == EINVAL)
        let other = IOControlRequest(.readWrite, "b", 2, byteCount: 8)
        #expect(OwnCaller.refusal { try file.ioctl(other, 0, fixture.caller) } == ENOTTY)
    }

    /// A buffer whose descriptors are all closed lives on while the DSP maps it.
    @Test func buffersOutliveTheirDescriptors() throws {
        let file = try fixture.session()
        let buffer = try fixture.allocate(4096)
        weak var kept: VirtualDMABuffer?
        do {
            let behind = try #require(
                fixture.kernel.registry.file(buffer.descriptor) as? VirtualDMABufferFile)
            kept = behind.buffer
            _ = try map(file, buffer)
            behind.release()
        }
        #expect(fixture.kernel.registry.file(buffer.descriptor) == nil)
        #expect(kept != nil)
        file.release()
        #expect(fixture.dsp.wait { _ in kept == nil })
        buffer.unmap()
    }
}

/// Where a symbolic link points to.
private func target(of path: String) throws -> String {
    var room = [UInt8](repeating: 0, count: 256)
    let count = room.withUnsafeMutableBytes { bytes in
        readlink(path, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    guard count >= 0 else { throw SystemError(errno) }
    return String(decoding: room.prefix(count), as: UTF8.self)
}
