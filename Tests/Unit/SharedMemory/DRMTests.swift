import Foundation
import SharedMemory
import Synchronization
import Testing

/// A render node of the msm driver, played by the tracer: handles are numbers, dma-bufs anonymous files.
private final class PretendedGPU: Sendable {
    let tracer = SystemCallTracer()
    let node = CInt(97)
    let name: String
    let closed = Mutex<[UInt32]>([])

    init(driver: String = "msm") {
        name = driver
        tracer.force("open", .value(Int(node)))
    }

    func nameItself() {
        tracer.force("ioctl") { [name] pointer in
            guard let pointer else { return .failure(EFAULT) }
            var version = pointer.load(as: DRM.Version.self)
            if let target = UnsafeMutableRawPointer(bitPattern: UInt(version.name)) {
                name.utf8.prefix(Int(version.nameByteCount)).enumerated().forEach {
                    target.storeBytes(of: $1, toByteOffset: $0, as: UInt8.self)
                }
            }
            version.nameByteCount = UInt64(name.utf8.count)
            pointer.storeBytes(of: version, as: DRM.Version.self)
            return .value(0)
        }
    }

    func make(handle: UInt32, byteCount: Int, caching: UInt32) {
        tracer.force("ioctl") { pointer in
            guard var request = pointer?.load(as: DRM.MSMNew.self), request.byteCount == byteCount,
                request.flags == caching
            else { return .failure(EBADMSG) }
            request.handle = handle
            pointer?.storeBytes(of: request, as: DRM.MSMNew.self)
            return .value(0)
        }
    }

    func export(handle: UInt32, as descriptor: CInt) {
        tracer.force("ioctl") { pointer in
            guard var request = pointer?.load(as: DRM.PrimeHandle.self), request.handle == handle,
                request.flags == UInt32(O_RDWR | O_CLOEXEC)
            else { return .failure(EBADMSG) }
            request.descriptor = descriptor
            pointer?.storeBytes(of: request, as: DRM.PrimeHandle.self)
            return .value(0)
        }
    }

    func importing(_ descriptor: CInt, as handle: UInt32) {
        tracer.force("ioctl") { pointer in
            guard var request = pointer?.load(as: DRM.PrimeHandle.self), request.descriptor == descriptor
            else { return .failure(EBADMSG) }
            request.handle = handle
            pointer?.storeBytes(of: request, as: DRM.PrimeHandle.self)
            return .value(0)
        }
    }

    func expectClose() {
        tracer.force("ioctl") { [self] pointer in
            guard let request = pointer?.load(as: DRM.CloseHandle.self) else { return .failure(EFAULT) }
            closed.withLock { $0.append(request.handle) }
            return .value(0)
        }
    }

    func run<Result>(_ body: () throws -> Result) rethrows -> Result {
        try SystemCalls.$tracer.withValue(tracer, operation: body)
    }
}

@Suite struct DRMTests {
    @Test func requestNumbers() {
        #expect(DRM.version.rawValue == 0xc040_6400)
        #expect(DRM.closeHandle.rawValue == 0x4008_6409)
        #expect(DRM.handleToDescriptor.rawValue == 0xc00c_642d)
        #expect(DRM.descriptorToHandle.rawValue == 0xc00c_642e)
        #expect(DRM.msmNew.rawValue == 0xc010_6442)
    }

    /// Cached memory is refused by this GPU, write-combined is not; the handle is gone at the end, the dma-buf
    /// is not.
    @Test func anAllocationIsExportedAndItsHandleClosed() throws {
        let memory = try MemoryFileAllocator().allocate(byteCount: 100)
        let descriptor = dup(memory.descriptor)
        let gpu = PretendedGPU()
        gpu.nameItself()
        gpu.tracer.force("ioctl", .failure(EINVAL))
        gpu.make(handle: 5, byteCount: memory.byteCount, caching: 0x2_0000)
        gpu.export(handle: 5, as: descriptor)
        gpu.tracer.force("mmap", answer: { _ in .value(0) })
        gpu.expectClose()
        gpu.tracer.force("close", .value(0), .value(0))
        // A forced mmap leaves no address, so the mapping fails: nothing may stay behind then.
        let error = #expect(throws: SharedMemoryError.self) {
            try gpu.run { try DRMAllocator(node: "/dev/dri/renderD128").allocate(byteCount: 100).close() }
        }
        #expect(error?.errno == ENOMEM)
        #expect(gpu.closed.withLock { $0 } == [5])
        #expect(gpu.tracer.calls.filter { $0.hasPrefix("close") } == ["close(\(descriptor))", "close(97)"])
        close(descriptor)

