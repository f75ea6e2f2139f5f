import FastRPCKernel
import Glibc
import RemoteCalls
import SharedMemory
import TestSupport
import Testing
import VirtualKernel

/// Whatever a client sends, it gets an answer.
struct VirtualKernelRobustnessTests {
    @Test func randomRequests() throws {
        let fixture = KernelFixture { $0.sessions = 14 }
        var generator = SeededGenerator(20)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 4096)
        defer { memory.deallocate() }
        let base = UInt64(UInt(bitPattern: memory.baseAddress))
        let buffers = try (0..<4).map { _ in try fixture.allocate(16384) }
        defer { for buffer in buffers { buffer.unmap() } }
        let plain = try SystemCalls.memoryFile("a file")
        defer { SystemCalls.close(plain) }
        let shell = try fixture.shell()
        defer { shell.unmap() }

        var sessions = [try fixture.session(), try fixture.open("/dev/fastrpc-cdsp-secure")]
        let heap = try fixture.open("/dev/dma_heap/system")
        let render = try fixture.open("/dev/dri/renderD128")
        let buffer = try #require(fixture.kernel.registry.file(buffers[0].descriptor))
        let requests: [UInt32] =
            FastRPCRequest.all.map(\.number.rawValue) + [
                DMAHeap.allocate.rawValue, DMABuffer.sync.rawValue, 0x4008_6201, 0xc040_6400, 0xc010_640c,
                0x4008_6409, 0xc00c_642d, 0xc00c_642e, 0xc010_6442, 0xc018_6443,
            ]
        let words: [UInt64] = [
            0, 1, 2, 3, 4, 8, 20, 24, UInt64(ChannelDSP.Handle.echo), 4095, 4096, 16384, 1 << 20, 2 << 20,
            0x1000, 0x1_0000_0000,
            1 << 31,
            1 << 32, 1 << 40, 1 << 63, .max, .max - 4095, base, base + 100, base + (64 << 10) - 8,
            base + (64 << 10),
            UInt64(plain), UInt64(shell.descriptor), shell.address, buffers[0].address,
            buffers[1].address + 5000,
            UInt64(buffers[0].descriptor), UInt64(buffers[1].descriptor), 0xffff_ffff, 0x0101_0000,
            0x0201_0100, 0x0204_0300, 0x02ff_ffff, 0x0200_0011, 0x1f01_0100,
        ]
        let client = OwnCaller(
            writable: [base..<base + 64 << 10, shell.address..<shell.address + UInt64(shell.bytes.count)]
                + buffers.map { $0.address..<$0.address + UInt64($0.bytes.count) })
        var answers = [0, 0]
        for round in 0..<100_000 {
            // Structs of words that mean something, in halves and wholes, or noise.
            for offset in stride(from: 0, to: 512, by: 8) {
                let word: UInt64 =
                    switch UInt8.random(in: 0..<8, using: &generator) {
                    case 0: generator.next()
                    case 1...4:
                        words.randomElement(using: &generator)! & 0xffff_ffff
                            | words.randomElement(using: &generator)! << 32
                    default: words.randomElement(using: &generator)!
                    }
                memory.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            }
            let file =
                [sessions[0], sessions[0], sessions[0], sessions[1], heap, render, buffer]
                .randomElement(using: &generator)!
            let request =
                UInt8.random(in: 0..<20, using: &generator) == 0
                ? UInt32(truncatingIfNeeded: generator.next()) : requests.randomElement(using: &generator)!
            let address =
                UInt8.random(in: 0..<20, using: &generator) == 0
                ? words.randomElement(using: &generator)! : base
            // A call with arguments that can be read, and handles that answer.
            if request == FastRPCRequest.invoke.number.rawValue, Bool.random(using: &generator) {
                memory.storeBytes(
                    of: [2, 8, ChannelDSP.Handle.idle, ChannelDSP.Handle.idle].randomElement(
                        using: &generator)!, as: UInt32.self)
                memory.storeBytes(of: base + 16, toByteOffset: 8, as: UInt64.self)
            } else if memory.load(as: UInt32.self) == ChannelDSP.Handle.silence {
                continue
            }
            do {
                _ = try file.ioctl(IOControlRequest(rawValue: request), address, client)
                answers[0] += 1
            } catch {
                #expect((1...4095).contains(error.errno))
                answers[1] += 1
            }
            client.closeGiven(fixture.kernel.registry)
            if round % 2500 == 2499 {
                #expect(try fixture.echo(sessions[0], [1, 2]).1 == [1, 2])
                for session in sessions { session.release() }
                sessions = [try fixture.session(), try fixture.open("/dev/fastrpc-cdsp-secure")]
            }
        }
        for session in sessions { session.release() }
        // The requests must not all have been refused.
        #expect(answers[0] > 500 && answers[1] > 500)
        #expect(fixture.dsp.invocations.count > 100)
    }

    @Test func manyThreads() throws {
        let fixture = KernelFixture()
        let sessions = [try fixture.session(), try fixture.session()]
        let threads = (0..<12).map { number in
            Background {
                var generator = SeededGenerator(UInt64(number))
                let file = sessions[number % 2]
                let shared = try fixture.allocate(8192)
                defer { shared.unmap() }
                for round in 0..<150 {
                    let count = Int.random(in: 1..<20000, using: &generator)
                    let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: round &+ number), count: count)
                    guard try fixture.echo(file, bytes).1 == bytes else { return false }
                    memset(shared.bytes.baseAddress!, CInt(number), 4096)
                    try fixture.invoke(
                        file, ChannelDSP.Handle.echo, Scalars(method: 2, inBuffers: 1, outBuffers: 1),
                        [
                            InvokeArgument(address: shared.address, length: 4096, fd: shared.descriptor),
                            InvokeArgument(
                                address: shared.address + 4096, length: 4096, fd: shared.descriptor),
                        ])
                    guard shared.bytes[4096...].allSatisfy({ $0 == UInt8(number) }) else { return false }
                }
                return true
            }
        }
        for thread in threads { #expect(try thread.join()) }
        for session in sessions { session.release() }
        #expect(fixture.dsp.wait { $0.running == 0 })
    }

    @Test func atMost256CallsAreUnderWay() throws {
        let fixture = KernelFixture()
        let (file, second) = (try fixture.session(), try fixture.session())
        let calls = (0..<256).map { _ in
            Background { try fixture.invoke(file, ChannelDSP.Handle.silence) }
        }
        #expect(fixture.dsp.wait { $0.invocations.count == 256 })
        #expect(OwnCaller.refusal { try fixture.invoke(second, ChannelDSP.Handle.idle) } == ENOSPC)
        file.release()
        for call in calls { #expect(try call.join() == returned(0x8000_040d)) }
        #expect(try fixture.invoke(second, ChannelDSP.Handle.idle) == 0)
        second.release()
    }

    /// Closing, dying and restarting at any moment: every call ends.
    @Test func endsInTheMiddle() throws {
        for round in 0..<30 {
            let fixture = KernelFixture(
                round % 3 == 0 ? Scenario(.subsystemRestart, parameter: 40) : Scenario(.healthy)
            ) { $0.restartDelay = .milliseconds(1) }
            let file = try fixture.session()
            let threads = (0..<4).map { number in
                Background {
                    for call in 0..<50 {
                        if round % 3 == 1, call == 20 + number {
                            _ = try? fixture.invoke(file, ChannelDSP.Handle.death)
                        }
                        _ = try? fixture.echo(file, [UInt8](repeating: 1, count: 3000))
                    }
                    return true
                }
            }
            if round % 3 == 2 {
                usleep(UInt32(200 * round))
                file.release()
            }
            for thread in threads { #expect(try thread.join()) }
            file.release()
            #expect(fixture.dsp.wait { $0.running == 0 })
        }
    }
}
