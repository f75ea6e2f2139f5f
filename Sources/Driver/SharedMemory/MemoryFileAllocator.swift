/// Shared memory from anonymous files (`memfd_create`), sealed against shrinking.
///
/// Only a virtual DSP, or another process that is handed the descriptor, can map it: a real DSP needs a
/// dma-buf.
public struct MemoryFileAllocator: SharedMemoryAllocator {
    /// Makes an allocator; it holds nothing.
    public init() {}

    /// Allocates `byteCount` bytes, rounded up to whole pages.
    public func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        let operation = "allocate \(byteCount) bytes of an anonymous file"
        let size = try wholePages(byteCount, operation: operation)
        do throws(SystemError) {
            let descriptor = try SystemCalls.memoryFile("hexagonrpc")
            do throws(SystemError) {
                try SystemCalls.truncate(descriptor, size)
                try SystemCalls.sealAgainstShrinking(descriptor)
                return try SharedBuffer(owning: descriptor, byteCount: size, origin: .memoryFile)
            } catch {
                SystemCalls.close(descriptor)
                throw error
            }
        } catch {
            throw SharedMemoryError(operation: operation, errno: error.errno)
        }
    }
}
