import Foundation
import Glibc

/// A tool at a terminal of its own: what a person types and sees.
package final class TerminalSession {
    private let terminal: CInt
    private let process: pid_t
    private let folder: TemporaryFolder
    private var status: CInt?
    /// What has appeared on the terminal, standard error and what was typed.
    package private(set) var screen = ""

    /// Starts a tool; its standard output goes into a file.
    package init(_ name: String, _ arguments: [String], environment: [String: String] = [:]) throws {
        folder = try TemporaryFolder()
        terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var (isLocked, number): (CInt, CInt) = (0, 0)
        // TIOCSPTLCK and TIOCGPTN
        guard terminal >= 0, ioctl(terminal, 0x4004_5431, &isLocked) == 0,
            ioctl(terminal, 0x8004_5430, &number) == 0
        else {
            throw Tool.Failure(description: "there is no terminal: \(String(cString: strerror(errno)))")
        }
        let sidePath = "/dev/pts/\(number)"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The first terminal that the leader of a session opens is where its Ctrl-C comes from.
        posix_spawn_file_actions_addopen(&actions, 0, sidePath, O_RDWR, 0)
        posix_spawn_file_actions_addopen(&actions, 1, folder.path("out"), O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        // POSIX_SPAWN_SETSID
        process = try Tool.start(name, arguments, environment, &actions, flags: 0x80)
        _ = fcntl(terminal, F_SETFL, O_NONBLOCK)
    }

    deinit {
        if status == nil, process > 0 {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        close(terminal)
    }

    /// Types keys: `\u{3}` is Ctrl-C, `\u{4}` Ctrl-D, `\n` the return key.
    package func type(_ keys: String) throws {
        let bytes = Array(keys.utf8)
        guard write(terminal, bytes, bytes.count) == bytes.count else {
            throw Tool.Failure(description: "cannot type: \(String(cString: strerror(errno)))")
        }
    }

    /// What the tool has written to standard output.
    package var output: String {
        String(decoding: FileManager.default.contents(atPath: folder.path("out")) ?? Data(), as: UTF8.self)
    }

    /// Waits until something has happened.
    package func wait(
        for what: String, deadline: Double = 180, _ hasHappened: (TerminalSession) -> Bool
    ) throws {
        let start = ContinuousClock.now
        while !hasHappened(self) {
            look()
            guard ContinuousClock.now - start < .seconds(deadline) else {
                throw Tool.Failure(
                    description: "no \(what) within \(deadline) s; the terminal shows: \(screen)")
            }
            usleep(5000)
        }
    }

    /// Waits for the tool's end and returns its exit code; nil where a signal ended it.
    package func exitCode(deadline: Double = 180) throws -> CInt? {
        try wait(for: "end", deadline: deadline) { session in
            var status: CInt = 0
            if session.status == nil, waitpid(session.process, &status, WNOHANG) != 0 {
                session.status = status
            }
            return session.status != nil
        }
        look()
        let status = status ?? 0
        return status & 0x7f == 0 ? status >> 8 & 0xff : nil
    }

    private func look() {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while case let count = read(terminal, &bytes, bytes.count), count > 0 {
            screen += String(decoding: bytes[..<count], as: UTF8.self)
        }
    }
}
