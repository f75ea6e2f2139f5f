import SharedMemory

/// Why a call of the kernel's FastRPC driver failed.
public struct FastRPCKernelError: Error, Hashable, Sendable {
    /// Who refused.
    public enum Cause: Hashable, Sendable {
        /// The kernel, with this `errno`.
        ///
        /// It can still be the DSP's word: the C library takes a DSP status of -1 to -4095 for an `errno`, so
        /// that an old firmware's -1 arrives as `EPERM`.
        case errno(CInt)
        /// The DSP, with this 32-bit status.
        case dsp(UInt32)
        /// Nobody was asked: the arguments cannot be right.
        case argument(String)
    }

    /// What was being done, for example `open /dev/fastrpc-cdsp`.
    public var operation: String
    /// Who refused, and how.
    public var cause: Cause
    /// What the reader may do about it, or an empty string.
    public var advice: String

    /// Describes a failure.
    public init(operation: String, cause: Cause, advice: String = "") {
        self.operation = operation
        self.cause = cause
        self.advice = advice
    }

    /// The kernel's `errno`, if it was the kernel that refused.
    public var errno: CInt? {
        if case .errno(let code) = cause { code } else { nil }
    }

    /// The DSP's status, if it was the DSP that refused.
    public var dspStatus: UInt32? {
        if case .dsp(let status) = cause { status } else { nil }
    }
}

extension FastRPCKernelError: CustomStringConvertible {
    /// One line: what failed, who refused and how, what to do.
    public var description: String {
        let reason =
            switch cause {
            case .errno(let code): "\(SystemError(code))"
            case .dsp(let status): "the DSP answered 0x\(String(status, radix: 16))"
            case .argument(let text): text
            }
        return "cannot \(operation): \(reason)\(advice.isEmpty ? "" : "; \(advice)")"
    }
}
