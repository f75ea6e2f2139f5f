import HexagonRPC

/// A shared buffer that the DSP process and the program have mapped.
///
/// The device's owner, one thread at a time, gives it other memory; nobody else uses it meanwhile.
package final class DeviceBuffer: @unchecked Sendable {
    private(set) var memory: SharedBuffer
    /// What ``renew(_:)`` must keep; nil for everything.
    package var kept: [Range<Int>]?

    init(_ memory: consuming SharedBuffer) {
        self.memory = memory
    }

    /// Moves what is to be kept to other memory, since a DSP may still write into this one.
    func renew(_ allocator: any SharedMemoryAllocator) throws {
        let fresh = try allocator.allocate(byteCount: memory.byteCount)
        try memory.withCPUAccess(.read) { old in
            try fresh.withCPUAccess(.write) { new in
                for range in kept ?? [0..<old.count] {
                    UnsafeMutableRawBufferPointer(rebasing: new[range])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: old[range]))
                }
            }
        }
        memory = fresh
    }

    /// Bytes that a batch may use.
    package var byteCount: Int { memory.byteCount }

    /// Announces the CPU's access, for whoever has an address of it, until ``endAccess(_:)``.
    package func beginAccess(_ access: CPUAccess) throws {
        try memory.beginCPUAccess(access)
    }

    /// Ends the CPU's access: what it wrote is there for the DSP.
    package func endAccess(_ access: CPUAccess) throws {
        try memory.endCPUAccess(access)
    }

    /// Calls `body` with the buffer's bytes, between announcing the CPU's access and its end.
    package func withBytes<Result>(
        _ access: CPUAccess, _ body: (UnsafeMutableRawBufferPointer) throws -> Result
    ) throws -> Result {
        try memory.withCPUAccess(access, body)
    }
}

/// A matrix in a device's memory, as the operations of a batch name it.
package struct DeviceTensor: Sendable {
    package var buffer: DeviceBuffer
    /// Byte of the buffer where the first row begins.
    package var offset: Int
    /// Bytes from one row to the next; 0 is one row for all.
    package var stride: Int
    /// The host writes it before, or reads it after, a submission.
    package var isShared: Bool

    package init(_ buffer: DeviceBuffer, offset: Int, stride: Int, isShared: Bool = false) {
        self.buffer = buffer
        self.offset = offset
        self.stride = stride
        self.isShared = isShared
    }
}

/// A repacked matrix in a device's memory.
package struct DeviceMatrix: Sendable {
    package var tensor: DeviceTensor
    package var kind: TileKind
    package var rows: Int
    package var columns: Int
}
