import SharedMemory

extension FastRPCDevice {
    /// Allocates memory that host and DSP share, through the node itself: `FASTRPC_IOCTL_ALLOC_DMA_BUFF`.
    ///
    /// It is a dma-buf of DMA-coherent memory, for programs that may not open the dma-heap. Closing the buffer
    /// frees it; there is no other way, `FASTRPC_IOCTL_FREE_DMA_BUFF` is a number without a function.
    ///
    /// - Parameter byteCount: rounded up to whole pages.
    public func allocate(byteCount: Int) throws(FastRPCKernelError) -> SharedBuffer {
        let action = "allocate \(byteCount) bytes"
        let mask = SystemCalls.pageSize - 1
        let (end, overflow) = byteCount.addingReportingOverflow(mask)
        guard byteCount > 0, !overflow else {
            throw refusal(.allocateBuffer, action, "the size must be positive and fit an address space")
        }
        let size = end & ~mask
        var argument = AllocateArgument(byteCount: UInt64(size))
        try call(.allocateBuffer, &argument, action)
        do throws(SystemError) {
            // The driver makes the descriptor without O_CLOEXEC.
            try SystemCalls.closeOnExec(argument.descriptor)
            return try SharedBuffer(owning: argument.descriptor, byteCount: size, origin: .fastRPC)
        } catch {
            SystemCalls.close(argument.descriptor)
            throw FastRPCKernelError(operation: "map \(size) bytes of \(path)", cause: .errno(error.errno))
        }
    }

    /// Maps a shared buffer into the process on the DSP: `FASTRPC_IOCTL_MEM_MAP`.
    ///
    /// - Returns: where the DSP sees it.
    public func mapMemory(
        _ buffer: borrowing SharedBuffer, as flag: MapFlag = .descriptor
    ) throws(FastRPCKernelError) -> UInt64 {
        try mapMemory(
            descriptor: buffer.descriptor, byteCount: UInt64(buffer.byteCount), as: flag,
            hostAddress: UInt64(UInt(bitPattern: buffer.address)))
    }

    /// Maps a dma-buf by its descriptor: `FASTRPC_IOCTL_MEM_MAP`. The driver maps all of it.
    ///
    /// - Parameters:
    ///   - offset: handed on to the DSP unchecked, as is `hostAddress`.
    ///   - hostAddress: where the host has mapped it, or 0.
    /// - Returns: where the DSP sees it.
    public func mapMemory(
        descriptor: CInt, byteCount: UInt64, as flag: MapFlag = .descriptor, offset: Int32 = 0,
        hostAddress: UInt64 = 0
    ) throws(FastRPCKernelError) -> UInt64 {
        let action = "map \(byteCount) bytes of descriptor \(descriptor)"
        guard byteCount > 0 else { throw refusal(.mapMemory, action, "the size must be positive") }
        var argument = MapMemoryArgument(
            descriptor: descriptor, offset: offset, flags: flag.rawValue, hostAddress: hostAddress,
            byteCount: byteCount)
        try call(.mapMemory, &argument, action)
        return argument.dspAddress
    }

    /// Ends a mapping: `FASTRPC_IOCTL_MEM_UNMAP`.
    ///
    /// - Parameters:
    ///   - dspAddress: what ``mapMemory(_:as:)`` returned.
    ///   - descriptor: the dma-buf that was mapped there, or -1 for whichever it was.
    ///   - byteCount: its size, which today's driver ignores.
    public func unmapMemory(
        at dspAddress: UInt64, descriptor: CInt = -1, byteCount: UInt64
    ) throws(FastRPCKernelError) {
        var argument = UnmapMemoryArgument(
            descriptor: descriptor, dspAddress: dspAddress, byteCount: byteCount)
        try call(.unmapMemory, &argument, "unmap 0x\(String(dspAddress, radix: 16))")
    }

    /// Gives the process on the DSP more memory, which the kernel allocates: `FASTRPC_IOCTL_MMAP`. The host does
    /// not see it.
    ///
    /// - Returns: where the DSP sees it.
    public func addPages(
        byteCount: UInt64, for use: PageUse = .heap
    ) throws(FastRPCKernelError) -> UInt64 {
        let action = "add \(byteCount) bytes to the process"
        guard byteCount > 0 else { throw refusal(.addPages, action, "the size must be positive") }
        var argument = AddPagesArgument(flags: use.rawValue, byteCount: byteCount)
        try call(.addPages, &argument, action)
        return argument.dspAddress
    }

    /// Takes memory back: `FASTRPC_IOCTL_MUNMAP`.
    ///
    /// - Parameters:
    ///   - dspAddress: what ``addPages(byteCount:for:)`` returned.
    ///   - byteCount: exactly the size that was added there.
    public func removePages(at dspAddress: UInt64, byteCount: UInt64) throws(FastRPCKernelError) {
        var argument = RemovePagesArgument(dspAddress: dspAddress, byteCount: byteCount)
        try call(
            .removePages, &argument,
            "remove \(byteCount) bytes at 0x\(String(dspAddress, radix: 16)) from the process")
    }
}
