import Glibc

/// Shared memory from one of the kernel's dma-buf heaps (`/dev/dma_heap/…`).
///
/// The heap is opened for reading only, which is all that allocation needs, and for each allocation
/// anew, so that an allocator holds no descriptor.
public struct DMAHeapAllocator: SharedMemoryAllocator {
    /// The heap's device node.
    public let path: String

    private var name: String

    /// Allocates from a heap by its name under `/dev/dma_heap`; `system` has ordinary, cached pages.
    public init(heap: String = "system") {
        self.init(heap: heap, directory: "/dev/dma_heap")
    }

    package init(heap: String, directory: String) {
        name = heap
        path = "\(directory)/\(heap)"
    }

    /// Allocates `byteCount` bytes, rounded up to whole pages.
    ///
    /// The error's advice tells apart a heap that is not there, one that this user may not open, and
    /// memory that has run out.
    public func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        let operation = "allocate \(byteCount) bytes from \(path)"
        let size = try wholePages(byteCount, operation: operation)
        do throws(SystemError) {
            var request = DMAHeap.Allocation(byteCount: UInt64(size))
            let heap = try SystemCalls.open(path, O_RDONLY)
            defer { SystemCalls.close(heap) }
            try SystemCalls.ioctl(heap, DMAHeap.allocate, &request)
            let descriptor = CInt(bitPattern: request.descriptor)
            do throws(SystemError) {
                return try SharedBuffer(owning: descriptor, byteCount: size, origin: .dmaHeap(name))
            } catch {
                SystemCalls.close(descriptor)
                throw error
            }
        } catch {
            throw SharedMemoryError(
                operation: operation, errno: error.errno, advice: advice(error.errno))
        }
    }

    private func advice(_ errno: CInt) -> String {
        switch errno {
        case ENOENT, ENODEV, ENXIO:
            "this kernel offers no such heap: it needs CONFIG_DMABUF_HEAPS and CONFIG_DMABUF_HEAPS_SYSTEM, "
                + "and a container needs the device passed in"
        case EACCES, EPERM:
            "this user may not open the heap: join the group that owns it (see `ls -l \(path)`) and log in "
                + "again, or add a udev rule that gives a group of yours read access"
        case ENOMEM:
            "the memory has run out: free buffers or use smaller ones"
        default: ""
        }
    }
}

/// The part of `include/uapi/linux/dma-heap.h` that is used here.
package enum DMAHeap {
    /// `DMA_HEAP_IOCTL_ALLOC`
    package static let allocate = IOControlRequest(
        .readWrite, "H", 0, byteCount: MemoryLayout<Allocation>.size)

    /// `struct dma_heap_allocation_data`, 24 bytes.
    package struct Allocation: BitwiseCopyable {
        /// `len`
        package var byteCount: UInt64
        /// `fd`: the dma-buf, set by the kernel.
        package var descriptor: UInt32 = 0
        /// `fd_flags`: access mode and `O_CLOEXEC` of the dma-buf.
        package var descriptorFlags = UInt32(O_RDWR | O_CLOEXEC)
        /// `heap_flags`: none are defined.
        package var heapFlags: UInt64 = 0

        package init(byteCount: UInt64) {
            self.byteCount = byteCount
        }
    }
}
