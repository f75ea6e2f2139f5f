import Foundation
import Glibc
import RemoteCalls
import ReverseTunnel
import TestSupport
import Testing
import VirtualChannel
import VirtualShell

/// A process on the virtual DSP, from the kernel's side.
@Suite(.serialized) struct ShellTests {
    static let uri = HTPProgramTests.uri
    static let isBuilt = access(HTPProgramTests.skel, R_OK) == 0

    /// A process in this one, with a listener that serves `files` and counts what it is asked.
    static func start(
        scenario: String = "", parameter: Int64 = 0, memoryLimit: UInt64 = 1 << 30,
        files: [String: [UInt8]]? = nil, capacity: Int = 4096, memory: HeapPages? = nil
    ) throws -> TestKernel {
        let (end, other) = try ChannelEndpoint.pair()
        // Only a process that gets no listener has to find that out.
        let shell = Shell(other, listenerTimeout: files == nil ? .milliseconds(200) : .seconds(60))
        Thread.detachNewThread { shell.run() }
        let kernel = TestKernel(end)
        #expect(
            kernel.create(
                ProcessDescription(memoryLimit: memoryLimit, scenario: scenario, parameter: parameter)) == 0)
        if let files {
            var services: [any ReverseService] = [
                FileService(searchPath: [], domain: "cdsp", table: files)
            ]
            if let memory {
                memory.kernel = kernel
                services.append(MemoryService(memory: memory))
            }
            kernel.listen(ReverseServer(services: services), capacity: capacity)
        }
        return kernel
    }

    static func skel() throws -> [String: [UInt8]] {
        ["libhtp_skel.so": [UInt8](try Data(contentsOf: URL(fileURLWithPath: HTPProgramTests.skel)))]
    }

    /// Serves the heap's growth as the SDK does: by a call to the kernel, from within a reverse call.
    final class HeapPages: ReverseMemory, @unchecked Sendable {
        var kernel: TestKernel?
        private(set) var requests: [ReverseMapRequest] = []

        func map(_ request: ReverseMapRequest) throws(RemoteCallError) -> ReverseMapping {
            requests.append(request)
            let answer = kernel?.call {
                .addPages(call: $0, byteCount: UInt64(request.length), flags: request.flags)
            }
            guard let answer, answer.status == 0 else {
                throw RemoteCallError(.noMemory, operation: "pages")
            }
            return ReverseMapping(hostAddress: 0, dspAddress: answer.value)
        }
    }

    @Test(.enabled(if: isBuilt, "libhtp_skel.so is not beside the tests"), arguments: [0, 24, 1 << 16])
    func loadsThroughListenersOfAnyCapacity(capacity: Int) throws {
        let pages = HeapPages()
        let kernel = try Self.start(files: try Self.skel(), capacity: capacity, memory: pages)
        let first = kernel.open(Self.uri)
        #expect(first.status == 0, "\(first.words)")
        // Opened twice, loaded once; each has its own handle.
        let second = kernel.open(Self.uri)
        #expect(second.status == 0)
        #expect(first.handle != second.handle)
        #expect(pages.requests.count == 1)
        #expect(pages.requests.first?.flags == 0x1000)
        #expect(kernel.close(first.handle) == 0)
        #expect(kernel.invoke(first.handle, 0x0400_0100, [], [24]).status == 0x8000_042c)
        #expect(kernel.invoke(second.handle, 0x0400_0100, [], [24]).status == 0)
        #expect(kernel.close(first.handle) == 0x8000_042c)
        #expect(kernel.close(second.handle) == 0)
        #expect(kernel.exit() == 0)
        #expect(kernel.ends())
    }

    @Test(.enabled(if: isBuilt, "libhtp_skel.so is not beside the tests"))
    func theOldHandlesWorkAlike() throws {
        let kernel = try Self.start(files: try Self.skel())
        let text = TestKernel.text(Self.uri)
        let outcome = kernel.invoke(
            0, 0x0002_0200, [TestKernel.words([UInt32(text.count), 255]), text], [8, 255])
        #expect(outcome.status == 0)
        #expect(outcome.word(0, 4) == 0)
        #expect(kernel.invoke(3, 0x0300_0000).status == 0)
        // Deprecated, and not called with its buffers either.
        #expect(kernel.invoke(3, 0x0000_0000).status == 0x8000_040e)
    }

    @Test(
        .enabled(if: isBuilt, "libhtp_skel.so is not beside the tests"),
        arguments: [
            ("skel-not-found", 0x8000_0406), ("wrong-symbol", 0x8000_0442),
            ("missing-dependency", 0x8000_0406), ("malformed-reverse-calls", 0), ("out-of-memory", 0),
            ("queue-hang", 0), ("", 0),
        ] as [(String, UInt32)])
    func scenariosOfLoading(scenario: String, status: UInt32) throws {
        let kernel = try Self.start(scenario: scenario, files: try Self.skel(), memory: HeapPages())
        let opened = kernel.open(Self.uri)
        #expect(opened.status == status, "\(opened.words)")
        #expect(opened.words.isEmpty == (status == 0))
        #expect(kernel.exit() == 0)
        #expect(kernel.ends())
    }

    @Test(.enabled(if: isBuilt, "libhtp_skel.so is not beside the tests"))
    func theProcessDiesAtItsCall() throws {
        let kernel = try Self.start(scenario: "process-death", parameter: 3, files: try Self.skel())
        let handle = kernel.open(Self.uri).handle
        for _ in 1..<3 { #expect(kernel.invoke(handle, 0x0400_0100, [], [24]).status == 0) }
        #expect(kernel.invoke(handle, 0x0400_0100, [], [24]).status == nil)
        #expect(kernel.ends())
    }

    @Test(.enabled(if: isBuilt, "libhtp_skel.so is not beside the tests"))
    func aSlowDSPTakesItsTime() throws {
        let kernel = try Self.start(scenario: "slow-dsp", parameter: 120, files: try Self.skel())
        let handle = kernel.open(Self.uri).handle
        let start = ContinuousClock.now
        #expect(kernel.invoke(handle, 0x0400_0100, [], [24]).status == 0)
        #expect(ContinuousClock.now - start >= .milliseconds(120))
    }

    @Test func whatCannotBeLoaded() throws {
        let executable = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "/proc/self/exe")).prefix(1 << 16))
        var hexagon = executable
        hexagon[16] = 3
        hexagon[18] = 164
        var cutOff = executable
        cutOff[16] = 3
        let kernel = try Self.start(files: [
            "libtext.so": Array("no library at all".utf8), "libempty.so": [], "libhexagon.so": hexagon,
            "libcut.so": cutOff,
        ])
        func open(_ name: String) -> UInt32? { kernel.open("file:///\(name)?f&_modver=1.0").status }
        #expect(open("libtext.so") == 0x8000_0406)
        #expect(open("libempty.so") == 0x8000_0406)
        #expect(open("libhexagon.so") == 0x8000_0406)
        #expect(open("libcut.so") == 0x8000_0452)
        #expect(open("libnowhere.so") == 0x8000_0406)
        #expect(kernel.open("libtext.so").status == 0x8000_0406)
        #expect(kernel.open("file:///?").status == 0x8000_0406)
        #expect(kernel.open("file:///libdspqueue_rpc_skel.so?other").status == 0x8000_0442)
    }

    @Test func withoutAListenerNothingIsLoaded() throws {
        let kernel = try Self.start()
        let opened = kernel.open(Self.uri)
        #expect(opened.status == 0x8000_0406)
        #expect(opened.words.contains("reverse call"))
    }

    @Test func exitReleasesWhoWaits() throws {
        let kernel = try Self.start()
        let handle = kernel.open("file:///libdspqueue_rpc_skel.so?dspqueue_rpc_skel_handle_invoke").handle
        let group = DispatchGroup()
        nonisolated(unsafe) var listener: TestKernel.Outcome?
        nonisolated(unsafe) var signal: TestKernel.Outcome?
        group.enter()
        Thread.detachNewThread {
            listener = kernel.invoke(7, 0x0602_0200, [TestKernel.words([0, .max, 0, 64]), []], [16, 64])
            group.leave()
        }
        group.enter()
        Thread.detachNewThread {
            signal = kernel.invoke(handle, 0x0600_0100, [], [4])
            group.leave()
        }
        usleep(50_000)
        #expect(kernel.exit() == 0)
        #expect(group.wait(timeout: .now() + 60) == .success)
        #expect(listener?.status == 0x8000_040d)
        #expect(signal?.status == 0)
        #expect(signal?.word(0, 0) == .max)
        #expect(kernel.ends())
    }

    @Test func mappingsAndPagesShareALimit() throws {
        let kernel = try Self.start(memoryLimit: 1 << 20)
        var first = try kernel.allocate(1 << 19, descriptor: 20)
        var second = try kernel.allocate(1 << 20, descriptor: 21)
        defer {
            kernel.free(first)
            kernel.free(second)
        }
        #expect(kernel.map(&first) == 0)
        #expect(first.dspAddress > 0 && first.dspAddress < 1 << 32)
        #expect(kernel.map(&first) == 0x8000_0487)
        #expect(kernel.map(&second) == 0x8000_0402)
        let pages = kernel.call { .addPages(call: $0, byteCount: 1 << 19, flags: 0x1000) }
        #expect(pages?.status == 0)
        #expect(kernel.call { .addPages(call: $0, byteCount: 1, flags: 0x1000) }?.status == 0x8000_0402)
        #expect(kernel.call { .addPages(call: $0, byteCount: .max, flags: 0) }?.status == 0x8000_0402)
        let address = pages?.value ?? 0
        #expect(
            kernel.call { .removePages(call: $0, dspAddress: address, byteCount: 4096) }?.status
                == 0x8000_0448)
        #expect(
            kernel.call { .removePages(call: $0, dspAddress: address, byteCount: 1 << 19) }?.status == 0)
        #expect(kernel.call { .unmap(call: $0, dspAddress: 4711) }?.status == 0x8000_0448)
    }

    @Test func callsOfAWrongShape() throws {
        let kernel = try Self.start()
        let words = TestKernel.words
        #expect(kernel.invoke(4, 0x0500_0100, [], [4]).status == 0)
        #expect(kernel.invoke(4, 0x0500_0100, [], [3]).status == 0x8000_040e)
        #expect(kernel.invoke(4, 0x0601_0000, [words([100])]).status == 0)
        #expect(kernel.invoke(4, 0x0601_0000, [[1]]).status == 0x8000_040e)
        #expect(kernel.invoke(8, 0x0502_0000, [words([2, 1]), words([1])]).status == 0)
        #expect(kernel.invoke(8, 0x0502_0000, [words([2, 9]), words([1])]).status == 0x8000_040e)
        #expect(kernel.invoke(8, 0x0202_0200, [words([400, 255]), [0]], [8, 255]).status == 0x8000_040e)
        #expect(kernel.invoke(8, 0x1e00_0000).status == 0x8000_0414)
        #expect(kernel.invoke(5, 0x0200_0000).status == 0x8000_0414)
        #expect(kernel.invoke(77, 0x0200_0000).status == 39)
        #expect(kernel.invoke(0x1234_5678, 0x0200_0000).status == 39)
        #expect(kernel.invoke(7, 0x0701_0200, [words([4711, 0, 8])], [4, 8]).status == 0x8000_040e)
        // Memory that was never given, ranges that leave it, arguments that do not fit the scalars.
        for argument in [
            Invocation.Argument(memory: 99, offset: 0, byteCount: 4),
            .init(memory: 1, offset: .max, byteCount: .max), .init(offset: 0, byteCount: 4, isHandle: true),
        ] {
            let call = Invocation(handle: 4, scalars: 0x0601_0000, arguments: [argument])
            #expect(kernel.call { .invoke(call: $0, call) }?.status == 0x8000_040e)
        }
        let call = Invocation(handle: 4, scalars: 0x0601_0000)
        #expect(kernel.call { .invoke(call: $0, call) }?.status == 0x8000_040e)
    }

    /// Whatever comes, the process answers afterwards.
    @Test func survivesNonsense() throws {
        let kernel = try Self.start(files: [:])
        var random = SeededGenerator(5)
        let queues = kernel.open("file:///libdspqueue_rpc_skel.so?dspqueue_rpc_skel_handle_invoke").handle
        var buffer = try kernel.allocate(8192, descriptor: 30)
        defer { kernel.free(buffer) }
        #expect(kernel.map(&buffer) == 0)
        let handles: [UInt32] = [0, 3, 4, 5, 6, 7, 8, 9, queues, 500]
        let words: [UInt32] = [0, 1, 2, 30, 256, 1024, 4096, 8192, .max]
        let sizes = [0, 4, 8, 16, 300]
        for round in 0..<100_000 {
            var bytes = (0..<Int.random(in: 1...64, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            switch round % 3 {
            case 0:
                bytes.withUnsafeBytes { _ = send(kernel.channel.descriptor, $0.baseAddress, $0.count, 0) }
            case 1:
                // Known kinds of messages with random content; no answer is waited for.
                if bytes.count < 8 { bytes += [UInt8](repeating: 1, count: 8) }
                bytes[0] = UInt8.random(in: 2...10, using: &random)
                bytes[1...3] = [0, 0, 0]
                bytes.withUnsafeBytes { _ = send(kernel.channel.descriptor, $0.baseAddress, $0.count, 0) }
            default:
                let handle = handles.randomElement(using: &random) ?? 0
                let method = UInt32.random(in: 0...12, using: &random)
                // What blocks or ends the process is not nonsense.
                if handle == 4, [2, 7].contains(method) { continue }
                if handle == 7, method == 6 { continue }
                if handle == 3, method == 4 { continue }
                if handle == queues, method == 6 { continue }
                let ins = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                    TestKernel.words((0..<4).map { _ in words.randomElement(using: &random) ?? 0 })
                }
                let outs = (0..<Int.random(in: 0...2, using: &random)).map { _ in
                    sizes.randomElement(using: &random) ?? 0
                }
                for index in 0..<2048 {
                    buffer.bytes.storeBytes(
                        of: words.randomElement(using: &random) ?? 0, toByteOffset: 4 * index,
                        as: UInt32.self)
                }
                buffer.bytes.storeBytes(of: 2, as: UInt32.self)
                let scalars = method << 24 | UInt32(ins.count) << 16 | UInt32(outs.count) << 8
                #expect(kernel.invoke(handle, scalars, ins, outs).status != nil)
            }
        }
        #expect(kernel.invoke(4, 0x0500_0100, [], [4]).status == 0)
        #expect(kernel.exit() == 0)
        #expect(kernel.ends())
    }

    /// A listener whose replies are wrong fails the load, no more.
    @Test func repliesThatDoNotFit() throws {
        let replies: [[UInt8]] = [
            [], [8, 0, 0, 0], [UInt8](repeating: 0xff, count: 64), [9] + [UInt8](repeating: 0, count: 299),
        ]
        for reply in replies {
            let kernel = try Self.start()
            Thread.detachNewThread {
                var context: UInt32 = 0
                while true {
                    let words = TestKernel.words([context, 0, UInt32(reply.count), 4096])
                    let outcome = kernel.invoke(7, 0x0602_0200, [words, reply], [16, 4096])
                    guard outcome.status == 0 else { return }
                    context = outcome.word(0, 0)
                }
            }
            usleep(20_000)
            #expect(kernel.open(Self.uri).status == 0x8000_040e)
            #expect(kernel.exit() == 0)
        }
    }
}
