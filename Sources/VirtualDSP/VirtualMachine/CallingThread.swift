import CLinux
import Glibc
import SharedMemory
import VirtualKernel

/// A thread whose system call the kernel has handed to the supervisor.
final class CallingThread: Caller {
    let notification: Notification
    private let listener: NotificationListener

    init(_ notification: Notification, _ listener: NotificationListener) {
        self.notification = notification
        self.listener = listener
    }

    var thread: pid_t { notification.thread }

    var process: pid_t {
        let status = ProcessFiles.text("/proc/\(thread)/status")
        for line in status.split(separator: "\n") where line.hasPrefix("Tgid:") {
            return pid_t(line.dropFirst(5).drop { $0 == "\t" || $0 == " " }) ?? thread
        }
        return thread
    }

    var name: String {
        String(ProcessFiles.text("/proc/\(thread)/comm").prefix { $0 != "\n" })
    }

    var isWaiting: Bool { listener.isWaiting(notification.id) }

    func read(_ address: UInt64, into bytes: UnsafeMutableRawBufferPointer) throws(SystemError) {
        guard bytes.count > 0 else { return }
        let count = clinux_process_read(thread, address, bytes.baseAddress, UInt(bytes.count))
        let isComplete =
            count == bytes.count
            || count < 0 && (errno == EPERM || errno == ENOSYS) && copyThroughFile(address, bytes, .read)
        // Only now it is known that these were the caller's bytes, not those of one who got its number.
        guard isWaiting else { throw SystemError(EINTR) }
        guard isComplete else { throw SystemError(EFAULT) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, to address: UInt64) throws(SystemError) {
        guard bytes.count > 0 else { return }
        guard isWaiting else { throw SystemError(EINTR) }
        let count = clinux_process_write(thread, address, bytes.baseAddress, UInt(bytes.count))
        let isComplete =
            count == bytes.count
            || count < 0 && (errno == EPERM || errno == ENOSYS)
                && copyThroughFile(address, UnsafeMutableRawBufferPointer(mutating: bytes), .write)
        guard isComplete else { throw SystemError(EFAULT) }
    }

    func duplicate(_ descriptor: CInt) throws(SystemError) -> CInt {
        // PIDFD_THREAD, since Linux 6.9: a thread may have a table of its own.
        let threadItself = CUnsignedInt(O_EXCL)
        var target = clinux_pidfd_open(thread, threadItself)
        if target < 0, errno == EINVAL { target = clinux_pidfd_open(process, 0) }
        guard target >= 0 else { throw SystemError(EBADF) }
        defer { close(target) }
        let copy = clinux_pidfd_getfd(target, descriptor)
        guard copy >= 0 else { throw SystemError(EBADF) }
        guard isWaiting else {
            close(copy)
            throw SystemError(EINTR)
        }
        return copy
    }

    func give(_ descriptor: CInt, closeOnExec: Bool) throws(SystemError) -> CInt {
        try listener.give(notification.id, descriptor, closeOnExec: closeOnExec)
    }

    /// Reads the text that ends with a zero byte, at most `PATH_MAX` bytes.
    func path(at address: UInt64) throws(SystemError) -> [UInt8] {
        let limit = 4096
        var path: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 512)
        while path.count < limit {
            guard case let (place, overflow) = address.addingReportingOverflow(UInt64(path.count)), !overflow
            else { throw SystemError(EFAULT) }
            // Not across the bound of the smallest page there is: the next one may not be mapped.
            let count = min(piece.count, 4096 - Int(place & 4095), limit - path.count)
            var failure: SystemError?
            piece.withUnsafeMutableBytes { room in
                let room = UnsafeMutableRawBufferPointer(rebasing: room[..<count])
                do throws(SystemError) { try read(place, into: room) } catch { failure = error }
            }
            if let failure { throw failure }
            if let end = piece[..<count].firstIndex(of: 0) { return path + piece[..<end] }
            path += piece[..<count]
        }
        throw SystemError(ENAMETOOLONG)
    }

    private enum Direction { case read, write }

    private func copyThroughFile(
        _ address: UInt64, _ bytes: UnsafeMutableRawBufferPointer, _ direction: Direction
    ) -> Bool {
        guard let offset = off_t(exactly: address) else { return false }
        let memory = clinux_open("/proc/\(thread)/mem", (direction == .read ? O_RDONLY : O_RDWR) | O_CLOEXEC)
        guard memory >= 0 else { return false }
        defer { close(memory) }
        let count =
            direction == .read
            ? pread(memory, bytes.baseAddress, bytes.count, offset)
            : pwrite(memory, bytes.baseAddress, bytes.count, offset)
        return count == bytes.count
    }
}

/// Small files and links of `/proc`.
enum ProcessFiles {
    /// The text of a file, up to 4096 bytes; empty where it cannot be read.
    static func text(_ path: String) -> String {
        let file = clinux_open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    /// Where a link leads, or nil.
    static func link(_ path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: 4097)
        let count = readlink(path, &bytes, 4096)
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
