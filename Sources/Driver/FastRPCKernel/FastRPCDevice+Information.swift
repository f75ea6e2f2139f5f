extension FastRPCDevice {
    /// Asks what the DSP is capable of: `FASTRPC_IOCTL_GET_DSP_INFO`.
    ///
    /// Best asked on a fresh device, before a process is created. The kernel asks the DSP once and remembers
    /// the answers.
    ///
    /// Kernels before the fix of July 2024 write the answer over `domain` instead of `capability`. So
    /// `capability` is filled with a pattern before the call, and where that is still there after it, the answer
    /// is in `domain`.
    ///
    /// - Parameter domain: older kernels refuse numbers that they do not know with `ECHRNG`, and the modem's;
    ///   none uses the number otherwise, as the node already says which DSP. 0 passes everywhere.
    /// - Throws: `EOPNOTSUPP`, or `EPERM` for the DSP's -1, where the firmware is too old to be asked;
    ///   `EOVERFLOW` from attribute 256 on.
    public func capability(
        _ attribute: DSPAttribute, domain: UInt32 = 0
    ) throws(FastRPCKernelError) -> UInt32 {
        try capabilityReply(attribute, domain: domain).value
    }

    /// A capability, and whether the kernel wrote it over `domain`.
    package func capabilityReply(
        _ attribute: DSPAttribute, domain: UInt32 = 0
    ) throws(FastRPCKernelError) -> (value: UInt32, isInDomain: Bool) {
        let untouched: UInt32 = 0x5afe_c0de
        var argument = CapabilityArgument(
            domain: domain, attribute: attribute.rawValue, value: untouched)
        try call(.information, &argument, "ask for capability \(attribute.rawValue)")
        let isInDomain = argument.value == untouched
        return (isInDomain ? argument.domain : argument.value, isInDomain)
    }

    /// Changes a setting of this device: `FASTRPC_IOCTL_SET_OPTION`.
    ///
    /// - Throws: `ENOTTY` from kernels before it, `EOPNOTSUPP` where the chip cannot.
    public func set(_ option: DeviceOption, to value: UInt32) throws(FastRPCKernelError) {
        var argument = SetOptionArgument(option: option.rawValue, value: value)
        try call(.setOption, &argument, "set option \(option.rawValue) to \(value)")
    }
}
