import SharedMemory

extension FastRPCDevice {
    /// `INIT_FILELEN_MAX` of the driver: the largest shell, 2 MiB.
    public static let shellByteLimit = 2 << 20
    /// `INIT_FILE_NAMELEN_MAX` of the driver: the longest name of a static process, its final NUL included.
    public static let staticNameByteLimit = 128

    /// Creates a process of this device's own on the DSP: `FASTRPC_IOCTL_INIT_CREATE`.
    ///
    /// - Parameters:
    ///   - shell: a dma-buf that starts with the DSP's shell program. The descriptor of the opened file does
    ///     not do; that is the usual cause of `EINVAL`.
    ///   - byteCount: the shell's size, at most ``shellByteLimit``.
    ///   - attributes: the plain node of a secure DSP accepts ``ProcessAttributes/unsignedModule`` only.
    ///   - signatureByteCount: the size of a test signature at the end of the shell.
    /// - Throws: `ECONNREFUSED` for a signed process on the plain node; a DSP status such as `0x80000416` where
    ///   shell and firmware do not fit.
    public func createProcess(
        shell: borrowing SharedBuffer, byteCount: Int, attributes: ProcessAttributes = .unsignedModule,
        signatureByteCount: UInt32 = 0
    ) throws(FastRPCKernelError) {
        let action = "create a process"
        guard byteCount > 0, byteCount <= min(shell.byteCount, Self.shellByteLimit) else {
            throw refusal(
                .createProcess, action,
                "the shell's size of \(byteCount) bytes must be positive, within its buffer of "
                    + "\(shell.byteCount) bytes and at most \(Self.shellByteLimit)")
        }
        // With descriptor 0, "none", the driver would read the shell from a host address as if it were its own.
        guard shell.descriptor > 0 else {
            throw refusal(.createProcess, action, "the shell's buffer must not have descriptor 0")
        }
        var argument = CreateProcessArgument(
            fileByteCount: UInt32(byteCount), fileDescriptor: shell.descriptor,
            attributes: attributes.rawValue, signatureByteCount: signatureByteCount,
            file: UInt64(UInt(bitPattern: shell.address)))
        try call(.createProcess, &argument, action)
    }

    /// Creates, or joins, a process that the firmware knows by name, such as `audiopd`:
    /// `FASTRPC_IOCTL_INIT_CREATE_STATIC`. The name is sent with its final NUL.
    ///
    /// - Parameter memoryByteCount: the remote heap, which the kernel allocates once for each DSP.
    public func createStaticProcess(
        name: String, memoryByteCount: UInt32
    ) throws(FastRPCKernelError) {
        let action = "create the static process \(name)"
        var bytes = Array(name.utf8)
        guard !bytes.isEmpty, !bytes.contains(0), bytes.count < Self.staticNameByteLimit else {
            throw refusal(
                .createStaticProcess, action,
                "the name must have 1 to \(Self.staticNameByteLimit - 1) bytes, none of them 0")
        }
        bytes.append(0)
        try bytes.withUnsafeBufferPointer { bytes throws(FastRPCKernelError) in
            var argument = CreateStaticProcessArgument(
                nameByteCount: UInt32(bytes.count), memoryByteCount: memoryByteCount,
                name: UInt64(UInt(bitPattern: bytes.baseAddress)))
            try call(.createStaticProcess, &argument, action)
        }
    }

    /// Attaches to the DSP's root process: `FASTRPC_IOCTL_INIT_ATTACH`.
    public func attach() throws(FastRPCKernelError) {
        try call(.attach, nil, "attach to the root process")
    }

    /// Attaches to the DSP's sensors process: `FASTRPC_IOCTL_INIT_ATTACH_SNS`.
    public func attachToSensors() throws(FastRPCKernelError) {
        try call(.attachToSensors, nil, "attach to the sensors process")
    }
}
