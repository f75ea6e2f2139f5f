/// Where shared buffers come from.
public protocol SharedMemoryAllocator: Sendable {
    /// Allocates at least `byteCount` bytes, zeroed and page-aligned, mapped for reading and writing.
    func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer
}

/// Why shared memory could not be had.
public struct SharedMemoryError: Error, Hashable, Sendable {
    /// What was being done, for example `allocate 4096 bytes from /dev/dma_heap/system`.
    public var operation: String
    /// The system's `errno`, or 0 where there is none.
    public var errno: CInt
    /// What the reader may do about it, or an empty string.
    public var advice: String

    /// Describes a failed allocation.
    public init(operation: String, errno: CInt, advice: String = "") {
        self.operation = operation
        self.errno = errno
        self.advice = advice
    }
}
