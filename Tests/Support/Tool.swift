import Foundation
import Glibc

/// The package's command-line tools, run as processes.
///
/// They are looked for beside the running test program, or in the folder that `HEXAGONRPC_TOOLS` names.
package enum Tool {
    /// What a tool did.
    package struct Result: Sendable {
        /// The exit code, or nil where a signal ended it.
        package var exitCode: CInt?
        /// The signal that ended it.
        package var signal: CInt?
        package var output: String
        package var errors: String
        /// The lines on standard error.
        package var errorLines: [Substring] { errors.split(separator: "\n") }
    }

    /// Why a tool could not be run, or did not end.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// When a tool gets Ctrl-C.
    package enum Interruption: Sendable {
        case never
        /// As soon as it has written something to standard output.
        case afterOutput
        /// So many times, one right after the other.
        case afterSeconds(Double, count: Int = 1)
    }

    /// The folder of the tools.
    package static let folder: String =
        ProcessInfo.processInfo.environment["HEXAGONRPC_TOOLS"]
        ?? URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path

    /// Runs a tool and waits for its end; one that takes longer than `deadline` seconds is killed, which is a
    /// ``Failure``.
    ///
    /// - Parameter outputPath: where standard output goes instead of into the result.
    package static func run(
        _ name: String, _ arguments: [String], input: String = "", outputPath: String? = nil,
        environment: [String: String] = [:],
        interrupt: Interruption = .never, deadline: Double = 300
    ) throws -> Result {
        let folder = try TemporaryFolder()
        let (input, output, errors) = (
            try folder.write(Array(input.utf8), to: "in"), outputPath ?? folder.path("out"),
            folder.path("err")
        )
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT, 0o600)
        let process = try start(name, arguments, environment, &actions)

        let start = ContinuousClock.now
        var status: CInt = 0
        var isInterrupted = false
        while waitpid(process, &status, WNOHANG) == 0 {
            let elapsed = ContinuousClock.now - start
            guard elapsed < .seconds(deadline) else {
                kill(process, SIGKILL)
                waitpid(process, &status, 0)
                throw Failure(description: "\(name) \(arguments) did not end within \(deadline) s")
            }
            let isDue =
                switch interrupt {
                case .never: false
                case .afterOutput: size(of: output) > 0
                case .afterSeconds(let seconds, _): elapsed >= .seconds(seconds)
                }
            if isDue, !isInterrupted {
                kill(process, SIGINT)
                isInterrupted = true
                if case .afterSeconds(_, let count) = interrupt {
                    for _ in 1..<count {
                        usleep(50_000)
                        kill(process, SIGINT)
                    }
                }
            }
            usleep(2000)
        }
        let signal = status & 0x7f
        return Result(
            exitCode: signal == 0 ? status >> 8 & 0xff : nil, signal: signal == 0 ? nil : signal,
            output: outputPath == nil ? try text(in: output) : "", errors: try text(in: errors))
    }

    private static func size(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    private static func text(in path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }

    /// Starts a tool.
    ///
    /// - Parameter flags: of `posix_spawn`, besides those for signals.
    static func start(
        _ name: String, _ arguments: [String], _ environment: [String: String],
        _ actions: inout posix_spawn_file_actions_t, flags: CInt = 0
    ) throws -> pid_t {
        // A test program started in the background may ignore Ctrl-C, its threads may block it; both would
        // be handed down.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(CInt(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK) | flags))

        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let path = folder + "/" + name
        var process = pid_t()
        let code = withCStrings([path] + arguments) { arguments in
            withCStrings(variables.map { "\($0.key)=\($0.value)" }) { variables in
                posix_spawn(&process, path, &actions, &attributes, arguments, variables)
            }
        }
        guard code == 0 else {
            throw Failure(
                description:
                    "\(path): \(String(cString: strerror(code))); set HEXAGONRPC_TOOLS to the tools' folder")
        }
        return process
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}
