import Foundation
import Glibc
import HTPDevice
import HTPInterface
import HTPProgram
import HexagonRPC
import QemuHost
import SharedMemory
import Synchronization
import TestSupport
import Testing
import VirtualDSP

/// The DSP program as Hexagon code, through the SDK.
@Suite(
    "Hexagon code under qemu", .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing),
    .serialized)
struct QemuTransportTests {
    private func program(in session: borrowing Session, file: String = "libhtp-v66.so") throws -> HTP<
        RemoteHandle
    > {
        HTP(try session.open(ModuleURI(interface: "htp", file: file)))
    }

    @Test func theProgramStartsItsThreadsAndStopsThem() throws {
        let lines = Mutex<[String]>([])
        let session = try Session(
            HexagonBuild.transport { $0.log = { _, line in lines.withLock { $0.append(line) } } })
        let program = try program(in: session)
        try program.start(threads: 0)
        let hardware = try program.hardware()
        #expect(hardware.arch == 0x66 && hardware.threads == 3 && hardware.hvxUnits == 3)
        #expect(hardware.vtcmBytes == 2 << 20)
        let twice = #expect(throws: RemoteCallError.self) { try program.start(threads: 1) }
        #expect(twice?.result.rawValue == 0x8000_041a)
        try program.stop()
        #expect(try program.hardware().threads == 0)
        for threads: UInt32 in 1...16 {
            try program.start(threads: threads)
            try program.stop()
        }
        // Each thread that ends tells how much of its stack it has used.
        let reports = lines.withLock { lines in lines.filter { $0.contains("bytes of its stack") }.count }
        #expect(reports >= 2 + 15 * 16 / 2)
    }

    /// v66 has no floats in its vector unit.
    @Test func vectorFloatsAreRefused() throws {
        let device = try HTPDevice(name: "qemu0", kind: "qemu", transport: HexagonBuild.transport())
        let refusal = #expect(throws: RemoteCallError.self) { try device.setFloatArithmetic(.vector) }
        #expect(refusal?.result.rawValue == 0x8000_0414)
        #expect(device.floatArithmetic == .plain)
        #expect(try device.setFloatArithmetic(.plain) == nil)
    }

