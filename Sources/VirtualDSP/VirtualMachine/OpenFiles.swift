import CLinux
import Glibc
import SharedMemory
import Synchronization
import VirtualKernel

/// The open files of emulated nodes. A program holds one end of a pair of sockets; that the last duplicate of
/// it was closed, in whatever process, is seen at the other end.
final class OpenFiles: Sendable {
    private struct Entry {
        var file: any VirtualFile
        /// A reference (`O_PATH`) to the inode of the program's end, which keeps its number from being used
        /// again as long as the registry has it.
        var inode: CInt
        var path: String
    }

    private let registry: FileRegistry
    private let epoll: CInt
    /// By our end of the pair.
    private let entries = Mutex<[CInt: Entry]>([:])
    private let collecting = Mutex(())
    private let onRelease: @Sendable (any VirtualFile, String) -> Void

    init(
        _ registry: FileRegistry, onRelease: @escaping @Sendable (any VirtualFile, String) -> Void
    ) throws(SystemError) {
        self.registry = registry
        self.onRelease = onRelease
        epoll = clinux_epoll_create()
        guard epoll >= 0 else { throw SystemError(errno) }
    }

    deinit { close(epoll) }

    /// Makes the descriptor for a file that was opened with `flags`; the caller gives it away and closes it.
    func adopt(_ file: any VirtualFile, path: String, _ flags: CInt) throws(SystemError) -> CInt {
        var ends: [CInt] = [-1, -1]
        var type = CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        if flags & O_NONBLOCK != 0 { type |= CInt(SOCK_NONBLOCK.rawValue) }
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            let code = errno
            file.release()
            throw SystemError(code)
        }
        let (ours, theirs) = (ends[0], ends[1])
        // The real node has neither read nor write (EINVAL). A socket can only be kept from blocking: who reads
        // finds the end, and what somebody writes is dropped, so that no queue fills.
        shutdown(ours, CInt(SHUT_WR))
        Self.dropPackets(ours)
        let inode = clinux_open("/proc/self/fd/\(theirs)", O_PATH | O_CLOEXEC)
        do throws(SystemError) {
            guard inode >= 0 else { throw SystemError(errno) }
            try registry.register(file, for: theirs)
            entries.withLock { $0[ours] = Entry(file: file, inode: inode, path: path) }
            guard clinux_epoll_add_hangup(epoll, ours) == 0 else { throw SystemError(errno) }
        } catch {
            _ = entries.withLock { $0.removeValue(forKey: ours) }
            if inode >= 0 {
                registry.remove(inode)
                close(inode)
            }
            close(ours)
            close(theirs)
            file.release()
            throw error
        }
        return theirs
    }

    /// Releases what has been closed. Who opens a node calls it first, so that what was closed before is free.
    func collect() {
        collecting.withLock { _ in
            var ready = [CInt](repeating: -1, count: 16)
            while true {
                let count = Int(clinux_epoll_wait(epoll, &ready, 16, 0))
                guard count > 0 else { return }
                for end in ready.prefix(count) { release(end) }
            }
        }
    }

    /// Releases files as they are closed, until `isEnding` says so.
    func watch(until isEnding: @escaping @Sendable () -> Bool) {
        while !isEnding() {
            var state = pollfd(fd: epoll, events: Int16(POLLIN), revents: 0)
            if poll(&state, 1, 100) > 0 { collect() }
        }
    }

    /// Releases everything.
    func releaseAll() {
        collecting.withLock { _ in
            for end in entries.withLock({ Array($0.keys) }) { release(end) }
        }
    }

    /// The node that a file belongs to.
    func path(of file: any VirtualFile) -> String? {
        entries.withLock { $0.values.first { $0.file === file }?.path }
    }

    // A filter that takes no byte of any packet. Without it, which only happens where the kernel has none, a
    // program that writes a lot to a node would wait.
    private static func dropPackets(_ socket: CInt) {
        struct Program {
            var count: UInt16
            var instructions: UnsafePointer<SystemCallFilter.Instruction>
        }
        let instructions = [SystemCallFilter.Instruction(code: 0x06, operand: 0)]
        instructions.withUnsafeBufferPointer { instructions in
            guard let base = instructions.baseAddress else { return }
            var program = Program(count: 1, instructions: base)
            let attachFilter: CInt = 26  // SO_ATTACH_FILTER
            setsockopt(
                socket, SOL_SOCKET, attachFilter, &program, socklen_t(MemoryLayout<Program>.size))
        }
    }

    private func release(_ end: CInt) {
        guard let entry = entries.withLock({ $0.removeValue(forKey: end) }) else { return }
        registry.remove(entry.inode)
        close(entry.inode)
        // A child that another thread has just forked may hold a duplicate until it executes: the hangup would be
        // reported again, under a number that is another file's by then.
        _ = clinux_epoll_remove(epoll, end)
        close(end)
        entry.file.release()
        onRelease(entry.file, entry.path)
    }
}
