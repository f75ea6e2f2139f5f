import CLinux
import Glibc

/// The system calls of the Driver floor, one wrapper each.
///
/// One rule for all of them: a call that a signal interrupted (`EINTR`) is made again, except `close`,
/// after which Linux has released the descriptor whatever it returned, and an `ioctl` whose caller says
/// that making it twice is not the same as making it once. A test can watch and force every call through
/// ``SystemCallTracer``.
package enum SystemCalls {
    /// The tracer of the current task, if a test has set one.
    @TaskLocal package static var tracer: SystemCallTracer?

    /// Opens `path`; `O_CLOEXEC` is always set.
    package static func open(_ path: String, _ flags: CInt) throws(SystemError) -> CInt {
        try call("open", "\"\(path)\"") { clinux_open(path, flags | O_CLOEXEC) }
    }

    /// Closes a descriptor. There is nothing a caller could do about a failure.
    package static func close(_ descriptor: CInt) {
        if let tracer, tracer.answer("close", "\(descriptor)", nil) != nil { return }
        _ = Glibc.close(descriptor)
    }

    /// Closes what a descriptor stands for but keeps its number taken, by an open `/dev/null`: a thread that
    /// still uses the number gets an error instead of somebody else's file.
    package static func retire(_ descriptor: CInt) throws(SystemError) {
        let null = try open("/dev/null", O_RDONLY)
        defer { close(null) }
        _ = try call("dup3", "\(null), \(descriptor)") { clinux_dup3(null, descriptor, O_CLOEXEC) }
    }

    /// Makes a system call on a device. Returns what the kernel returned unless that is -1: FastRPC
    /// answers with DSP codes here.
    ///
    /// - Parameter repeating: whether a call that a signal interrupted is made again.
    @discardableResult
    package static func ioctl(
        _ descriptor: CInt, _ request: IOControlRequest, _ argument: UnsafeMutableRawPointer?,
        repeating: Bool = true
    ) throws(SystemError) -> CInt {
        try call("ioctl", "\(descriptor), \(request)", argument, repeating: repeating) {
            clinux_ioctl(descriptor, CUnsignedLong(request.rawValue), argument)
        }
    }

    /// Creates an anonymous file that can be sealed.
    package static func memoryFile(_ name: String) throws(SystemError) -> CInt {
        let closeOnExec: CUnsignedInt = 1  // MFD_CLOEXEC
        let allowSealing: CUnsignedInt = 2  // MFD_ALLOW_SEALING
        return try call("memfd_create", "\"\(name)\"") {
            clinux_memfd_create(name, closeOnExec | allowSealing)
        }
    }

    /// Sets the size of a file.
    package static func truncate(_ descriptor: CInt, _ byteCount: Int) throws(SystemError) {
        _ = try call("ftruncate", "\(descriptor), \(byteCount)") { ftruncate(descriptor, byteCount) }
    }

    /// Seals an anonymous file against becoming smaller, which would take pages from under a mapping.
    package static func sealAgainstShrinking(_ descriptor: CInt) throws(SystemError) {
        let addSeals: CInt = 1033  // F_ADD_SEALS
        let shrink: CInt = 2  // F_SEAL_SHRINK
        _ = try call("fcntl", "\(descriptor), F_ADD_SEALS, F_SEAL_SHRINK") {
            clinux_fcntl(descriptor, addSeals, shrink)
        }
    }

    /// Lets a descriptor end at the next `exec`, for one that the kernel made without `O_CLOEXEC`.
    package static func closeOnExec(_ descriptor: CInt) throws(SystemError) {
        _ = try call("fcntl", "\(descriptor), F_SETFD, FD_CLOEXEC") {
            clinux_fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
    }

    /// Maps the first `byteCount` bytes for reading and writing, shared with all other mappings.
    package static func map(
        _ descriptor: CInt, _ byteCount: Int
    ) throws(SystemError) -> UnsafeMutableRawPointer {
        var address: UnsafeMutableRawPointer?
        _ = try call("mmap", "\(descriptor), \(byteCount)") {
            address = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
            return address == MAP_FAILED ? -1 : 0
        }
        guard let address else { throw SystemError(ENOMEM) }
        return address
    }

    /// Ends a mapping.
    package static func unmap(_ address: UnsafeMutableRawPointer, _ byteCount: Int) {
        if let tracer, tracer.answer("munmap", "\(byteCount)", nil) != nil { return }
        munmap(address, byteCount)
    }

    /// How many bytes stand behind a descriptor; the offset of a file is not moved.
    package static func byteCount(_ descriptor: CInt) throws(SystemError) -> Int {
        var status = stat()
        _ = try call("fstat", "\(descriptor)") { fstat(descriptor, &status) }
        if status.st_size > 0 { return Int(status.st_size) }
        // Older kernels tell the size of a dma-buf to lseek only.
        return try call("lseek", "\(descriptor), 0, SEEK_END") { lseek(descriptor, 0, SEEK_END) }
    }

    /// The magic number of the file system that a descriptor belongs to.
    package static func fileSystem(_ descriptor: CInt) throws(SystemError) -> Int {
        try call("fstatfs", "\(descriptor)") { clinux_file_system(descriptor) }
    }

    /// Whether this process may use `path` as `mode` (`R_OK`, `W_OK`, `F_OK`) says; opens nothing.
    package static func access(_ path: String, _ mode: CInt) throws(SystemError) {
        _ = try call("access", "\"\(path)\", \(mode)") { Glibc.access(path, mode) }
    }

    /// The whole of a file, which may be one that the kernel makes up while it is read.
    package static func contents(of path: String) throws(SystemError) -> [UInt8] {
        let descriptor = try open(path, O_RDONLY)
        defer { close(descriptor) }
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
        defer { chunk.deallocate() }
        var bytes: [UInt8] = []
        while true {
            let count = try call("read", "\(descriptor), \(chunk.count)", chunk.baseAddress) {
                Glibc.read(descriptor, chunk.baseAddress, chunk.count)
            }
            guard count > 0 else { return bytes }
            bytes += chunk[..<min(count, chunk.count)]
        }
    }

    /// The names of what is in a directory, in no order; none where it cannot be read.
    package static func fileNames(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }

    /// The name of the calling thread. The kernel shows at most 15 bytes of it, and tells it to a DSP as the name
    /// of a process that the thread creates there.
    package static var threadName: String {
        get {
            withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { room in
                room.initializeMemory(as: UInt8.self, repeating: 0)
                if let base = room.baseAddress {
                    clinux_thread_name(base.assumingMemoryBound(to: CChar.self))
                }
                return String(decoding: room.prefix { $0 != 0 }, as: UTF8.self)
            }
        }
        set { clinux_set_thread_name(newValue) }
    }

    /// The size of a page, as the kernel says.
    package static var pageSize: Int { sysconf(CInt(_SC_PAGESIZE)) }

    private static func call<Value: SignedInteger>(
        _ name: String, _ arguments: @autoclosure () -> String, _ pointer: UnsafeMutableRawPointer? = nil,
        repeating: Bool = true, _ body: () -> Value
    ) throws(SystemError) -> Value {
        while true {
            var result: Value
            var code: CInt = 0
            switch tracer?.answer(name, arguments(), pointer) {
            case .value(let value)?: result = Value(value)
            case .failure(let forced)?: (result, code) = (-1, forced)
            case nil:
                result = body()
                code = errno
            }
            guard result == -1 else { return result }
            guard code == EINTR, repeating else { throw SystemError(code) }
        }
    }
}

/// An `errno` as an error.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The system's number.
    package var errno: CInt

    /// Wraps a number.
    package init(_ errno: CInt) {
        self.errno = errno
    }

    /// The system's text and the number, for example `Permission denied (errno 13)`.
    package var description: String { "\(String(cString: strerror(errno))) (errno \(errno))" }
}

/// The number of an `ioctl`: direction, size of the argument, type letter and index
/// (`include/uapi/asm-generic/ioctl.h`).
package struct IOControlRequest: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Which way the argument travels, seen from the process.
    package enum Direction: UInt32 {
        /// `_IO`
        case none = 0
        /// `_IOW`
        case write = 1
        /// `_IOR`
        case read = 2
        /// `_IOWR`
        case readWrite = 3
    }

    /// Computes a number as the macros of the kernel do.
    package init(_ direction: Direction, _ type: Unicode.Scalar, _ index: UInt8, byteCount: Int) {
        rawValue =
            direction.rawValue << 30 | UInt32(byteCount) << 16 | type.value << 8 | UInt32(index)
    }

    /// The number in hexadecimal, as `strace -X raw` shows it.
    package var description: String { "0x" + String(rawValue, radix: 16) }
}
