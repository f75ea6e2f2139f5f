import Glibc
import RemoteCalls
import SharedMemory

/// Shared memory for a session: from the dma-heap, or where this user may not open that, through the session's
/// own node.
struct KernelMemory: SharedMemoryAllocator {
    /// The session's node.
    let node: FastRPCAllocator
    /// Where the dma-heaps are.
    let heapDirectory: String

    /// Allocates `byteCount` bytes, rounded up to whole pages.
    func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        let buffer = try allocateAny(byteCount)
        // The driver takes descriptor 0 for none. While it is taken, the next one is not 0.
        if buffer.descriptor == 0 { return try allocateAny(byteCount) }
        return buffer
    }

    private func allocateAny(_ byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        do throws(SharedMemoryError) {
            return try DMAHeapAllocator(heap: "system", directory: heapDirectory).allocate(
                byteCount: byteCount)
        } catch {
            guard [ENOENT, ENODEV, ENXIO, EACCES, EPERM].contains(error.errno) else { throw error }
            do throws(SharedMemoryError) {
                return try node.allocate(byteCount: byteCount)
            } catch let second {
                throw SharedMemoryError(
                    operation: second.operation, errno: second.errno,
                    advice: second.advice + (second.advice.isEmpty ? "" : "; ")
                        + "the dma-heap would be the other way: \(error)")
            }
        }
    }

    /// Allocates memory and has it filled before the DSP can see it.
    func allocate(
        byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws(RemoteCallError) -> Void
    ) throws(RemoteCallError) -> SharedBuffer {
        let buffer: SharedBuffer
        do throws(SharedMemoryError) { buffer = try allocate(byteCount: byteCount) } catch {
            throw RemoteCallError(error)
        }
        do throws(SharedMemoryError) { try buffer.beginCPUAccess(.write) } catch {
            throw RemoteCallError(error)
        }
        var failure: RemoteCallError?
        do throws(RemoteCallError) { try fill(buffer.bytes) } catch { failure = error }
        do throws(SharedMemoryError) { try buffer.endCPUAccess(.write) } catch {
            failure = failure ?? RemoteCallError(error)
        }
        if let failure { throw failure }
        return buffer
    }
}

/// The allocator of a session: its buffers are known to the session's calls until they are closed.
struct KernelAllocator: SharedMemoryAllocator {
    let memory: KernelMemory
    let table: BufferTable

    private final class Owner: Sendable {
        let buffer: SharedBuffer
        init(_ buffer: consuming SharedBuffer) { self.buffer = buffer }
    }

    func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        let owner = Owner(try memory.allocate(byteCount: byteCount))
        let (descriptor, address) = (owner.buffer.descriptor, owner.buffer.address)
        table.add(address, owner.buffer.byteCount, descriptor)
        return SharedBuffer(
            descriptor: descriptor, address: address, byteCount: owner.buffer.byteCount,
            origin: owner.buffer.origin
        ) { [table] descriptor, address, _ in
            table.remove(address, descriptor)
            // The memory goes with this closure.
            withExtendedLifetime(owner) {}
        }
    }
}
