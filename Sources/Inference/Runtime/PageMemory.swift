import Glibc

/// Zeroed memory that becomes real page by page, where it is touched first: what nobody uses costs nothing, and what a
/// thread uses is near its core.
final class PageMemory: @unchecked Sendable {  // a place, whose users share it out
    let start: UnsafeMutableRawPointer
    let byteCount: Int

    /// Fails where the address space has no room for it.
    init?(byteCount: Int) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard
            let start = mmap(nil, max(byteCount, 1), PROT_READ | PROT_WRITE, flags, -1, 0),
            start != MAP_FAILED
        else { return nil }
        (self.start, self.byteCount) = (start, max(byteCount, 1))
    }

    deinit {
        munmap(start, byteCount)
    }
}
