import FastRPCKernel
import Glibc
import SharedMemory
import Testing
import VirtualChannel
import VirtualKernel

/// Sessions, and processes on the DSP.
struct VirtualProcessTests {
    @Test func everyOpenFileTakesASession() throws {
        let fixture = KernelFixture()
        var files = [try fixture.open(), try fixture.open("/dev/fastrpc-cdsp-secure")]
        files += [try fixture.open(), try fixture.open()]
        #expect(OwnCaller.refusal { try fixture.open() } == EBUSY)
        #expect(OwnCaller.refusal { try fixture.open("/dev/fastrpc-cdsp-secure") } == EBUSY)
        let other = try fixture.open("/dev/fastrpc-adsp-secure")
        files[1].release()
        // Once is once.
        files[1].release()
        files.append(try fixture.open())
        #expect(OwnCaller.refusal { try fixture.open() } == EBUSY)
        for file in files { file.release() }
        other.release()
    }

    @Test func tellsTheProcessAboutItself() throws {
        let fixture = KernelFixture(Scenario(.slowDSP, parameter: 25)) { $0.architecture = 0x75 }
        let file = try fixture.open()
        defer { file.release() }
        #expect(try fixture.create(file, attributes: 0x89) == 0)
        guard case .create(_, let process)? = fixture.dsp.messages.first else {
            Issue.record("no process was created")
            return
        }
        #expect(
            process
                == ProcessDescription(
                    name: "test", attributes: 0x89, domain: "cdsp", architecture: 0x75,
                    memoryLimit: 3584 << 20, scenario: "slow-dsp", parameter: 25))
    }

    @Test func closingTheNodeEndsTheProcess() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        let second = try fixture.session()
        #expect(fixture.dsp.running == 2)
        file.release()
        #expect(fixture.dsp.wait { $0.running == 1 })
        #expect(try fixture.echo(second, [1]).1 == [1])
        second.release()
        #expect(fixture.dsp.wait { $0.running == 0 })
    }

    @Test func signedProcessesNeedTheSecureNode() throws {
        let fixture = KernelFixture()
        let plain = try fixture.open()
        defer { plain.release() }
        #expect(OwnCaller.refusal { try fixture.create(plain, attributes: 0) } == ECONNREFUSED)
        // The refusal comes before any look at the shell.
        let nonsense = argument(CreateProcessArgument.self) {
            $0.fileByteCount = .max
            $0.fileDescriptor = -1
            $0.attributes = 0
            $0.signatureByteCount = 0
            $0.file = 0
        }
        let number = FastRPCRequest.createProcess.number
        #expect(fixture.caller.refusal(plain, number, nonsense) == ECONNREFUSED)
        let secure = try fixture.open("/dev/fastrpc-cdsp-secure")
        defer { secure.release() }
        #expect(try fixture.create(secure, attributes: 0) == 0)
        let audio = try fixture.open("/dev/fastrpc-adsp-secure")
        defer { audio.release() }
        #expect(
            try fixture.create(
                audio, attributes: 0, shell: fixture.shell("/usr/lib/dsp/adsp/fastrpc_shell_0"))
                == 0)
    }

    @Test func looksAtTheShell() throws {
        let fixture = KernelFixture()
        let file = try fixture.open()
        defer { file.release() }
        let number = FastRPCRequest.createProcess.number
        func result(_ byteCount: UInt32, _ descriptor: CInt, _ address: UInt64 = 0) throws -> Int {
            var request = argument(CreateProcessArgument.self) {
                $0.fileByteCount = byteCount
                $0.fileDescriptor = descriptor
                $0.attributes = 8
                $0.signatureByteCount = 0
                $0.file = address
            }
            return try fixture.caller.ioctl(file, number, &request)
        }
        #expect(OwnCaller.refusal { try file.ioctl(number, 8, fixture.caller) } == EFAULT)
        #expect(OwnCaller.refusal { try result(2 << 20 + 1, -1) } == EINVAL)
        #expect(OwnCaller.refusal { try result(4096, -1) } == EBADF)
        #expect(OwnCaller.refusal { try result(4096, 12345) } == EBADF)
        let plain = try SystemCalls.memoryFile("a file")
        defer { SystemCalls.close(plain) }
        #expect(OwnCaller.refusal { try result(4096, plain) } == EINVAL)
        let shell = try fixture.shell()
        #expect(OwnCaller.refusal { try result(UInt32(shell.bytes.count) + 1, shell.descriptor) } == EINVAL)
        // No shell at all, with or without a descriptor; 0 is none.
        #expect(try result(0, -1) == returned(0x8000_0416))
        #expect(try result(0, shell.descriptor) == returned(0x8000_0416))
        #expect(try result(4096, 0, shell.address) == returned(0x8000_054f))
        // Something that is no shell, and an address that is none.
        let other = try fixture.allocate(4096)
        defer { other.unmap() }
        #expect(try result(4096, other.descriptor, other.address) == returned(0x8000_054f))
        #expect(try result(10, shell.descriptor, shell.address) == returned(0x8000_054f))
        #expect(try result(4096, shell.descriptor, .max) == returned(0x8000_054f))
        #expect(fixture.dsp.messages.isEmpty)
        #expect(try result(UInt32(shell.bytes.count), shell.descriptor, shell.address) == 0)
        // One session has one process.
        #expect(
            try result(UInt32(shell.bytes.count), shell.descriptor, shell.address) == returned(0x8000_041a))
        shell.unmap()
    }

    @Test func aRefusedProcessIsNone() throws {
        let fixture = KernelFixture()
        let file = try fixture.open()
        defer { file.release() }
        fixture.dsp.answerCreation(0x8000_0600)
        #expect(try fixture.create(file) == returned(0x8000_0600))
        #expect(fixture.dsp.wait { $0.running == 0 })
        #expect(try fixture.invoke(file, ChannelDSP.Handle.echo) == 39)
        fixture.dsp.answerCreation(0)
        fixture.dsp.refuse(SystemError(EAGAIN))
        #expect(OwnCaller.refusal { try fixture.create(file) } == EAGAIN)
        fixture.dsp.refuse(nil)
        #expect(try fixture.create(file) == 0)
        #expect(try fixture.echo(file, [3]).1 == [3])
    }

    @Test func deathEndsCallsAndAllThatFollow() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        // A thread that waits, like a listener.
        let pending = Background { try fixture.invoke(file, ChannelDSP.Handle.silence) }
        #expect(fixture.dsp.wait { $0.invocations.count == 1 })
        #expect(try fixture.invoke(file, ChannelDSP.Handle.death) == returned(0x8000_040d))
        #expect(try pending.join() == returned(0x8000_040d))
        for _ in 0..<3 { #expect(try fixture.invoke(file, ChannelDSP.Handle.echo) == 39) }
        let buffer = try fixture.allocate(4096)
        defer { buffer.unmap() }
        var map = MapMemoryArgument(
            descriptor: buffer.descriptor, offset: 0, flags: 0, hostAddress: 0, byteCount: 4096)
        #expect(try fixture.caller.ioctl(file, FastRPCRequest.mapMemory.number, &map) == 39)
        // Others live on.
        let second = try fixture.session()
        #expect(try fixture.echo(second, [1]).1 == [1])
        second.release()
    }

    @Test func aSignalEndsTheWait() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        let waiting = OwnCaller()
        let refusal = Background {
            OwnCaller.refusal {
                try fixture.echo(file, [1, 2], handle: ChannelDSP.Handle.silence, caller: waiting)
            }
        }
        #expect(fixture.dsp.wait { $0.invocations.count == 1 })
        waiting.interrupt()
        #expect(try refusal.join() == EINTR)
        // The memory of that call is the DSP's until it ends: another call gets other memory.
        _ = try fixture.echo(file, [3, 4])
        let calls = fixture.dsp.invocations
        #expect(calls[0].arguments[0].memory != calls[1].arguments[0].memory)
    }

    @Test func attachesWithoutAShell() throws {
        let fixture = KernelFixture()
        let file = try fixture.open("/dev/fastrpc-adsp-secure")
        defer { file.release() }
        #expect(try file.ioctl(FastRPCRequest.attach.number, 0, fixture.caller) == 0)
        #expect(try file.ioctl(FastRPCRequest.attachToSensors.number, 0, fixture.caller) == 0)
        #expect(try fixture.echo(file, [1]).1 == [1])
    }

    @Test func refusesStaticProcessesAndUnknownRequests() throws {
        let fixture = KernelFixture()
        let file = try fixture.open()
        defer { file.release() }
        let number = FastRPCRequest.createStaticProcess.number
        let name = Array("audiopd\0".utf8)
        name.withUnsafeBytes { bytes in
            let address = UInt64(UInt(bitPattern: bytes.baseAddress))
            func create(_ byteCount: UInt32, _ address: UInt64) throws -> Int {
                var request = argument(CreateStaticProcessArgument.self) {
                    $0.nameByteCount = byteCount
                    $0.memoryByteCount = 1 << 20
                    $0.name = address
                }
                return try fixture.caller.ioctl(file, number, &request)
            }
            #expect(OwnCaller.refusal { try create(129, address) } == EINVAL)
            #expect(OwnCaller.refusal { try create(8, 64) } == EFAULT)
            #expect((try? create(8, address)) == returned(0x8000_0414))
        }
        for number in [FastRPCRequest.freeBuffer.number, IOControlRequest(.readWrite, "R", 14, byteCount: 8)]
        {
            #expect(OwnCaller.refusal { try file.ioctl(number, 0, fixture.caller) } == ENOTTY)
        }
    }

    @Test func setsOptions() throws {
        func refusal(_ option: UInt32, _ value: UInt32, reserved: Int32 = 0, canPoll: Bool = true) throws
            -> CInt?
        {
            let fixture = KernelFixture { $0.canPoll = canPoll }
            let file = try fixture.open()
            defer { file.release() }
            var request = argument(SetOptionArgument.self) {
                $0.option = option
                $0.value = value
            }
            request.reserved.5 = reserved
            return fixture.caller.refusal(file, FastRPCRequest.setOption.number, request)
        }
        #expect(try refusal(1, 0) == nil)
        #expect(try refusal(1, 1) == nil)
        #expect(try refusal(1, 2) == EINVAL)
        #expect(try refusal(2, 1) == EINVAL)
        #expect(try refusal(1, 1, reserved: 1) == EINVAL)
        #expect(try refusal(1, 2, canPoll: false) == EOPNOTSUPP)
    }

    @Test func answersWhatTheDSPCanDo() throws {
        let fixture = KernelFixture { $0.architecture = 0x73 }
        let file = try fixture.open()
        defer { file.release() }
        func capability(_ attribute: UInt32, domain: UInt32 = 3) throws -> UInt32 {
            var request = argument(CapabilityArgument.self) {
                $0.domain = domain
                $0.attribute = attribute
                $0.value = 0xdead
            }
            try fixture.caller.ioctl(file, FastRPCRequest.information.number, &request)
            #expect(request.domain == domain && request.attribute == attribute)
            return request.value
        }
        #expect(try capability(6) == 0x73)
        #expect(try capability(0) == 0)
        #expect(try capability(1) == 1)
        #expect(try capability(3) == 4)
        #expect(try capability(4) == 8 << 20)
        #expect(try capability(5) == 1)
        #expect(try capability(255) == 0)
        #expect(OwnCaller.refusal { try capability(256) } == EOVERFLOW)
        #expect(OwnCaller.refusal { try capability(6, domain: 1) } == ECHRNG)
        #expect(OwnCaller.refusal { try capability(300, domain: 5) } == ECHRNG)
        #expect(
            OwnCaller.refusal { try file.ioctl(FastRPCRequest.information.number, 0, fixture.caller) }
                == EFAULT)
    }

    /// A DSP that does not answer the creation of a process does not keep a file that is closed meanwhile.
    @Test func releaseEndsTheCreation() throws {
        let fixture = KernelFixture()
        fixture.dsp.ignoreCreation(true)
        let file = try fixture.open()
        let creation = Background { try? fixture.create(file) }
        #expect(fixture.dsp.wait { !$0.messages.isEmpty })
        let start = ContinuousClock.now
        file.release()
        #expect(try creation.join() != 0)
        #expect(ContinuousClock.now - start < .seconds(60))
        #expect(fixture.dsp.wait { $0.running == 0 })
    }
}
