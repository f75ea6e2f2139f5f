import Glibc
import SharedMemory

/// `/dev/dma_heap/system`
struct DMAHeapNode: VirtualNode {
    let kernel: VirtualKernel

    var path: String { Self.path }
    static let path = "/dev/dma_heap/system"

    func open(_ flags: CInt, _ caller: any Caller) throws(SystemError) -> any VirtualFile {
        try kernel.checkOpening(path)
        return DMAHeapFile(kernel)
    }
}

/// An opened heap.
final class DMAHeapFile: VirtualFile {
    private let kernel: VirtualKernel

    init(_ kernel: VirtualKernel) { self.kernel = kernel }

    var isDMABuffer: Bool { false }

    func ioctl(
        _ request: IOControlRequest, _ argument: UInt64, _ caller: any Caller
    ) throws(SystemError) -> Int {
        guard request == DMAHeap.allocate else {
            // The heap looks at the index first, and knows one.
            throw SystemError(request.rawValue & 0xff == 0 ? ENOTTY : EINVAL)
        }
        var allocation = try caller.read(argument, as: DMAHeap.Allocation.self)
        let flags = CInt(truncatingIfNeeded: allocation.descriptorFlags)
        guard allocation.descriptor == 0, flags & ~(O_CLOEXEC | O_ACCMODE) == 0, allocation.heapFlags == 0
        else { throw SystemError(EINVAL) }
        let page = UInt64(SystemCalls.pageSize)
        let byteCount = (allocation.byteCount &+ page &- 1) & ~(page - 1)
        guard byteCount > 0 else { throw SystemError(EINVAL) }
        guard byteCount <= kernel.configuration.memoryLimit else { throw SystemError(ENOMEM) }
        let buffer = try VirtualDMABuffer(byteCount: byteCount)
        allocation.descriptor = UInt32(bitPattern: try kernel.give(buffer, to: caller, flags: flags))
        try caller.write(allocation, to: argument)
        return 0
    }

    func release() {}
}
