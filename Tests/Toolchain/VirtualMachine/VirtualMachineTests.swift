import Foundation
import SharedMemory
import Synchronization
import TestSupport
import Testing
import VirtualKernel
import VirtualMachine

/// Runs programs on a machine with ``MachineTestKernel``.
private enum TestMachine {
    /// Why no machine can be had here, or nil.
    static let problem: String? = {
        do {
            _ = try run(MachineTestKernel(), ["true"])
            return nil
        } catch {
            return "\(error)"
        }
    }()

    struct Result {
        var ending: Machine.Ending
        var lines: [String]
    }

    static func run(_ kernel: MachineTestKernel, _ command: [String], trace: Trace? = nil) throws -> Result {
        let folder = try TemporaryFolder()
        let path = folder.path("output")
        let output = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(output >= 0)
        defer { close(output) }
        var configuration = Machine.Configuration(command)
        configuration.helper = Tool.folder + "/virtual-dsp"
        configuration.output = output
        configuration.trace = trace
        let ending = try Machine(kernel, configuration).run()
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        return Result(ending: ending, lines: text.split(separator: "\n").map(String.init))
    }

    /// The client program, linked as asked for; compiled once.
    static func client(isStatic: Bool) throws -> String {
        try clients.withLock { clients in
            if let path = clients.paths[isStatic] { return path }
            let source = try clients.folder.write(Array(clientProgram.utf8), to: "client.c")
            let path = clients.folder.path(isStatic ? "client-static" : "client")
            try Toolchain.run(
                "/usr/bin/env",
                ["cc", "-O1", "-w", "-pthread", source, "-o", path] + (isStatic ? ["-static"] : []))
            clients.paths[isStatic] = path
            return path
        }
    }

    private struct Clients {
        var folder: TemporaryFolder
        var paths: [Bool: String] = [:]
    }

    private static let clients: Mutex<Clients> = {
        guard let folder = try? TemporaryFolder() else {
            fatalError("there is no folder for temporary files")
        }
        return Mutex(Clients(folder: folder))
    }()
}

@Suite(
    "Virtual machine",
    .enabled(if: TestMachine.problem == nil, Comment(rawValue: TestMachine.problem ?? "")),
    .enabled(if: Toolchain.find("cc") != nil, "needs a C compiler"), .serialized)
struct VirtualMachineTests {
    private func run(
        _ name: String, isStatic: Bool = false, _ kernel: MachineTestKernel = MachineTestKernel()
    ) throws -> [String] {
        let result = try TestMachine.run(kernel, [TestMachine.client(isStatic: isStatic), name])
        #expect(result.ending == .exit(0))
        // Whatever a program did: what was opened was released.
        kernel.state.withLock { #expect($0.opened == $0.released) }
        return result.lines
    }

    @Test("Results, errors and memory of ioctl and fstatfs", arguments: [false, true])
    func calls(isStatic: Bool) throws {
        #expect(
            try run("calls", isStatic: isStatic) == [
                "status -2147482618 errno 0", "increment 0 42", "fail -1 errno 1", "fault -1 errno 1",
                "constant -1 errno 1", "unknown -1 errno 1", "closed -1 errno 1", "other -1 errno 1",
                "buffer 0 444d4142 from the kernel 1", "statfs -1 errno 1", "memory 0 1021994",
            ])
    }

