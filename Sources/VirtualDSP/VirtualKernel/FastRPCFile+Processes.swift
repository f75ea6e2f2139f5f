import FastRPCKernel
import Glibc
import SharedMemory

extension FastRPCFile {
    /// `FASTRPC_IOCTL_INIT_ATTACH`, `_SNS`: no process of one's own, but one that is always there.
    func attach(_ caller: any Caller) throws(SystemError) -> Int {
        if process != nil { return 0 }
        return try Self.result(start(0, caller))
    }

    /// `FASTRPC_IOCTL_INIT_CREATE`
    func createProcess(_ argument: UInt64, _ caller: any Caller) throws(SystemError) -> Int {
        let create = try caller.read(argument, as: CreateProcessArgument.self)
        let isUnsigned = ProcessAttributes(rawValue: create.attributes).contains(.unsignedModule)
        if !isSecure, channel.domain.isSecure, !isUnsigned || !channel.domain.takesUnsigned {
            throw SystemError(ECONNREFUSED)
        }
        guard create.fileByteCount <= Self.maximumShell else { throw SystemError(EINVAL) }
        var shell: VirtualDMABuffer?
        if create.fileByteCount != 0, create.fileDescriptor != 0 {
            let buffer = try kernel.registry.dmaBuffer(create.fileDescriptor, of: caller)
            guard UInt64(create.fileByteCount) <= buffer.byteCount else { throw SystemError(EINVAL) }
            shell = buffer
        }
        if channel.isGone { throw SystemError(EPIPE) }
        guard create.fileByteCount != 0 else { return try Self.result(Self.noShell) }
        guard let shell, isGood(shell, create, caller) else { return try Self.result(Self.badShell) }
        return try Self.result(start(create.attributes, caller))
    }

    /// Whether the DSP would start this shell: it is one, and of the same build as the firmware.
    ///
    /// Descriptor 0 ("none") makes the driver read the client's address as its own; what the DSP then gets is no
    /// shell.
    private func isGood(
        _ shell: VirtualDMABuffer, _ create: CreateProcessArgument, _ caller: any Caller
    ) -> Bool {
        guard let offset = kernel.offset(of: create.file, in: caller) else { return false }
        let count = Int(create.fileByteCount)
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer { bytes.deallocate() }
        guard shell.read(at: offset, into: bytes) == count else { return false }
        return ProcessShell.build(of: UnsafeRawBufferPointer(bytes)) == kernel.configuration.firmwareBuild
    }

    /// `FASTRPC_IOCTL_INIT_CREATE_STATIC`. No virtual DSP has any.
    func createStaticProcess(_ argument: UInt64, _ caller: any Caller) throws(SystemError) -> Int {
        let create = try caller.read(argument, as: CreateStaticProcessArgument.self)
        guard create.nameByteCount <= 128 else { throw SystemError(EINVAL) }
        for index in 0..<UInt64(create.nameByteCount) {
            _ = try caller.read(create.name &+ index, as: UInt8.self)
        }
        guard UInt64(create.memoryByteCount) <= kernel.configuration.memoryLimit else {
            throw SystemError(ENOMEM)
        }
        if channel.isGone { throw SystemError(EPIPE) }
        return try Self.result(Self.unsupported)
    }

    /// `FASTRPC_IOCTL_SET_OPTION`: polling makes no difference to a virtual DSP.
    func setOption(_ argument: UInt64, _ caller: any Caller) throws(SystemError) -> Int {
        let option = try caller.read(argument, as: SetOptionArgument.self)
        guard option.reserved == (0, 0, 0, 0, 0, 0), option.option == DeviceOption.pollMode.rawValue else {
            throw SystemError(EINVAL)
        }
        guard kernel.configuration.canPoll else { throw SystemError(EOPNOTSUPP) }
        guard option.value <= 1 else { throw SystemError(EINVAL) }
        return 0
    }

    /// `FASTRPC_IOCTL_GET_DSP_INFO`
    func information(_ argument: UInt64, _ caller: any Caller) throws(SystemError) -> Int {
        var capability = try caller.read(argument, as: CapabilityArgument.self)
        let (domainCount, modem) = (UInt32(5), UInt32(1))
        guard capability.domain < domainCount, capability.domain != modem else { throw SystemError(ECHRNG) }
        guard capability.attribute < 256 else { throw SystemError(EOVERFLOW) }
        try channel.learnCapabilities()
        capability.value = kernel.capability(DSPAttribute(rawValue: capability.attribute), of: channel.domain)
        if kernel.scenario.kind == .oldCapabilityReply {
            try caller.write(capability.value, to: argument)
        } else {
            try caller.write(capability, to: argument)
        }
        return 0
    }

    /// `INIT_FILELEN_MAX`
    private static let maximumShell: UInt32 = 2 << 20
    /// `AEE_ERESOURCENOTFOUND` of the DSP: a process without a shell.
    private static let noShell: UInt32 = 0x8000_0416
    /// `AEE_EQURTBADASID` of the DSP: a shell that is none, or of another build.
    private static let badShell: UInt32 = 0x8000_054f
    /// `AEE_EUNSUPPORTED` of the DSP.
    private static let unsupported: UInt32 = 0x8000_0414
}