        let again = dup(memory.descriptor)
        let second = PretendedGPU()
        second.nameItself()
        second.make(handle: 6, byteCount: memory.byteCount, caching: 0x8_0000)
        second.export(handle: 6, as: again)
        second.expectClose()
        second.tracer.force("close", .value(0))
        try second.run {
            let buffer = try DRMAllocator(node: "/dev/dri/renderD128").allocate(byteCount: 100)
            #expect(second.closed.withLock { $0 } == [6])
            let (origin, size) = (buffer.origin, buffer.byteCount)
            #expect(origin == .drm("/dev/dri/renderD128") && size == memory.byteCount)
            buffer.bytes[3] = 9
            #expect(memory.bytes[3] == 9)
            buffer.close()
        }
        #expect(second.tracer.calls.first == "open(\"/dev/dri/renderD128\")")
        #expect(second.tracer.calls.contains("close(97)"))
        #expect(fcntl(again, F_GETFD) == -1)
    }

    /// Numbers of drivers mean something else elsewhere, so no other driver gets one.
    @Test func anotherDriverIsNotAskedForMemory() throws {
        let gpu = PretendedGPU(driver: "qda")
        gpu.nameItself()
        gpu.tracer.force("close", .value(0))
        let error = #expect(throws: SharedMemoryError.self) {
            try gpu.run { try DRMAllocator(node: "/dev/dri/renderD128").allocate(byteCount: 100).close() }
        }
        #expect(error?.errno == ENODEV && error?.advice.contains("qda") == true)
        #expect(gpu.tracer.calls.filter { $0.hasPrefix("ioctl") }.count == 1)
    }

    @Test(arguments: [(EACCES, "render"), (ENOENT, "container")])
    func aNodeThatCannotBeOpenedSaysWhatToDo(code: CInt, word: String) {
        let tracer = SystemCallTracer()
        tracer.force("open", .failure(code))
        let error = #expect(throws: SharedMemoryError.self) {
            try SystemCalls.$tracer.withValue(tracer) {
                try DRMAllocator(node: "/dev/dri/renderD128").allocate(byteCount: 1).close()
            }
        }
        #expect(error?.errno == code && error?.advice.contains(word) == true)
    }

    @Test func exhaustionIsToldFromRefusedCaching() {
        for (code, word) in [(ENOMEM, "run out"), (EINVAL, "")] {
            let gpu = PretendedGPU()
            gpu.nameItself()
            gpu.tracer.force("ioctl", .failure(code), .failure(code))
            gpu.tracer.force("close", .value(0))
            let error = #expect(throws: SharedMemoryError.self) {
                try gpu.run { try DRMAllocator(node: "/dev/dri/card").allocate(byteCount: 1).close() }
            }
            #expect(error?.errno == code && (word.isEmpty || error?.advice.contains(word) == true))
            #expect(gpu.tracer.calls.filter { $0.hasPrefix("ioctl") }.count == (code == EINVAL ? 3 : 2))
        }
    }

    @Test func theFirstNodeOfTheRightDriverIsTaken() throws {
        let other = DRMDevice(bus: .pci, renderNode: "/dev/dri/renderD128", driver: "amdgpu")
        let hidden = DRMDevice(bus: .platform, renderNode: "/dev/dri/renderD129", driver: nil)
        let right = DRMDevice(bus: .platform, renderNode: "/dev/dri/renderD130", driver: "msm")
        #expect(try DRMAllocator.node(among: [other, hidden, right]) == "/dev/dri/renderD130")
        let refused = #expect(throws: SharedMemoryError.self) {
            try DRMAllocator.node(among: [other, hidden])
        }
        #expect(refused?.errno == EACCES && refused?.advice.contains("renderD129") == true)
        let absent = #expect(throws: SharedMemoryError.self) { try DRMAllocator.node(among: [other]) }
        #expect(absent?.errno == ENODEV && absent?.advice.contains("amdgpu") == true)
        #expect(throws: SharedMemoryError.self) { try DRMAllocator.node(among: []) }
    }

    /// The kernel gives the same number for the same buffer and closes it at the first word.
    @Test func aBufferImportedTwiceIsClosedOnce() throws {
        let buffer = try MemoryFileAllocator().allocate(byteCount: 1)
        let descriptor = buffer.descriptor
        let gpu = PretendedGPU()
        for _ in 0..<2 { gpu.importing(descriptor, as: 7) }
        try gpu.run {
            let node = DRMRenderNode(borrowing: gpu.node, name: "the GPU")
            let first = try node.handle(for: buffer)
            let second = try node.handle(for: buffer)
            let (one, two) = (first.rawValue, second.rawValue)
            #expect(one == 7 && two == 7)
            first.close()
            #expect(gpu.closed.withLock { $0 } == [])
            gpu.expectClose()
            second.close()
            #expect(gpu.closed.withLock { $0 } == [7])
        }
        #expect(!gpu.tracer.calls.contains { $0.hasPrefix("close") }, "a borrowed device stays open")
    }

    @Test func whatIsNoDMABufferCannotBeImported() throws {
        let buffer = try MemoryFileAllocator().allocate(byteCount: 1)
        let gpu = PretendedGPU()
        gpu.tracer.force("ioctl", .failure(EINVAL))
        let error = #expect(throws: SharedMemoryError.self) {
            try gpu.run { try DRMRenderNode(borrowing: 97).handle(for: buffer).close() }
        }
        #expect(error?.errno == EINVAL && error?.advice == "the memory is no dma-buf")
    }
}
