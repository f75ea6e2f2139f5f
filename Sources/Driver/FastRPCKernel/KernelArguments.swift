/// What a request's pointer points at, laid out as the kernel has it.
///
/// Where C rounds a struct's size up to its alignment, Swift does not: such a struct ends in a field
/// `padding`, because the kernel copies the C size in and out.
package protocol KernelArgument: BitwiseCopyable, Sendable {}

extension UInt32: KernelArgument {}

/// `struct fastrpc_invoke`, 16 bytes.
package struct InvokeCall: KernelArgument {
    /// `handle`
    package var handle: UInt32
    /// `sc`
    package var scalars: UInt32
    /// `args`: the address of the first ``InvokeArgument``.
    package var arguments: UInt64
}

/// `struct fastrpc_init_create`, 24 bytes.
package struct CreateProcessArgument: KernelArgument {
    /// `filelen`
    package var fileByteCount: UInt32
    /// `filefd`
    package var fileDescriptor: Int32
    /// `attrs`
    package var attributes: UInt32
    /// `siglen`
    package var signatureByteCount: UInt32
    /// `file`
    package var file: UInt64
}

/// `struct fastrpc_init_create_static`, 16 bytes.
package struct CreateStaticProcessArgument: KernelArgument {
    /// `namelen`
    package var nameByteCount: UInt32
    /// `memlen`
    package var memoryByteCount: UInt32
    /// `name`
    package var name: UInt64
}

/// `struct fastrpc_alloc_dma_buf`, 16 bytes.
package struct AllocateArgument: KernelArgument {
    /// `fd`, set by the kernel.
    package var descriptor: Int32 = -1
    /// `flags`, which the driver ignores.
    package var flags: UInt32 = 0
    /// `size`
    package var byteCount: UInt64
}

/// `struct fastrpc_req_mmap`, 32 bytes.
package struct AddPagesArgument: KernelArgument {
    /// `fd`, which the driver ignores.
    package var descriptor: Int32 = -1
    /// `flags`
    package var flags: UInt32
    /// `vaddrin`, which must be 0.
    package var hostAddress: UInt64 = 0
    /// `size`
    package var byteCount: UInt64
    /// `vaddrout`, set by the kernel.
    package var dspAddress: UInt64 = 0
}

/// `struct fastrpc_req_munmap`, 16 bytes.
package struct RemovePagesArgument: KernelArgument {
    /// `vaddrout`
    package var dspAddress: UInt64
    /// `size`
    package var byteCount: UInt64
}

/// `struct fastrpc_mem_map`, 64 bytes.
package struct MapMemoryArgument: KernelArgument {
    /// `version`, which the driver ignores.
    package var version: Int32 = 0
    /// `fd`
    package var descriptor: Int32
    /// `offset`
    package var offset: Int32
    /// `flags`
    package var flags: UInt32
    /// `vaddrin`
    package var hostAddress: UInt64
    /// `length`
    package var byteCount: UInt64
    /// `vaddrout`, set by the kernel.
    package var dspAddress: UInt64 = 0
    /// `attrs`, which the driver ignores.
    package var attributes: Int32 = 0
    /// `reserved`
    package var reserved: (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
    private var padding: Int32 = 0

    package init(
        descriptor: Int32, offset: Int32, flags: UInt32, hostAddress: UInt64, byteCount: UInt64
    ) {
        self.descriptor = descriptor
        self.offset = offset
        self.flags = flags
        self.hostAddress = hostAddress
        self.byteCount = byteCount
    }
}

/// `struct fastrpc_mem_unmap`, 48 bytes.
package struct UnmapMemoryArgument: KernelArgument {
    /// `vesion`, as the header spells it; the driver ignores it.
    package var version: Int32 = 0
    /// `fd`
    package var descriptor: Int32
    /// `vaddr`
    package var dspAddress: UInt64
    /// `length`, which the driver ignores.
    package var byteCount: UInt64
    /// `reserved`
    package var reserved: (Int32, Int32, Int32, Int32, Int32) = (0, 0, 0, 0, 0)
    private var padding: Int32 = 0

    package init(descriptor: Int32, dspAddress: UInt64, byteCount: UInt64) {
        self.descriptor = descriptor
        self.dspAddress = dspAddress
        self.byteCount = byteCount
    }
}

/// `struct fastrpc_ioctl_set_option`, 32 bytes.
package struct SetOptionArgument: KernelArgument {
    /// `request_id`
    package var option: UInt32
    /// `value`
    package var value: UInt32
    /// `reserved`, which must be 0.
    package var reserved: (Int32, Int32, Int32, Int32, Int32, Int32) = (0, 0, 0, 0, 0, 0)
}

/// `struct fastrpc_ioctl_capability`, 28 bytes.
package struct CapabilityArgument: KernelArgument {
    /// `domain`; `unused` in newer kernels.
    package var domain: UInt32
    /// `attribute_id`
    package var attribute: UInt32
    /// `capability`, set by the kernel.
    package var value: UInt32
    /// `reserved`
    package var reserved: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
}
