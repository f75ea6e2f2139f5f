import FastRPCKernel
import Glibc
import SharedMemory
import TestSupport
import Testing

@Suite struct FastRPCErrorTests {
    let recorder = RequestRecorder()

    private func invoke(_ device: borrowing FastRPCDevice) throws {
        try device.invoke(handle: 9, scalars: 0, arguments: UnsafeMutableBufferPointer(start: nil, count: 0))
    }

    /// Any result but 0 and -1 is the DSP's, whatever its sign; `errno` says nothing then.
    @Test(
        arguments: [
            (-2_147_482_618, 0x8000_0406), (-2_147_482_558, 0x8000_0442), (-2_147_482_289, 0x8000_054f),
            (Int(Int32.min), 0x8000_0000), (-4096, 0xffff_f000), (-2, 0xffff_fffe), (1, 1), (39, 39),
            (Int(Int32.max), 0x7fff_ffff),
        ] as [(Int, UInt32)])
    func anyOtherResultIsTheDSPs(result: Int, status: UInt32) throws {
        recorder.answer(.value(result), byteCount: 16)
        try recorder.withDevice { device in
            let error = failure { try invoke(device) }
            #expect(error?.cause == .dsp(status))
            #expect(error?.dspStatus == status && error?.errno == nil)
            #expect(
                error?.description.hasPrefix(
                    "cannot call handle 9 with scalars 0x0 on /dev/null (FASTRPC_IOCTL_INVOKE): the DSP "
                        + "answered 0x\(String(status, radix: 16))") == true)
        }
    }

    @Test(arguments: [EPIPE, EPERM, ENOSPC, EIO, 4095])
    func minusOneIsTheKernels(code: CInt) throws {
        recorder.answer(.failure(code), byteCount: 16)
        try recorder.withDevice { device in
            let error = failure { try invoke(device) }
            #expect(error?.cause == .errno(code))
            #expect(error?.errno == code && error?.dspStatus == nil)
            #expect(error?.description.contains("(errno \(code))") == true)
        }
    }

    /// The DSP would run the method twice.
    @Test func anInterruptedCallIsNotMadeAgain() throws {
        recorder.tracer.force("ioctl", .failure(EINTR), .value(0), .failure(EINTR), .value(0))
        try recorder.withDevice { device in
            let error = failure { try invoke(device) }
            #expect(error?.errno == EINTR && error?.advice.contains("signal") == true)
            #expect(recorder.requests.count == 1)
            try invoke(device)
            #expect(failure { _ = try device.capability(.vtcmPage) }?.errno == EINTR)
            #expect(recorder.requests.count == 3)
        }
    }

    /// A real kernel's answer of a file that is no FastRPC node.
    @Test func aFileThatIsNoNodeSaysSo() throws {
        let buffer = try MemoryFileAllocator().allocate(byteCount: 4096)
        let device = try FastRPCDevice(path: "/dev/null")
        let errors = [
            failure { try invoke(device) },
            failure { try device.attach() }, failure { try device.attachToSensors() },
            failure { try device.createProcess(shell: buffer, byteCount: 100) },
            failure { try device.createStaticProcess(name: "audiopd", memoryByteCount: 0) },
            failure { try device.allocate(byteCount: 4096).close() },
            failure { _ = try device.mapMemory(buffer) },
            failure { try device.unmapMemory(at: 0, byteCount: 0) },
            failure { _ = try device.addPages(byteCount: 4096) },
            failure { try device.removePages(at: 0, byteCount: 4096) },
            failure { _ = try device.capability(.architectureVersion) },
            failure { try device.set(.pollMode, to: 1) },
        ]
        // All requests but the one that no driver has a function for.
        #expect(errors.count == FastRPCRequest.all.count - 1)
        for error in errors {
            #expect(error?.errno == ENOTTY)
            #expect(error?.advice.contains("no FastRPC node") == true)
        }
        #expect(Set(errors.compactMap { $0?.operation }).count == errors.count)
    }

    @Test(
        arguments: [
            (EBUSY, "every session of this DSP is in use"), (EACCES, "join the group"),
            (ENOENT, "load the module fastrpc"),
        ] as [(CInt, String)])
    func anOpenThatFailsIsOneLineWithAdvice(code: CInt, words: String) throws {
        recorder.tracer.force("open", .failure(code))
        let error = SystemCalls.$tracer.withValue(recorder.tracer) {
            failure { try FastRPCDevice(opening: FastRPCNode(label: "cdsp")).close() }
        }
        #expect(error?.errno == code)
        let text = try #require(error).description
        #expect(text.hasPrefix("cannot open /dev/fastrpc-cdsp: \(String(cString: strerror(code)))"))
        #expect(text.contains(words) && !text.contains("\n"))
        #expect(recorder.tracer.calls == ["open(\"/dev/fastrpc-cdsp\")"])
    }

    @Test func refusalsComeWithAdvice() throws {
        let shell = try MemoryFileAllocator().allocate(byteCount: 4096)
        let cases: [(CInt, String, (borrowing FastRPCDevice) throws -> Void)] = [
            (EPERM, "handle 1", { device in try invoke(device) }),
            (EINVAL, "dma-buf", { device in try invoke(device) }),
            (EPIPE, "open it again", { device in try invoke(device) }),
            (ENOSPC, "256 calls", { device in try invoke(device) }),
            (ETIMEDOUT, "10 s", { device in try device.attach() }),
            (ENOTTY, "too old", { device in try device.set(.pollMode, to: 0) }),
            (EOPNOTSUPP, "chip", { device in try device.set(.pollMode, to: 1) }),
            (
                EPERM, "firmware is too old",
                { device in _ = try device.capability(.hvx128) }
            ),
            (
                ECHRNG, "domain",
                { device in _ = try device.capability(.hvx128, domain: 9) }
            ),
            (
                EINVAL, "with this size",
                { device in try device.removePages(at: 1, byteCount: 1) }
            ),
            (
                EINVAL, "by this descriptor",
                { device in try device.unmapMemory(at: 1, byteCount: 1) }
            ),
        ]
        for (code, words, body) in cases {
            recorder.tracer.force("ioctl", .failure(code))
            try recorder.withDevice { device in
                let error = failure { try body(device) }
                #expect(error?.errno == code)
                #expect(error?.advice.contains(words) == true, "\(String(describing: error))")
            }
        }
        for (answer, words) in [
            (SystemCallTracer.Answer.failure(ECONNREFUSED), "-secure"), (.failure(EBADF), "dma-buf"),
            (.failure(EINVAL), "dma-buf"), (.value(-2_147_482_602), "same release"),
        ] {
            recorder.tracer.force("ioctl", answer)
            try recorder.withDevice { device in
                let error = failure { try device.createProcess(shell: shell, byteCount: 4096) }
                #expect(error?.advice.contains(words) == true, "\(String(describing: error))")
            }
        }
    }
}

