#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A regular file mapped read-only for as long as this object lives.
///
/// The file must not be shortened meanwhile: reading past its new end ends the process with SIGBUS, as
/// with every mapping.
package final class MappedFile: @unchecked Sendable {
    package let path: String
    /// The file's contents.
    package let bytes: UnsafeRawBufferPointer
    /// When it was last changed before it was opened, in nanoseconds since 1970.
    package let modificationTime: Int
    private let (device, number): (dev_t, ino_t)

    package init(path: String) throws(GGUFError) {
        func fail(_ what: String) -> GGUFError {
            GGUFError(.unreadable, path: path, "\(what): \(String(cString: strerror(errno)))")
        }
        guard !path.utf8.contains(0) else {
            throw GGUFError(.unreadable, path: quoted(path), "a path cannot hold a zero byte")
        }
        // Not blocking, so that a named pipe is refused below instead of waited for.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw fail("cannot open") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw fail("cannot read the size") }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw GGUFError(.unreadable, path: path, "is a directory, not a GGUF file")
        default: throw GGUFError(.unreadable, path: path, "is not a regular file")
        }
        self.path = path
        (device, number) = (status.st_dev, status.st_ino)
        modificationTime = status.st_mtim.tv_sec &* 1_000_000_000 &+ status.st_mtim.tv_nsec
        let size = Int(status.st_size)
        guard size > 0 else {
            throw GGUFError(.truncated, path: path, at: 0, "the file is empty")
        }
        guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw fail("cannot map \(size) bytes")
        }
        bytes = UnsafeRawBufferPointer(start: start, count: size)
    }

    /// Whether that path leads to this file, by whatever name.
    package func isStored(at path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_dev == device && status.st_ino == number
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }

    /// Tells the kernel what becomes of a range of the file; a hint, so failure means nothing.
    package func advise(_ advice: GGUFFile.Advice, _ range: Range<Int>) {
        guard let start = bytes.baseAddress, !range.isEmpty else { return }
        let page = sysconf(Int32(_SC_PAGESIZE))
        var lower = range.lowerBound / page * page
        var upper = range.upperBound
        let flag: CInt
        switch advice {
        case .willNeed: flag = CInt(MADV_WILLNEED)
        case .doneWith:
            // Pages shared with a neighbour stay.
            lower = (range.lowerBound + page - 1) / page * page
            upper = range.upperBound / page * page
            flag = CInt(MADV_DONTNEED)
        }
        guard lower < upper else { return }
        madvise(UnsafeMutableRawPointer(mutating: start + lower), upper - lower, flag)
    }
}
