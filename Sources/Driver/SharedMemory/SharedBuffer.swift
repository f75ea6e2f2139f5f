import Glibc

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
    /// Whether the descriptor is a dma-buf, so that the host's accesses must be announced to the kernel.
    public let isDMABuffer: Bool

    private let release: @Sendable (CInt, UnsafeMutableRawPointer, Int) -> Void

    /// What a shared buffer was made by.
    public enum Origin: Hashable, Sendable {
        /// An anonymous file of this process: only a virtual DSP can map it.
        case memoryFile
        /// A heap under `/dev/dma_heap`.
        case dmaHeap(String)
        /// `FASTRPC_IOCTL_ALLOC_DMA_BUFF` of a FastRPC node.
        case fastRPC
        /// `rpcmem_alloc` of a FastRPC library.
        case rpcmem
        /// A DRM render node, by its path.
        case drm(String)
        /// Somebody else: the descriptor was handed to this process or made by another library.
        case adopted
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
        isDMABuffer = (try? SystemCalls.fileSystem(descriptor)) == DMABuffer.fileSystem
    }

    /// Maps a descriptor and takes ownership of both; the last close unmaps and closes.
    package init(owning descriptor: CInt, byteCount: Int, origin: Origin) throws(SystemError) {
        let address = try SystemCalls.map(descriptor, byteCount)
        self.init(descriptor: descriptor, address: address, byteCount: byteCount, origin: origin) {
            SystemCalls.unmap($1, $2)
            SystemCalls.close($0)
        }
    }

    /// Maps memory that is already there: a dma-buf or an anonymous file that somebody else made.
    ///
    /// - Parameters:
    ///   - descriptor: a descriptor of the memory, opened for reading and writing.
    ///   - byteCount: how many bytes from its start to map, at most its size.
    ///   - closingDescriptor: whether closing the buffer also closes the descriptor. It stays the
    ///     caller's when this initializer throws.
    /// - Throws: `EINVAL` when the memory is smaller than `byteCount`, or what `mmap` said.
    public init(
        mapping descriptor: CInt, byteCount: Int, closingDescriptor: Bool = true
    ) throws(SharedMemoryError) {
        let operation = "map \(byteCount) bytes of descriptor \(descriptor)"
        let address: UnsafeMutableRawPointer
        do throws(SystemError) {
            let available = try SystemCalls.byteCount(descriptor)
            guard byteCount > 0, byteCount <= available else { throw SystemError(EINVAL) }
            address = try SystemCalls.map(descriptor, byteCount)
        } catch {
            throw SharedMemoryError(operation: operation, errno: error.errno)
        }
        self.init(descriptor: descriptor, address: address, byteCount: byteCount, origin: .adopted) {
            SystemCalls.unmap($1, $2)
            if closingDescriptor { SystemCalls.close($0) }
        }
    }

    deinit {
        release(descriptor, address, byteCount)
    }

    /// Unmaps and frees the memory.
    public consuming func close() {}

    /// The whole buffer as the host sees it. While a DSP may use the memory too, go through
    /// ``withCPUAccess(_:_:)``.
    public var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }
}