@Suite struct FastRPCNodeTests {
    @Test func namesAndPaths() {
        #expect(FastRPCNode(label: "cdsp").path == "/dev/fastrpc-cdsp")
        #expect(FastRPCNode(label: "gdsp1", isSecure: true).path == "/dev/fastrpc-gdsp1-secure")
        for name in ["fastrpc-adsp-secure", "fastrpc-cdsp1", "fastrpc-x-y"] {
            #expect(FastRPCNode(fileName: name)?.path == "/dev/\(name)")
        }
        #expect(FastRPCNode(fileName: "fastrpc-adsp-secure")?.label == "adsp")
        for name in ["", "fastrpc", "fastrpc-", "fastrpc--secure", "fastrpc-secure", "adsprpc-smd", "kvm"] {
            #expect(FastRPCNode(fileName: name) == nil, "\(name)")
        }
    }

    @Test func listsWhatIsThere() throws {
        let folder = try TemporaryFolder()
        for name in ["fastrpc-cdsp-secure", "fastrpc-cdsp", "fastrpc-adsp-secure", "null", "fastrpc-"] {
            _ = try folder.write([], to: name)
        }
        let nodes = FastRPCNode.list(directory: folder.path)
        #expect(nodes.map(\.label) == ["adsp", "cdsp", "cdsp"])
        #expect(nodes.map(\.isSecure) == [true, false, true])
        #expect(nodes.allSatisfy { access($0.path, F_OK) == 0 })
        #expect(FastRPCNode.list(directory: "/nonexistent").isEmpty)
    }

    @Test func aNodeIsOpenedForReadingAndClosed() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write([], to: "fastrpc-cdsp")
        let node = try #require(FastRPCNode.list(directory: folder.path).first)
        let tracer = SystemCallTracer()
        try SystemCalls.$tracer.withValue(tracer) {
            let device = try FastRPCDevice(opening: node)
            let descriptor = device.descriptor
            let flags = fcntl(descriptor, F_GETFL)
            #expect(flags & O_ACCMODE == O_RDONLY && flags & O_NONBLOCK != 0)
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
            device.close()
            #expect(tracer.calls.last == "close(\(descriptor))")
        }
    }

    @Test func aNodeThatIsNotThereSaysSo() {
        let error = failure {
            try FastRPCDevice(opening: FastRPCNode(label: "cdsp", directory: "/nonexistent")).close()
        }
        #expect(error?.errno == ENOENT && error?.advice.isEmpty == false)
    }
}
