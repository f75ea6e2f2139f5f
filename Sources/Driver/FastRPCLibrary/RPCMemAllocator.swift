import Glibc
import SharedMemory

/// A heap of `rpcmem_alloc`. The Linux library ignores it; Android's does not.
public struct RPCMemHeap: RawRepresentable, Hashable, Sendable {
    /// The heap's id.
    public var rawValue: CInt

    /// Wraps an id.
    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    /// `RPCMEM_HEAP_ID_SYSTEM`: ordinary pages.
    public static let system = RPCMemHeap(rawValue: 25)
    /// `RPCMEM_HEAP_ID_CONTIG`: physically contiguous memory.
    public static let contiguous = RPCMemHeap(rawValue: 22)
}

/// Flags of `rpcmem_alloc`. The Linux library ignores them; Android's does not.
public struct RPCMemFlags: OptionSet, Hashable, Sendable {
    /// The bits.
    public var rawValue: UInt32

    /// Wraps bits.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// `RPCMEM_FLAG_CACHED`, the default: memory that the host's caches hold.
    public static let cached = RPCMemFlags(rawValue: 1)
    /// `RPCMEM_TRY_MAP_STATIC`: map into every session that is open.
    public static let tryMapStatic = RPCMemFlags(rawValue: 0x0400_0000)
}

/// Shared memory from a FastRPC library: `rpcmem_alloc`, which also tells the library that buffers in it
/// need no copy.
public struct RPCMemAllocator: SharedMemoryAllocator {
    /// The library that allocates.
    public let library: FastRPCLibrary
    /// The heap asked for.
    public let heap: RPCMemHeap
    /// The flags asked for.
    public let flags: RPCMemFlags

    /// Allocates through `library`.
    public init(library: FastRPCLibrary, heap: RPCMemHeap = .system, flags: RPCMemFlags = .cached) {
        self.library = library
        self.heap = heap
        self.flags = flags
    }

    /// Allocates `byteCount` bytes, rounded up to whole pages. From 2 GiB on the library needs
    /// `rpcmem_alloc2`.
    public func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        let operation = "allocate \(byteCount) bytes with rpcmem_alloc of \(library.file)"
        let size = try wholePages(byteCount, operation: operation)
        let address: UnsafeMutableRawPointer?
        if let small = CInt(exactly: size) {
            address = library.required.allocate(heap.rawValue, flags.rawValue, small)
        } else if let allocate2 = library.optional.allocate2 {
            address = allocate2(heap.rawValue, flags.rawValue, size)
        } else {
            throw SharedMemoryError(
                operation: operation, errno: EFBIG,
                advice: "this library lacks rpcmem_alloc2, so a buffer must be smaller than 2 GiB")
        }
        guard let address else {
            throw SharedMemoryError(
                operation: operation, errno: 0,
                advice: "memory ran out, or neither /dev/dma_heap/system nor a /dev/fastrpc node is open to "
                    + "this user; fastrpc-probe tells which")
        }
        let descriptor = library.required.descriptor(address)
        guard descriptor >= 0 else {
            library.required.free(address)
            throw SharedMemoryError(
                operation: operation, errno: 0, advice: "rpcmem_to_fd knows no descriptor of the memory")
        }
        return SharedBuffer(
            descriptor: descriptor, address: address, byteCount: size, origin: .rpcmem
        ) { [library] _, address, _ in
            library.required.free(address)
        }
    }
}
