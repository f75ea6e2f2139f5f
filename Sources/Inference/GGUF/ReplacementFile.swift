#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file that takes another's place when it is complete, and leaves nothing behind when it is not.
package struct ReplacementFile: ~Copyable {
    private let path: String
    private let temporaryPath: String
    private let descriptor: CInt
    private var isCommitted = false

    package init(for path: String) throws(GGUFError) {
        self.path = path
        let suffix = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        temporaryPath = "\(path).\(suffix).part"
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Self.failure(path, "cannot create the file") }
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        if !isCommitted { unlink(temporaryPath) }
    }

    package func append(_ bytes: [UInt8]) throws(GGUFError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                write(descriptor, buffer.baseAddress.map { $0 + done }, bytes.count - done)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw Self.failure(path, "cannot write") }
            done += count
        }
    }

    /// Puts the file in its place.
    package consuming func commit() throws(GGUFError) {
        guard fsync(descriptor) == 0 else { throw Self.failure(path, "cannot flush to the disk") }
        guard rename(temporaryPath, path) == 0 else { throw Self.failure(path, "cannot put in place") }
        isCommitted = true
    }

    private static func failure(_ path: String, _ what: String) -> GGUFError {
        GGUFError(.unwritable, path: path, "\(what): \(String(cString: strerror(errno)))")
    }
}