    @Test("Paths and flags of open", arguments: [false, true])
    func paths(isStatic: Bool) throws {
        #expect(
            try run("paths", isStatic: isStatic) == [
                "stat 0 1 640", "access 0", "path 1", "plain 0 0", "flagged 1 1", "1 1 1 1 1 1 1 1 1 ",
                "elsewhere -1 1", "folder -1 1", "refusing -1 1", "null -1 1", "cut -1 1", "last 1",
                "long -1 1",
            ])
    }

    @Test("The kernel knows threads and processes apart")
    func threads() throws {
        #expect(try run("threads") == ["threads 8"])
    }

    @Test("A file is released when its last duplicate is closed, in whatever process")
    func processes() throws {
        #expect(try run("processes") == ["child 1", "released 1", "duplicate 1", "last 1"])
        #expect(try run("executes") == ["kept 1", "closed 1"])
        #expect(try run("rights") == ["received 1", "released 1"])
    }

    @Test("200 calls block at once")
    func blocked() throws {
        #expect(try run("blocked") == ["blocked 1", "returned 200"])
    }

    @Test("A signal interrupts a blocked call, or restarts it")
    func signals() throws {
        #expect(try run("interrupted") == ["result -1 interrupted 1", "begun 1"])
        #expect(try run("restarted") == ["result 7 interrupted 0", "begun 2"])
    }

    @Test("A process that is killed in a call leaves its files")
    func killed() throws {
        #expect(try run("killed") == ["released 1", "blocked 1"])
    }

    @Test("Nodes and files come and go")
    func changes() throws {
        let paths = [
            "/sys/class/virtual-test/state", "/dev/virtual-folder/late", "/usr/lib/virtual-test/deep/file",
        ]
        let without = paths.map { "\($0): none" } + ["plugged 0"]
        let with = paths.map { "\($0): here" } + ["plugged 1"]
        #expect(try run("changes") == without + with + without + ["folder -1"])
        for path in paths + [TestNode.plain, "/dev/virtual-folder"] { #expect(access(path, F_OK) != 0) }
    }

    @Test("What a command leaves running is still served")
    func orphan() throws {
        let client = try TestMachine.client(isStatic: false)
        let result = try TestMachine.run(MachineTestKernel(), [client, "orphan"])
        #expect(result.ending == .exit(3))
        #expect(result.lines == ["orphan 1"])
    }

    @Test("The ends of commands")
    func endings() throws {
        func ending(_ command: String...) throws -> Machine.Ending {
            try TestMachine.run(MachineTestKernel(), command).ending
        }
        #expect(try ending("sh", "-c", "exit 5") == .exit(5))
        #expect(try ending("sh", "-c", "kill -TERM $$") == .signal(SIGTERM))
        #expect(try ending("/a-program-that-is-not-there") == .exit(127))
        #expect(try ending("/dev/null") == .exit(126))
    }

    @Test("Opening a file of a scenario selects it")
    func scenarios() throws {
        let kernel = MachineTestKernel()
        let script = """
            cd /dev/virtual-dsp
            cat no-shell ./slow-dsp=12 /dev/virtual-dsp/healthy
            cat slow-dsp=x || echo refused
            ls | wc -l
            """
        let result = try TestMachine.run(kernel, ["sh", "-c", "exec 2>/dev/null\n" + script])
        #expect(
            result.lines == [
                Scenario.Kind.noShell.summary, Scenario.Kind.slowDSP.summary, Scenario.Kind.healthy.summary,
                "refused", "\(Scenario.Kind.allCases.count)",
            ])
        #expect(
            kernel.state.withLock { $0.selected } == [
                Scenario(.noShell), Scenario(.slowDSP, parameter: 12), Scenario(.healthy),
            ])
    }

    @Test("A trace has every call of a node")
    func trace() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("trace")
        _ = try TestMachine.run(
            MachineTestKernel(), [TestMachine.client(isStatic: false), "threads"], trace: Trace(path: path))
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        var calls = try text.split(separator: "\n").map { line in
            try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: any Sendable])
        }
        calls.sort { ($0["sequence"] as? Int ?? 0) < ($1["sequence"] as? Int ?? 0) }
        #expect(calls.compactMap { $0["sequence"] as? Int } == Array(1...18))
        #expect(calls.compactMap { $0["call"] as? String }.filter { $0 == "ioctl" }.count == 16)
        #expect(calls.first?["call"] as? String == "open")
        #expect(calls.last?["call"] as? String == "close")
        #expect(Set(calls.compactMap { $0["thread"] as? Int }).count == 9)
        #expect(Set(calls.compactMap { $0["node"] as? String }) == [TestNode.plain])
    }
}
