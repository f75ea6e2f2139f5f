import HexagonRPC
import Synchronization

/// What `rpcmem_alloc` has given out, by address.
private final class RPCMemory: Sendable {
    private final class Box: Sendable {
        let buffer: SharedBuffer
        init(_ buffer: consuming SharedBuffer) { self.buffer = buffer }
    }

    private let buffers = Mutex<[UInt: Box]>([:])

    func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        guard byteCount > 0, let buffer = try? MemoryFileAllocator().allocate(byteCount: byteCount) else {
            return nil
        }
        let address = buffer.address
        let box = Box(buffer)
        buffers.withLock { $0[UInt(bitPattern: address)] = box }
        return address
    }

    func free(_ address: UnsafeMutableRawPointer?) {
        // The box is released outside the lock.
        _ = buffers.withLock { $0.removeValue(forKey: UInt(bitPattern: address)) }
    }

    func descriptor(_ address: UnsafeMutableRawPointer?) -> CInt {
        buffers.withLock { $0[UInt(bitPattern: address)]?.buffer.descriptor } ?? -1
    }
}

private let memory = RPCMemory()

/// `rpcmem_alloc`
@_cdecl("rpcmem_alloc")
public func rpcMemAllocate(_ heap: CInt, _ flags: UInt32, _ byteCount: CInt) -> UnsafeMutableRawPointer? {
    memory.allocate(Int(byteCount))
}

/// `rpcmem_alloc2`
@_cdecl("rpcmem_alloc2")
public func rpcMemAllocate2(_ heap: CInt, _ flags: UInt32, _ byteCount: Int) -> UnsafeMutableRawPointer? {
    memory.allocate(byteCount)
}

/// `rpcmem_free`
@_cdecl("rpcmem_free")
public func rpcMemFree(_ address: UnsafeMutableRawPointer?) {
    memory.free(address)
}

/// `rpcmem_to_fd`
@_cdecl("rpcmem_to_fd")
public func rpcMemToDescriptor(_ address: UnsafeMutableRawPointer?) -> CInt {
    memory.descriptor(address)
}
