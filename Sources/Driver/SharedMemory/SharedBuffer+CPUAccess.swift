import Glibc

/// What the host is about to do with the memory of a shared buffer.
public struct CPUAccess: OptionSet, Hashable, Sendable {
    /// The bits as `struct dma_buf_sync` has them.
    public var rawValue: UInt64

    /// Wraps bits.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// `DMA_BUF_SYNC_READ`: the host reads what the DSP wrote.
    public static let read = CPUAccess(rawValue: 1)
    /// `DMA_BUF_SYNC_WRITE`: the host writes what the DSP will read.
    public static let write = CPUAccess(rawValue: 2)
    /// `DMA_BUF_SYNC_RW`
    public static let readWrite: CPUAccess = [.read, .write]
}

extension SharedBuffer {
    /// Runs `body` on the buffer's bytes, between announcing the host's access to the kernel and its end.
    ///
    /// For a dma-buf that is what keeps caches right; any other memory needs nothing. The pointer is
    /// valid for the call only.
    ///
    /// - Throws: what `body` throws, or a ``SharedMemoryError`` when the kernel refuses the announcement.
    public func withCPUAccess<Result>(
        _ access: CPUAccess, _ body: (UnsafeMutableRawBufferPointer) throws -> Result
    ) throws -> Result {
        try beginCPUAccess(access)
        let result: Result
        do {
            result = try body(bytes)
        } catch {
            try? endCPUAccess(access)
            throw error
        }
        try endCPUAccess(access)
        return result
    }

    /// Announces that the host is going to access the memory: `DMA_BUF_IOCTL_SYNC` with
    /// `DMA_BUF_SYNC_START`. Every begin needs its ``endCPUAccess(_:)`` with the same `access`.
    public func beginCPUAccess(_ access: CPUAccess) throws(SharedMemoryError) {
        try synchronize(DMABuffer.syncStart | access.rawValue, "begin")
    }

    /// Announces that the host's access is over: `DMA_BUF_IOCTL_SYNC` with `DMA_BUF_SYNC_END`.
    public func endCPUAccess(_ access: CPUAccess) throws(SharedMemoryError) {
        try synchronize(DMABuffer.syncEnd | access.rawValue, "end")
    }

    private func synchronize(_ flags: UInt64, _ step: String) throws(SharedMemoryError) {
        guard isDMABuffer else { return }
        while true {
            var argument = flags
            do throws(SystemError) {
                try SystemCalls.ioctl(descriptor, DMABuffer.sync, &argument)
                return
            } catch {
                // The kernel's documentation asks user space to restart on both EAGAIN and EINTR.
                guard error.errno == EAGAIN else {
                    throw SharedMemoryError(
                        operation: "\(step) CPU access to dma-buf \(descriptor)", errno: error.errno)
                }
            }
        }
    }
}

/// The part of `include/uapi/linux/dma-buf.h` that is used here.
package enum DMABuffer {
    /// `DMA_BUF_IOCTL_SYNC`; the argument is one 64-bit word of flags.
    package static let sync = IOControlRequest(.write, "b", 0, byteCount: 8)
    /// `DMA_BUF_MAGIC`: the type that `fstatfs` gives for a dma-buf.
    package static let fileSystem = 0x444d_4142
    /// `DMA_BUF_SYNC_START`
    package static let syncStart: UInt64 = 0
    /// `DMA_BUF_SYNC_END`
    package static let syncEnd: UInt64 = 4
}
