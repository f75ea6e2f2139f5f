import Glibc
import SharedMemory

/// A child without input, whose output and complaints go to memory.
final class ChildProcess: Sendable {
    let identifier: pid_t
    private let messages: CInt

    /// Starts a program. `socket` is its descriptor 3, and the only one besides the usual.
    init(_ program: String, _ arguments: [String], socket: CInt?) throws(SystemError) {
        messages = try SystemCalls.memoryFile("qemu-messages")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, messages, 1)
        posix_spawn_file_actions_adddup2(&actions, messages, 2)
        if let socket { posix_spawn_file_actions_adddup2(&actions, socket, 3) }

        // A terminal's Ctrl-C is for the client; the child ends when its socket does.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

        let words = ([program] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, program, &actions, &attributes, words + [nil], environ)
        guard code == 0 else {
            SystemCalls.close(messages)
            throw SystemError(code)
        }
        identifier = process
    }

    deinit { SystemCalls.close(messages) }

    /// Waits for the end; the status as `waitpid` gives it, -1 where it is lost.
    func wait() -> CInt {
        var status: CInt = 0
        while waitpid(identifier, &status, 0) < 0 {
            guard errno == EINTR else { return -1 }
        }
        return status
    }

    func kill() { Glibc.kill(identifier, SIGKILL) }

    /// The last of what it has written.
    var words: String {
        guard let size = try? SystemCalls.byteCount(messages), size > 0 else { return "" }
        let count = min(size, 512)
        var bytes = [UInt8](repeating: 0, count: count)
        let found = pread(messages, &bytes, count, size - count)
        let text = String(decoding: bytes.prefix(max(found, 0)), as: UTF8.self)
        return text.split(separator: "\n").last.map(String.init) ?? ""
    }
}
