import Glibc
import SharedMemory

/// Shared memory from a FastRPC node, for users who may open that but not the dma-heap.
///
/// It owns the device, which takes a session of the DSP; the device can be used for calls as well.
public final class FastRPCAllocator: SharedMemoryAllocator {
    /// The node that allocates.
    public let device: FastRPCDevice

    /// Allocates through `device` and closes it in the end.
    public init(owning device: consuming FastRPCDevice) {
        self.device = device
    }

    /// Allocates `byteCount` bytes, rounded up to whole pages, with ``FastRPCDevice/allocate(byteCount:)``.
    public func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        do throws(FastRPCKernelError) {
            return try device.allocate(byteCount: byteCount)
        } catch {
            switch error.cause {
            case .errno(let code):
                throw SharedMemoryError(operation: error.operation, errno: code, advice: error.advice)
            case .argument(let reason):
                throw SharedMemoryError(operation: error.operation, errno: EINVAL, advice: reason)
            case .dsp(let status):
                throw SharedMemoryError(
                    operation: error.operation, errno: 0,
                    advice: "the driver answered 0x\(String(status, radix: 16)), which is no errno")
            }
        }
    }
}
