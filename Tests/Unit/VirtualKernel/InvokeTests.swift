import FastRPCKernel
import Glibc
import RemoteCalls
import SharedMemory
import Testing
import VirtualChannel
import VirtualKernel

/// Calls through the emulated driver.
struct VirtualInvokeTests {
    @Test func copiesArgumentsThereAndBack() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        for count in [1, 127, 128, 129, 5000, 1 << 20, 3 << 20] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ count) }
            let (result, answer) = try fixture.echo(file, bytes)
            #expect(result == 0)
            #expect(answer == bytes)
        }
        #expect(try fixture.echo(file, []).0 == 0)
    }

    @Test func alignsCopiedArguments() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        _ = try fixture.echo(file, [1, 2, 3])
        let call = try #require(fixture.dsp.invocations.last)
        #expect(call.arguments.map(\.byteCount) == [3, 3])
        #expect(call.arguments.allSatisfy { $0.offset % 128 == 0 && !$0.isHandle && $0.memory != 0 })
        #expect(call.arguments[0].offset != call.arguments[1].offset)
    }

    /// An argument that is in and out, and ranges that overlap partly, stay so.
    @Test func overlappingArgumentsShareMemory() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        var bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        try bytes.withUnsafeMutableBytes { all in
            func part(_ range: Range<Int>) -> InvokeArgument {
                InvokeArgument(copying: UnsafeRawBufferPointer(rebasing: all[range]))
            }
            try fixture.invoke(
                file, ChannelDSP.Handle.idle, Scalars(method: 2, inBuffers: 2, outBuffers: 2),
                [part(100..<300), part(600..<700), part(100..<300), part(250..<400)])
        }
        let arguments = try #require(fixture.dsp.invocations.last).arguments
        #expect(arguments[2].offset == arguments[0].offset)
        #expect(arguments[3].offset == arguments[0].offset + 150)
        #expect(arguments[1].offset % 128 == 0)
        #expect(arguments[1].offset >= arguments[3].offset + 150)
        // What is in and out comes back as it was; what is only out and was not written, as zeros.
        #expect(Array(bytes[100..<300]) == (100..<300).map { UInt8(truncatingIfNeeded: $0) })
        #expect(bytes[300..<400].allSatisfy { $0 == 0 })
        #expect(bytes[400] == UInt8(truncatingIfNeeded: 400))
    }

    @Test func outputsThatWereNotWrittenAreZero() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        _ = try fixture.echo(file, [UInt8](repeating: 9, count: 500))
        let (result, answer) = try fixture.echo(
            file, [UInt8](repeating: 8, count: 500), handle: ChannelDSP.Handle.idle)
        #expect(result == 0)
        #expect(answer.allSatisfy { $0 == 0 })
    }

    /// The driver copies outputs back before it looks at the status.
    @Test func outputsOfAFailedCallComeBack() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        let (result, answer) = try fixture.echo(
            file, [1, 2, 3, 4], handle: ChannelDSP.Handle.failure)
        #expect(result == -2_147_482_618)
        #expect(answer == [0xab, 0xab, 0xab, 0xab])
    }

    @Test func statusIsTheResult() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        func call(_ status: UInt32) throws -> Int {
            try fixture.echo(
                file, withUnsafeBytes(of: status) { Array($0) }, handle: ChannelDSP.Handle.status
            ).0
        }
        for status: UInt32 in [0, 1, 39, 516, 0x7fff_ffff, 0x8000_0000, 0x8000_0406, 0xffff_f000] {
            #expect(try call(status) == returned(status))
        }
        #expect(OwnCaller.refusal { try call(0xffff_ffff) } == EPERM)
        #expect(OwnCaller.refusal { try call(UInt32(bitPattern: -4095)) } == 4095)
        #expect(OwnCaller.refusal { try call(0xffff_fffb) } == EIO)
    }

    @Test func passesBuffersByDescriptor() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        let (input, output) = (try fixture.allocate(10000), try fixture.allocate(10000))
        defer {
            input.unmap()
            output.unmap()
        }
        input.bytes.copyBytes(from: (0..<12288).map { UInt8(truncatingIfNeeded: $0 &* 3) })
        let arguments = [
            InvokeArgument(address: input.address + 100, length: 5000, fd: input.descriptor),
            InvokeArgument(address: output.address + 4096, length: 5000, fd: output.descriptor),
        ]
        #expect(
            try fixture.invoke(
                file, ChannelDSP.Handle.echo, Scalars(method: 2, inBuffers: 1, outBuffers: 1), arguments)
                == 0)
        #expect(output.bytes[4096..<9096].elementsEqual(input.bytes[100..<5100]))
        let call = try #require(fixture.dsp.invocations.last)
        #expect(call.arguments.map(\.offset) == [100, 4096])
        #expect(call.arguments.map(\.clientDescriptor) == [input.descriptor, output.descriptor])
        // Nobody asked for them to stay.
        #expect(fixture.dsp.wait { $0.dropCount == 2 })
    }

    /// The driver goes by where the client's mapping starts; a buffer may be mapped twice, and anew elsewhere.
    @Test func findsTheOffsetInEveryMapping() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        let buffer = try fixture.allocate(8192)
        let second = try SystemCalls.map(buffer.descriptor, 8192)
        func offset(_ address: UInt64) throws -> UInt64 {
            try fixture.invoke(
                file, ChannelDSP.Handle.idle, Scalars(method: 2, inBuffers: 1),
                [InvokeArgument(address: address, length: 10, fd: buffer.descriptor)])
            return try #require(fixture.dsp.invocations.last).arguments[0].offset
        }
        #expect(try offset(buffer.address + 5) == 5)
        #expect(try offset(UInt64(UInt(bitPattern: second)) + 4097) == 4097)
        buffer.unmap()
        // A smaller mapping, in the middle of where the first was.
        let again = mmap(
            buffer.bytes.baseAddress! + 4096, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
            buffer.descriptor, 0)
        #expect(try offset(UInt64(UInt(bitPattern: again)) + 7) == 7)
        munmap(again, 4096)
        munmap(second, 8192)
    }

    @Test func passesHandles() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        let buffer = try fixture.allocate(4096)
        defer { buffer.unmap() }
        #expect(
            try fixture.invoke(
                file, ChannelDSP.Handle.idle, Scalars(method: 2, inHandles: 1, outHandles: 1),
                [
                    InvokeArgument(address: 64, length: 100, fd: buffer.descriptor),
                    InvokeArgument(address: 0, length: 0, fd: -1),
                ]) == 0)
        let call = try #require(fixture.dsp.invocations.last)
        #expect(call.arguments.map(\.isHandle) == [true, true])
        #expect(call.arguments[0].clientDescriptor == buffer.descriptor)
        #expect(call.arguments[0].offset == 64 && call.arguments[0].byteCount == 100)
        #expect(call.arguments[0].memory != 0 && call.arguments[1].memory == 0)
    }

    @Test func refusesInTheDriversOrder() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        let scalars = Scalars(method: 2, inBuffers: 1)
        let number = FastRPCRequest.invoke.number
        #expect(OwnCaller.refusal { try file.ioctl(number, 0, fixture.caller) } == EFAULT)
        // The arguments are read first, whatever the handle.
        let unreadable = argument(InvokeCall.self) {
            $0.handle = 1
            $0.scalars = scalars.rawValue
            $0.arguments = 16
        }
        #expect(fixture.caller.refusal(file, number, unreadable) == EFAULT)
        #expect(OwnCaller.refusal { try fixture.invoke(file, 1) } == EPERM)
        #expect(try fixture.invoke(file, 2) == 0)

        let plain = try SystemCalls.memoryFile("not a dma-buf")
        defer { SystemCalls.close(plain) }
        let buffer = try fixture.allocate(4096)
        defer { buffer.unmap() }
        for (descriptor, length) in [(plain, 8), (12345, 8), (-2, 8), (buffer.descriptor, 4097)]
            as [(CInt, UInt64)]
        {
            let argument = InvokeArgument(address: buffer.address, length: length, fd: descriptor)
            #expect(
                OwnCaller.refusal { try fixture.invoke(file, ChannelDSP.Handle.echo, scalars, [argument]) }
                    == EINVAL)
        }
        // Without a length nobody looks at the descriptor; 0 stands for none.
        for argument in [
            InvokeArgument(address: 0, length: 0, fd: plain),
            InvokeArgument(address: buffer.address, length: 8, fd: 0),
        ] {
            #expect(try fixture.invoke(file, ChannelDSP.Handle.idle, scalars, [argument]) == 0)
        }
        // Beyond the end of the buffer, though the length alone would fit.
        let beyond = InvokeArgument(address: buffer.address + 1, length: 4096, fd: buffer.descriptor)
        #expect(
            OwnCaller.refusal { try fixture.invoke(file, ChannelDSP.Handle.echo, scalars, [beyond]) }
                == EINVAL)

        let outside = InvokeArgument(address: 4096, length: 10)
        #expect(
            OwnCaller.refusal { try fixture.invoke(file, ChannelDSP.Handle.idle, scalars, [outside]) }
                == EFAULT)
        let out = Scalars(method: 2, outBuffers: 1)
        #expect(
            OwnCaller.refusal { try fixture.invoke(file, ChannelDSP.Handle.idle, out, [outside]) } == EFAULT)
        let huge = InvokeArgument(address: buffer.address, length: .max)
        #expect(
            OwnCaller.refusal { try fixture.invoke(file, ChannelDSP.Handle.idle, scalars, [huge]) } == ENOMEM)
        let wrapping = InvokeArgument(address: .max - 5, length: 100)
        #expect(
            OwnCaller.refusal { try fixture.invoke(file, ChannelDSP.Handle.idle, scalars, [wrapping]) }
                == EFAULT)
        // After all that it still works.
        #expect(try fixture.echo(file, [5, 6]).1 == [5, 6])
    }

    @Test func withoutAProcessThereIsNobodyToCall() throws {
        let fixture = KernelFixture()
        let file = try fixture.open()
        defer { file.release() }
        #expect(try fixture.invoke(file, ChannelDSP.Handle.echo) == 39)
        let bad = InvokeArgument(address: 1, length: 8, fd: 12345)
        #expect(
            OwnCaller.refusal {
                try fixture.invoke(file, ChannelDSP.Handle.echo, Scalars(method: 2, inBuffers: 1), [bad])
            }
                == EINVAL)
    }

    @Test func strayAnswersAreThrownAway() throws {
        let fixture = KernelFixture()
        let file = try fixture.session()
        defer { file.release() }
        let (result, answer) = try fixture.echo(file, [1, 2, 3], handle: ChannelDSP.Handle.chatter)
        #expect(result == 0 && answer == [1, 2, 3])
        #expect(try fixture.echo(file, [4]).1 == [4])
    }
}

extension ChannelDSP {
    var invocations: [Invocation] {
        messages.compactMap { if case .invoke(_, let invocation) = $0 { invocation } else { nil } }
    }

    var dropCount: Int { messages.count { if case .drop = $0 { true } else { false } } }

    var bufferCount: Int { messages.count { if case .buffer = $0 { true } else { false } } }
}
