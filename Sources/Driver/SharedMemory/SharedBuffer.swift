/// Memory that host and DSP both see: a file descriptor, the host's mapping of it, and who made it.
///
/// The owner closes it with ``close()``; a buffer that goes out of scope is closed as well.
public struct SharedBuffer: ~Copyable, @unchecked Sendable {
    /// The descriptor by which the DSP names the memory.
    public let descriptor: CInt
    /// Where the host sees it; page-aligned.
    public let address: UnsafeMutableRawPointer
    /// Its size in bytes.
    public let byteCount: Int
    /// What made it.
    public let origin: Origin

    private let release: @Sendable (CInt, UnsafeMutableRawPointer, Int) -> Void

    /// What a shared buffer was made by; it decides how CPU access is announced.
    public enum Origin: Hashable, Sendable {
        /// An anonymous file of this process: only a virtual DSP can map it.
        case memoryFile
        /// A heap under `/dev/dma_heap`.
        case dmaHeap(String)
        /// `rpcmem_alloc` of a FastRPC library.
        case rpcmem
    }

    /// Takes ownership of mapped memory; `release` is called exactly once.
    package init(
        descriptor: CInt, address: UnsafeMutableRawPointer, byteCount: Int, origin: Origin,
        release: @escaping @Sendable (CInt, UnsafeMutableRawPointer, Int) -> Void
    ) {
        self.descriptor = descriptor
        self.address = address
        self.byteCount = byteCount
        self.origin = origin
        self.release = release
    }

    deinit {
        release(descriptor, address, byteCount)
    }

    /// Unmaps and frees the memory.
    public consuming func close() {}

    /// The whole buffer as the host sees it.
    public var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }
}
