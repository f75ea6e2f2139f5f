import Foundation
import Glibc
import TestSupport
import Testing

/// What is left when a part of the virtual DSP is killed: nothing.
@Suite("Killed", .enabled(if: ForeignPrograms.canCompile, "needs cc"), .needsVirtualDSP, .serialized)
struct KilledTests {
    /// A run of `virtual-dsp` whose processes all carry a mark in their environment.
    private final class Run {
        let programs: ForeignPrograms
        let mark = "HEXAGONRPC_TEST_RUN=\(UUID().uuidString)"
        let process = Process()
        let temporary: ScratchDirectory
        let sharedBefore = Run.list("/dev/shm")
        let mountsBefore = Run.mounts

        struct Missing: Error, CustomStringConvertible {
            let description: String
        }

        /// Starts a command while the DSP is slow, so that it is in the middle of a call.
        init(_ command: (_ client: String) -> [String]) throws {
            programs = try ForeignPrograms()
            temporary = try ScratchDirectory()
            process.executableURL = URL(fileURLWithPath: "\(Tool.folder)/virtual-dsp")
            let client = "\(Tool.folder)/dsp-client"
            process.arguments = ["run", "--scenario", "slow-dsp=60000", "--"] + command(client)
            var environment = ProcessInfo.processInfo.environment
            let parts = mark.split(separator: "=").map(String.init)
            environment[parts[0]] = parts[1]
            environment["TMPDIR"] = temporary.path
            environment["DSP_LIBRARY_PATH"] = programs.folder
            process.environment = environment
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
        }

        deinit { for process in processes() { kill(process.id, SIGKILL) } }

        /// What runs with the mark.
        func processes() -> [(id: pid_t, command: String)] {
            Self.list("/proc").compactMap { name in
                guard let id = pid_t(name),
                    let environment = FileManager.default.contents(atPath: "/proc/\(id)/environ"),
                    environment.range(of: Data(mark.utf8)) != nil,
                    let command = FileManager.default.contents(atPath: "/proc/\(id)/cmdline")
                else { return nil }
                return (id, String(decoding: command.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self))
            }
        }

        /// Waits until a process of a name and the process on the DSP run, and the call is under way.
        func find(_ name: String) throws -> pid_t {
            for _ in 0..<2000 {
                let all = processes()
                if all.contains(where: { $0.command.contains("protection-domain") }),
                    let found = all.first(where: { $0.command.hasPrefix(name) })
                {
                    usleep(300_000)
                    return found.id
                }
                usleep(10_000)
            }
            throw Missing(description: "no process \(name) in \(processes())")
        }

        /// Waits for the end of everything, and looks for what is left.
        func expectNothing() {
            for _ in 0..<3000 where !processes().isEmpty { usleep(10_000) }
            #expect(processes().map(\.command) == [])
            #expect(Self.list(temporary.path) == [])
            #expect(Set(Self.list("/dev/shm")).subtracting(sharedBefore).filter { $0.contains("dsp") } == [])
            #expect(Self.mounts == mountsBefore)
            #expect(access("/dev/fastrpc-cdsp", F_OK) != 0)
        }

        private static func list(_ folder: String) -> [String] {
            (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        }

        private static var mounts: Int {
            (try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8))?
                .split(separator: "\n").count { $0.contains("virtual-dsp") } ?? 0
        }
    }

    @Test("The command is killed in a call: its run ends, with its signal in the exit code")
    func command() throws {
        let run = try Run { [$0, "tour", "--transport", "kernel"] }
        kill(try run.find("\(Tool.folder)/dsp-client"), SIGKILL)
        run.process.waitUntilExit()
        #expect(run.process.terminationStatus == 128 + SIGKILL)
        run.expectNothing()
    }

    @Test("The supervisor is killed: the command, its children and the process on the DSP end")
    func supervisor() throws {
        let run = try Run {
            ["sh", "-c", "sleep 600 & (setsid sleep 601 &) ; '\($0)' tour --transport kernel"]
        }
        _ = try run.find("\(Tool.folder)/dsp-client")
        #expect(run.processes().count >= 7, "\(run.processes())")
        kill(run.process.processIdentifier, SIGKILL)
        run.process.waitUntilExit()
        run.expectNothing()
    }

    @Test("The process on the DSP is killed: a lost session, and nothing that hangs")
    func processOnTheDSP() throws {
        let run = try Run { [$0, "tour", "--transport", "kernel"] }
        _ = try run.find("\(Tool.folder)/dsp-client")
        let dsp = try #require(run.processes().first { $0.command.contains("protection-domain") })
        kill(dsp.id, SIGKILL)
        run.process.waitUntilExit()
        #expect(run.process.terminationReason == .exit && run.process.terminationStatus != 0)
        run.expectNothing()
    }
}

@Suite("Nodes of the virtual DSP", .enabled(if: ForeignPrograms.canCompile, "needs cc"), .needsVirtualDSP)
struct NodeTests {
    private func shell(_ scenario: String, _ script: String) throws -> [String] {
        let result = try Tool.run(
            "virtual-dsp", ["run", "--scenario", scenario, "--", "sh", "-c", script], deadline: 60)
        return result.output.split(separator: "\n").map(String.init)
    }

    @Test("Reading finds the end, writing does not wait")
    func readingAndWriting() throws {
        let script = """
            wc -c < /dev/fastrpc-cdsp
            head -c 3000000 /dev/zero > /dev/fastrpc-cdsp && echo written
            """
        #expect(try shell("healthy", script) == ["0", "written"])
    }

    @Test("Whether a node may be used: what access says is what open does, also for root")
    func access() throws {
        let script = """
            for node in /dev/fastrpc-cdsp /dev/fastrpc-cdsp-secure /dev/dma_heap/system; do
                test -e $node && printf e; test -r $node && printf r; test -w $node && printf w; echo
            done
            cd /dev && test -r fastrpc-cdsp-secure && echo relative
            """
        #expect(try shell("no-permission", script) == ["e", "e", "erw"])
        #expect(try shell("plain-node-only", script) == ["erw", "e", "erw"])
        #expect(try shell("healthy", script) == ["erw", "erw", "erw", "relative"])
    }

    @Test("A skel that is not found: the host says what was looked for, where, and what to do")
    func missingSkel() throws {
        let programs = try ForeignPrograms()
        let result = try Tool.run(
            "virtual-dsp",
            [
                "run", "--scenario", "skel-not-found", "--", "\(Tool.folder)/dsp-client", "scenario",
                "--transport", "kernel",
            ], environment: ["DSP_LIBRARY_PATH": programs.folder], deadline: 60)
        for part in ["libecho_skel.so", programs.folder, "DSP_LIBRARY_PATH"] {
            #expect(
                result.output.replacing("\\/", with: "/").contains(part), "\(result.output)\(result.errors)")
        }
        #expect(result.output.contains("2147484678"), "0x80000406")
    }
}