    @Test func whatIsWrongIsRefusedAsOnADSP() throws {
        let session = try Session(HexagonBuild.transport())
        let missing = #expect(throws: RemoteCallError.self) {
            _ = try session.open(ModuleURI(interface: "nothing"))
        }
        #expect(missing?.result.rawValue == 0x8000_0406)
        let symbol = #expect(throws: RemoteCallError.self) {
            _ = try session.open(ModuleURI(interface: "other", file: "libhtp-v66.so"))
        }
        #expect(symbol?.result.rawValue == 0x8000_0442)
        let newer = #expect(throws: RemoteCallError.self) {
            _ = try session.open(ModuleURI(interface: "htp", file: "libhtp-v73.so"))
        }
        #expect(newer?.result.rawValue == 0x8000_0406)
        #expect(newer?.operation.contains("made for v73") == true)
        let foreign = #expect(throws: RemoteCallError.self) {
            _ = try session.open(ModuleURI(interface: "htp", file: "hexagon-process"))
        }
        #expect(foreign?.result.rawValue == 0x8000_0452)
        let signed = #expect(throws: RemoteCallError.self) {
            _ = try Session(HexagonBuild.transport(), SessionConfiguration(unsignedModules: false))
        }
        #expect(signed?.result == .connectionRefused)
    }

    @Test func buffersAreMappedOnceAndTheirSizeIsKnown() throws {
        let session = try Session(HexagonBuild.transport())
        let program = try program(in: session)
        let buffer = try session.allocator.allocate(byteCount: 4096)
        let early = #expect(throws: RemoteCallError.self) {
            try program.map(fd: buffer.descriptor, size: 4096)
        }
        #expect(early?.result.rawValue == 0x8000_0401)
        try session.map(buffer)
        let twice = #expect(throws: RemoteCallError.self) { try session.map(buffer) }
        #expect(twice?.result.rawValue == 0x8000_041a)
        for size: UInt64 in [0, 4097, 1 << 32, 1 << 40] {
            let error = #expect(throws: RemoteCallError.self) {
                try program.map(fd: buffer.descriptor, size: size)
            }
            #expect(error?.result.rawValue == 0x8000_040e)
        }
        try program.map(fd: buffer.descriptor, size: 4096)
        try program.unmap(fd: buffer.descriptor)
        try session.unmap(buffer)
        let unknown = #expect(throws: RemoteCallError.self) { try session.unmap(buffer) }
        #expect(unknown?.result.rawValue == 0x8000_0448)
    }

    /// The same calls on both; the weights lie in shared memory, which is written after it was mapped.
    @Test(arguments: [nil, 0x68], [UInt32](1..<UInt32(HTP_TILES_KINDS_END)))
    func productsHaveTheSimulatorsBits(architecture: Int?, kind: UInt32) throws {
        var results: [[UInt32]] = []
        let file = architecture == nil ? "libhtp-v66.so" : "libhtp-v68.so"
        for transport in [try HexagonBuild.transport(architecture: architecture), SimulatorTransport()]
            as [any Transport]
        {
            let session = try Session(transport)
            let program = try program(
                in: session, file: transport is SimulatorTransport ? "libhtp_skel.so" : file)
            try program.start(threads: 3)
            results.append(
                try exampleProduct(
                    program, session, kind: kind, rows: 96, columns: 512, count: 3, seed: 7))
        }
        #expect(results[0].count == 288 && Set(results[0]).count > 200)
        #expect(results[0] == results[1])
    }

    @Test func callsRunAtTheSameTime() throws {
        let process = try HexagonProcess(try HexagonBuild.tools())
        defer { process.end() }
        let library = try process.load(path: HexagonBuild.folder + "/libhtp-v66.so")
        let entry = try #require(try process.function("htp_skel_handle_invoke", of: library))
        let handles = try (0..<8).map { _ in try process.openModule(entry, uri: "file:///x") }
        let failures = Mutex<[String]>([])
        // start(2), hardware, stop, each on handles and threads of their own.
        DispatchQueue.concurrentPerform(iterations: handles.count) { index in
            do throws(RemoteCallError) {
                for _ in 0..<50 {
                    var words: [UInt32] = [2, 0, 0, 0, 0, 0]
                    var results: [AEEResult] = []
                    for (scalars, count) in [
                        (Scalars(method: 2, inBuffers: 1), 4), (Scalars(method: 4, outBuffers: 1), 24),
                        (Scalars(method: 3), 0),
                    ] {
                        let result = words.withUnsafeMutableBytes { words in
                            var arguments = [
                                RemoteArgument(
                                    writing: UnsafeMutableRawBufferPointer(rebasing: words[..<count]))
                            ]
                            if count == 0 { arguments = [] }
                            return arguments.withUnsafeMutableBufferPointer { list in
                                Result { () throws(RemoteCallError) in
                                    try process.invoke(entry, handle: handles[index], scalars, list)
                                }
                            }
                        }
                        results.append(try result.get())
                    }
                    if results != [.success, .success, .success] || words[0] != 0x66 || words[1] != 2 {
                        failures.withLock { $0.append("\(results) \(words)") }
                    }
                }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
    }

    @Test func aSessionThatIsLostSaysSoAndAnotherOneWorks() throws {
        // This size tells the process from those of other tests.
        let transport = try HexagonBuild.transport { $0.vtcmBytes = 0x21_0000 }
        let session = try Session(transport)
        let program = try program(in: session)
        let emulators = children().filter { commandLine($0).contains("\(0x21_0000)") }
        #expect(emulators.count == 1)
        kill(try #require(emulators.first), SIGKILL)
        let error = #expect(throws: RemoteCallError.self) {
            for _ in 0..<100 { _ = try program.hardware() }
        }
        #expect(error?.isSessionLost == true)
        #expect(error?.operation.contains("signal 9") == true)
        let again = #expect(throws: RemoteCallError.self) { _ = try program.hardware() }
        #expect(again?.isSessionLost == true)
        let other = try Session(transport)
        #expect(try self.program(in: other).hardware().arch == 0x66)
    }

    /// Method 2 of the module runs a thread, method 3 reads from where nothing is, method 4 runs a thread on too
    /// little stack.
    @Test(arguments: [(3, "signal 11"), (4, "has run over its stack")])
    func aProgramThatCrashesLosesItsSession(method: Int, words: String) throws {
        try HexagonBuild.make()
        try HexagonBuild.make([
            "--skel", "crash_skel", ProgramSources.package + "/Tests/Toolchain/QemuHost/Fixtures/crash",
            "--output", HexagonBuild.folder,
        ])
        let session = try Session(HexagonBuild.transport())
        let handle = try session.open(ModuleURI(interface: "crash"))
        func call(_ method: Int) throws {
            var none: [RemoteArgument] = []
            try none.withUnsafeMutableBufferPointer { try handle.invoke(Scalars(method: method), $0) }
        }
        for _ in 0..<10 { try call(2) }
        let error = #expect(throws: RemoteCallError.self) { try call(method) }
        #expect(error?.isSessionLost == true)
        #expect(error?.operation.contains(words) == true, "\(String(describing: error))")
    }

    @Test func emulatorsEndWithTheirSessions() throws {
        func emulators() -> [pid_t] { children().filter { commandLine($0).contains("\(0x22_0000)") } }
        do {
            let session = try Session(HexagonBuild.transport { $0.vtcmBytes = 0x22_0000 })
            _ = try program(in: session).hardware()
            #expect(emulators().count == 1)
            session.close()
        }
        for _ in 0..<3000 where !emulators().isEmpty { usleep(10_000) }
        #expect(emulators().isEmpty)
    }

    @Test func theEmulatorEndsWithItsHost() throws {
        try HexagonBuild.make()
        // The path tells these processes from all others.
        let folder = try TemporaryFolder()
        for file in ["hexagon-process", "libhtp-v66.so"] {
            try FileManager.default.copyItem(
                atPath: "\(HexagonBuild.folder)/\(file)", toPath: folder.path(file))
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Tool.folder + "/engine")
        process.arguments = [
            "generate", "-m", EmulatedEngineTests.model, "-p", "Once", "-n", "100000", "-c", "4096",
            "--ignore-eos", "--device", "qemu0",
        ]
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["HEXAGONRPC_HEXAGON_PATH": folder.path]) { $1 }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        func emulators() -> [pid_t] {
            processes().filter { commandLine($0).contains(folder.path("hexagon-process")) }
        }
        for _ in 0..<3000 where emulators().isEmpty { usleep(10_000) }
        #expect(!emulators().isEmpty)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        for _ in 0..<3000 where !emulators().isEmpty { usleep(10_000) }
        #expect(emulators().isEmpty)
    }

    @Test func powerIsAskedForWhenWorkBeginsAndGivenBack() throws {
        let requests = Mutex<[PowerRequest]>([])
        let session = try Session(
            HexagonBuild.transport {
                $0.onPowerRequest = { request in requests.withLock { $0.append(request) } }
            })
        let program = try program(in: session)
        func taken() -> [PowerRequest.Kind] {
            requests.withLock { list in
                defer { list = [] }
                return list.map(\.kind)
            }
        }
        func waitForRelease() -> [PowerRequest.Kind] {
            for _ in 0..<3000 where requests.withLock({ $0.isEmpty }) { usleep(10_000) }
            usleep(50_000)
            return taken()
        }
        let maximum = PowerRequest.Corners(target: 255, minimum: 255, maximum: 255)
        let full: [PowerRequest.Kind] = [
            .applicationType(4),
            .clocks(.init(isAdaptive: false, latency: 40, core: maximum, bus: maximum, maySleep: false)),
            .vectors(isOn: true),
        ]
        let nothing = PowerRequest.Corners(target: 0, minimum: 0, maximum: 0)
        let release: [PowerRequest.Kind] = [
            .vectors(isOn: false),
            .clocks(.init(isAdaptive: true, latency: nil, core: nothing, bus: nothing, maySleep: true)),
        ]
        try program.start(threads: 2)
        #expect(taken() == full)
        #expect(waitForRelease() == release)

        let buffer = try session.allocator.allocate(byteCount: 4096)
        try session.map(buffer)
        try program.map(fd: buffer.descriptor, size: 4096)
        #expect(taken().isEmpty)
        func work() throws {
            _ = try program.matmul(
                fd: buffer.descriptor, offset: 0, type: 4, rows: 32, columns: 32, count: 1,
                src: [Float](repeating: 1, count: 32), dstCount: 32)
        }
        // Work that goes on asks once; work after a pause, which a busy machine may make, asks again.
        var longest = Duration.zero
        for _ in 0..<30 {
            let start = ContinuousClock.now
            try work()
            usleep(10_000)
            longest = max(longest, ContinuousClock.now - start)
        }
        var found = taken()
        while longest > .milliseconds(80), found.count > full.count, found.starts(with: full + release) {
            found.removeFirst(full.count + release.count)
        }
        #expect(found == full)
        #expect(waitForRelease() == release)

        try program.power(level: 2)
        #expect(taken().isEmpty)
        try work()
        let saving = taken()
        #expect(saving.count == 3)
        guard case .clocks(let clocks) = try #require(saving.dropFirst().first) else {
            Issue.record("no clocks in \(saving)")
            return
        }
        #expect(clocks.isAdaptive == true && clocks.maySleep == true && clocks.core?.maximum == 4)
        // While power is held, another level counts at once.
        try program.power(level: 0)
        #expect(taken() == full)
        let wrong = #expect(throws: RemoteCallError.self) { try program.power(level: 3) }
        #expect(wrong?.result.rawValue == 0x8000_040e)
        try program.stop()
        #expect(taken() == release)
        try program.unmap(fd: buffer.descriptor)
        try session.unmap(buffer)
    }
}

/// All processes that have not ended.
private func processes() -> [pid_t] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }
}

/// Those that this process has started.
private func children() -> [pid_t] {
    processes().filter { process in
        guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8) else {
            return false
        }
        return status.contains("\nPPid:\t\(getpid())\n") && !status.contains("\nState:\tZ")
    }
}

/// Empty for a process that has ended.
private func commandLine(_ process: pid_t) -> String {
    (try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)) ?? ""
}
