import FastRPCKernel
import Glibc
import SharedMemory
import Testing

/// What each method sends: the request's number and every byte of its argument, written out from the kernel's
/// documentation of the layout, and what it makes of what comes back.
@Suite struct FastRPCRequestTests {
    let recorder = RequestRecorder()

    @Test func invoke() throws {
        var seen: [UInt8] = []
        var arguments = [
            InvokeArgument(address: 0x1000, length: 0x2000),
            InvokeArgument(address: 0x3000, length: 0x4000, fd: 5, attributes: .secureMap),
            InvokeArgument(copying: UnsafeRawBufferPointer(start: nil, count: 0)),
            InvokeArgument(address: 8, length: 16, fd: 6),
        ]
        // 1 in, 2 out, 1 in handle, 0 out handles, method 3.
        recorder.answer(.value(0), byteCount: 16)
        try recorder.withDevice { device in
            try arguments.withUnsafeMutableBufferPointer { buffer in
                try device.invoke(handle: 0x8000_0001, scalars: 0x0301_0210, arguments: buffer)
                seen = Array(UnsafeRawBufferPointer(buffer))
                let address = UInt64(UInt(bitPattern: buffer.baseAddress))
                #expect(
                    recorder.arguments == [bytes(0x8000_0001 as UInt32, 0x0301_0210 as UInt32, address)])
            }
        }
        #expect(recorder.requests == ["0xc0105203"])
        let none: Int32 = -1
        #expect(
            seen
                == bytes(0x1000 as UInt64, 0x2000 as UInt64, none, 0 as UInt32)
                + bytes(0x3000 as UInt64, 0x4000 as UInt64, 5 as Int32, 1 as UInt32)
                + bytes(0 as UInt64, 0 as UInt64, none, 0 as UInt32)
                + bytes(8 as UInt64, 16 as UInt64, 6 as Int32, 0 as UInt32))
    }

    @Test func processes() throws {
        let shell = try MemoryFileAllocator().allocate(byteCount: 5000)
        recorder.answer(.value(0), byteCount: 24)
        let name = Recorded()
        recorder.answer(.value(0), byteCount: 16) { pointer in
            let address = UInt(pointer.load(fromByteOffset: 8, as: UInt64.self))
            name.bytes = Array(UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: 8))
        }
        recorder.answer(.value(0), byteCount: 0)
        recorder.answer(.value(0), byteCount: 0)
        let (address, descriptor) = (UInt64(UInt(bitPattern: shell.address)), shell.descriptor)
        try recorder.withDevice { device in
            try device.createProcess(
                shell: shell, byteCount: 4999, attributes: [.unsignedModule, .debug], signatureByteCount: 7)
            try device.createStaticProcess(name: "audiopd", memoryByteCount: 3 << 20)
            try device.attach()
            try device.attachToSensors()
        }
        #expect(recorder.requests == ["0xc0185205", "0xc0105209", "0x5204", "0x5208"])
        #expect(
            recorder.arguments[0]
                == bytes(4999 as UInt32, descriptor, 9 as UInt32, 7 as UInt32, address))
        #expect(recorder.arguments[1].prefix(8) == bytes(8 as UInt32, 3 << 20 as UInt32)[...])
        #expect(name.bytes == Array("audiopd".utf8) + [0])
    }

    @Test func mappings() throws {
        let buffer = try MemoryFileAllocator().allocate(byteCount: 4096)
        recorder.answer(.value(0), byteCount: 64) {
            $0.storeBytes(of: 0xd000_0000, toByteOffset: 32, as: UInt64.self)
        }
        recorder.answer(.value(0), byteCount: 64)
        recorder.answer(.value(0), byteCount: 48)
        recorder.answer(.value(0), byteCount: 32) {
            $0.storeBytes(of: 0xe000_0000, toByteOffset: 24, as: UInt64.self)
        }
        recorder.answer(.value(0), byteCount: 16)
        try recorder.withDevice { device in
            #expect(try device.mapMemory(buffer) == 0xd000_0000)
            _ = try device.mapMemory(
                descriptor: 77, byteCount: 1 << 33, as: .noHostMapping, offset: -3, hostAddress: 0xabc)
            try device.unmapMemory(at: 0xd000_0000, descriptor: 77, byteCount: 4096)
            #expect(try device.addPages(byteCount: 1 << 20) == 0xe000_0000)
            try device.removePages(at: 0xe000_0000, byteCount: 1 << 20)
        }
        #expect(
            recorder.requests == ["0xc040520a", "0xc040520a", "0xc030520b", "0xc0205206", "0xc0105207"])
        let zero: Int32 = 0
        let address = UInt64(UInt(bitPattern: buffer.address))
        let size = UInt64(buffer.byteCount)
        let rest = bytes(0 as UInt64, zero, zero, zero, zero, zero, zero)
        #expect(
            recorder.arguments[0] == bytes(zero, buffer.descriptor, zero, 2 as UInt32, address, size) + rest)
        #expect(
            recorder.arguments[1]
                == bytes(zero, 77 as Int32, -3 as Int32, 16 as UInt32, 0xabc as UInt64, 1 << 33 as UInt64)
                + rest)
        #expect(
            recorder.arguments[2]
                == bytes(
                    zero, 77 as Int32, 0xd000_0000 as UInt64, 4096 as UInt64, 0 as UInt64, 0 as UInt64,
                    0 as UInt64))
        #expect(
            recorder.arguments[3]
                == bytes(-1 as Int32, 0x1000 as UInt32, 0 as UInt64, 1 << 20 as UInt64, 0 as UInt64))
        #expect(recorder.arguments[4] == bytes(0xe000_0000 as UInt64, 1 << 20 as UInt64))
    }

    /// The driver's memory is played by an anonymous file, made without close-on-exec as the driver does.
    @Test func allocation() throws {
        let memory = try MemoryFileAllocator().allocate(byteCount: 8192)
        let descriptor = dup(memory.descriptor)
        try #require(fcntl(descriptor, F_GETFD) & FD_CLOEXEC == 0)
        let page = SystemCalls.pageSize
        try #require(8192 % page == 0, "written for pages of at most 8 KiB")
        recorder.answer(.value(0), byteCount: 16) {
            $0.storeBytes(of: descriptor, as: Int32.self)
        }
        try recorder.withDevice { device in
            let buffer = try device.allocate(byteCount: 8191)
            #expect(recorder.requests == ["0xc0105201"])
            #expect(recorder.arguments == [bytes(-1 as Int32, 0 as UInt32, 8192 as UInt64)])
            #expect(buffer.descriptor == descriptor && buffer.byteCount == 8192 && buffer.origin == .fastRPC)
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
            buffer.bytes[8191] = 7
            #expect(memory.bytes[8191] == 7)
            buffer.close()
            #expect(recorder.tracer.calls.suffix(2) == ["munmap(8192)", "close(\(descriptor))"])
        }
    }

    @Test func anAllocationThatCannotBeMappedIsClosed() throws {
        recorder.answer(.value(0), byteCount: 16) { $0.storeBytes(of: 12345, as: Int32.self) }
        recorder.tracer.force("fcntl", .value(0))
        recorder.tracer.force("mmap", .failure(ENOMEM))
        recorder.tracer.force("close", .value(0))
        try recorder.withDevice { device in
            let error = failure { try device.allocate(byteCount: 4096).close() }
            #expect(error?.errno == ENOMEM)
            #expect(recorder.tracer.calls.last == "close(12345)")
        }
    }

    @Test func anAllocatorIsADevice() throws {
        recorder.answer(.failure(ENOMEM), byteCount: 16)
        try SystemCalls.$tracer.withValue(recorder.tracer) {
            let allocator = FastRPCAllocator(owning: try FastRPCDevice(path: "/dev/null"))
            #expect(allocator.device.path == "/dev/null")
            for (byteCount, code) in [(4096, ENOMEM), (0, EINVAL), (Int.max, EINVAL)] {
                let error = #expect(throws: SharedMemoryError.self) {
                    try allocator.allocate(byteCount: byteCount).close()
                }
                #expect(error?.errno == code && error?.advice.isEmpty == false)
            }
        }
        #expect(recorder.requests.count == 1)
        #expect(recorder.tracer.calls.last?.hasPrefix("close(") == true)
    }

    @Test func options() throws {
        recorder.answer(.value(0), byteCount: 32)
        try recorder.withDevice { try $0.set(.pollMode, to: 1) }
        #expect(recorder.requests == ["0xc020520c"])
        #expect(recorder.arguments == [bytes(1 as UInt32, 1 as UInt32) + [UInt8](repeating: 0, count: 24)])
    }

    /// A kernel since July 2024 writes the whole struct back; one before wrote the answer over the domain.
    @Test(arguments: [(8, 0x8d73), (8, 0), (0, 0x8d73), (0, 0), (0, 3)] as [(Int, UInt32)])
    func capabilities(offset: Int, value: UInt32) throws {
        recorder.answer(.value(0), byteCount: 28) {
            $0.storeBytes(of: value, toByteOffset: offset, as: UInt32.self)
        }
        try recorder.withDevice { device in
            let answer = try device.capability(.architectureVersion, domain: 3)
            #expect(answer == value)
        }
        #expect(recorder.requests == ["0xc01c520d"])
        let argument = recorder.arguments[0]
        #expect(argument.prefix(8) == bytes(3 as UInt32, 6 as UInt32)[...])
        #expect(argument.suffix(16).allSatisfy { $0 == 0 })
    }

    /// Nobody asks the kernel what cannot be right.
    @Test func impossibleArgumentsAreRefused() throws {
        let shell = try MemoryFileAllocator().allocate(byteCount: 4 << 20)
        let standardInput = SharedBuffer(
            descriptor: 0, address: shell.address, byteCount: 4096, origin: .adopted
        ) { _, _, _ in }
        try recorder.withDevice { device in
            var errors: [FastRPCKernelError?] = []
            var arguments = [InvokeArgument](repeating: InvokeArgument(address: 0, length: 0), count: 4)
            for scalars in [0, 0x0201_0200, 0x0002_0300, 0x0002_0211, 0x00ff_ffff] as [UInt32] {
                arguments.withUnsafeMutableBufferPointer { buffer in
                    errors.append(
                        failure { try device.invoke(handle: 3, scalars: scalars, arguments: buffer) })
                }
            }
            for byteCount in [0, -1, Int.min, 2 << 20 + 1, 4 << 20, Int.max] {
                errors.append(failure { try device.createProcess(shell: shell, byteCount: byteCount) })
            }
            errors.append(failure { try device.createProcess(shell: standardInput, byteCount: 4096) })
            errors.append(failure { try device.createProcess(shell: standardInput, byteCount: 4097) })
            for name in ["", "a\0b", String(repeating: "x", count: 128)] {
                errors.append(failure { try device.createStaticProcess(name: name, memoryByteCount: 0) })
            }
            for byteCount in [0, -1, Int.min, Int.max] {
                errors.append(failure { try device.allocate(byteCount: byteCount).close() })
            }
            errors.append(failure { _ = try device.mapMemory(descriptor: 5, byteCount: 0) })
            errors.append(failure { _ = try device.addPages(byteCount: 0) })
            for error in errors {
                guard case .argument? = error?.cause else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
        }
        #expect(recorder.requests.isEmpty)
    }
}

private final class Recorded: @unchecked Sendable {
    var bytes: [UInt8] = []
}
