#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file that takes another's place when it is complete, and leaves nothing behind when it is not: until then it has no
/// name, so that it goes with the process, however that ends. Where the file system has no such files, it has another name,
/// which only a killed process leaves.
package struct ReplacementFile: ~Copyable {
    private let path: String
    private let temporaryPath: String
    private let descriptor: CInt
    private let hasName: Bool
    private var isCommitted = false

    package init(for path: String) throws(GGUFError) {
        self.path = path
        let suffix = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        temporaryPath = "\(path).\(suffix).part"
        let nameless = Self.openNameless(beside: path)
        hasName = nameless < 0
        descriptor =
            hasName ? open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) : nameless
        guard descriptor >= 0 else { throw Self.failure(path, "cannot create the file") }
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        if hasName && !isCommitted { unlink(temporaryPath) }
    }

    /// A file without a name in the folder of `path`, or -1.
    private static func openNameless(beside path: String) -> CInt {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        // O_TMPFILE, which includes O_DIRECTORY; a file is given a name through /proc.
        let descriptor = open(folder, 0o20_000_000 | O_DIRECTORY | O_WRONLY | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { return -1 }
        guard access("/proc/self/fd/\(descriptor)", F_OK) == 0 else {
            close(descriptor)
            return -1
        }
        return descriptor
    }

    /// Has the disk set aside room for the whole file, where the file system can, so that a full disk is noticed
    /// before much is written.
    package func reserve(_ byteCount: Int) throws(GGUFError) {
        let code = posix_fallocate(descriptor, 0, byteCount)
        guard code != ENOSPC, code != EFBIG, code != EDQUOT else {
            errno = code
            throw Self.failure(path, "cannot reserve \(byteCount) bytes")
        }
    }

    package func append(_ bytes: [UInt8]) throws(GGUFError) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(GGUFError) in try append(bytes) }
        }
        try result.get()
    }

    package func append(_ bytes: UnsafeRawBufferPointer) throws(GGUFError) {
        var done = 0
        while done < bytes.count {
            let count = write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw Self.failure(path, "cannot write") }
            done += count
        }
    }

    /// Puts the file in its place.
    ///
    /// - Parameter isFlushed: wait until it is on the disk; otherwise a crash of the system may leave a damaged file.
    package consuming func commit(isFlushed: Bool = true) throws(GGUFError) {
        guard !isFlushed || fsync(descriptor) == 0 else {
            throw Self.failure(path, "cannot flush to the disk")
        }
        if !hasName {
            let code = linkat(
                AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, temporaryPath, AT_SYMLINK_FOLLOW)
            guard code == 0 else { throw Self.failure(path, "cannot name the file") }
        }
        guard rename(temporaryPath, path) == 0 else {
            let error = Self.failure(path, "cannot put in place")
            if !hasName { unlink(temporaryPath) }
            throw error
        }
        isCommitted = true
    }

    private static func failure(_ path: String, _ what: String) -> GGUFError {
        GGUFError(.unwritable, path: path, "\(what): \(String(cString: strerror(errno)))")
    }
}
