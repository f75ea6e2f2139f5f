import Glibc

/// Where shared buffers come from.
public protocol SharedMemoryAllocator: Sendable {
    /// Allocates at least `byteCount` bytes, zeroed and page-aligned, mapped for reading and writing.
    func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer
}

extension SharedMemoryAllocator {
    /// `byteCount` rounded up to whole pages; throws `EINVAL` where nothing is asked for and `EOVERFLOW`
    /// where no address space could hold it.
    package func wholePages(_ byteCount: Int, operation: String) throws(SharedMemoryError) -> Int {
        guard byteCount > 0 else {
            throw SharedMemoryError(
                operation: operation, errno: EINVAL, advice: "the size must be positive")
        }
        let mask = SystemCalls.pageSize - 1
        let (end, overflow) = byteCount.addingReportingOverflow(mask)
        guard !overflow else { throw SharedMemoryError(operation: operation, errno: EOVERFLOW) }
        return end & ~mask
    }
}
