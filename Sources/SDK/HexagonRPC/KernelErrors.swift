import Glibc
import RemoteCalls
import SharedMemory

extension AEEResult {
    /// `AEE_EALREADY`
    static let already = AEEResult(rawValue: 0x1a)
    /// `AEE_ENOSUCHDEVICE`
    static let noSuchDevice = AEEResult(rawValue: 0x43)
    /// `AEE_ENOSUCHFILE`
    static let noSuchFile = AEEResult(rawValue: 0x45)
    /// `AEE_EBADPERMS`
    static let notPermitted = AEEResult(rawValue: 0x4e)
    /// `AEE_ENOSESSION`
    static let noSession = AEEResult(rawValue: 0x8a)
    /// `AEE_ERPC`
    static let remoteCall = AEEResult(rawValue: 0x200)
    /// `AEE_EUNABLETOLOAD` from the DSP.
    static let unableToLoad = AEEResult(rawValue: 0x8000_0406)
    /// `AEE_ENOSUCHSYMBOL` from the DSP.
    static let noSuchSymbol = AEEResult(rawValue: 0x8000_0442)
    /// `AEE_EBADSTATE` from the DSP.
    static let processEnded = AEEResult(rawValue: 0x8000_040d)

    /// The code for an `errno` of the driver. Like libcdsprpc's, but for causes that it throws together.
    init(errno code: CInt) {
        switch code {
        case ENOENT, ENODEV, ENXIO: self = .noSuchDevice
        case EACCES, EPERM: self = .notPermitted
        case EBUSY: self = .noSession
        case ECONNREFUSED, ENOTCONN: self = .connectionRefused
        case EPIPE, ECONNRESET: self = .connectionReset
        case ETIMEDOUT, ESHUTDOWN, ENOSR: self = .expired
        case ENOMEM, ENOBUFS: self = .noMemory
        case EINVAL, EFAULT, EBADF, ECHRNG, EOVERFLOW, EEXIST: self = .badParameter
        case EOPNOTSUPP, EPROTONOSUPPORT, ENOTTY: self = .unsupported
        default: self = .remoteCall
        }
    }
}

extension RemoteCallError {
    /// A refusal of kernel or DSP, with the system's words for an `errno` in the operation.
    init(_ error: FastRPCKernelError, advice: String? = nil) {
        let advice = advice ?? error.advice
        switch error.cause {
        case .errno(let code):
            self.init(
                AEEResult(errno: code), operation: "\(error.operation): \(SystemError(code))", advice: advice)
        case .dsp(let status):
            self.init(
                AEEResult(rawValue: status), operation: error.operation,
                advice: advice.isEmpty ? Advice.forDSP(status) : advice)
        case .argument(let reason):
            self.init(.badParameter, operation: "\(error.operation): \(reason)", advice: advice)
        }
    }

    /// Shared memory that could not be had.
    init(_ error: SharedMemoryError) {
        let reason = error.errno == 0 ? "" : ": \(SystemError(error.errno))"
        self.init(
            error.errno == 0 ? .failed : AEEResult(errno: error.errno),
            operation: error.operation + reason, advice: error.advice)
    }
}

extension Advice {
    /// What to do about a DSP's status that comes with any request.
    static func forDSP(_ status: UInt32) -> String {
        switch status {
        case 0x8000_0402, 2:
            "the process on the DSP has no memory left: unmap buffers, spread the work over more sessions, or "
                + "close other programs that use the DSP"
        case 0x8000_0414: "this firmware does not know the request"
        case _ where AEEResult(rawValue: status).isSessionLost:
            "the process on the DSP has ended: close this session and begin a new one"
        default: ""
        }
    }

    /// What to do where a process cannot be created of a shell.
    static func process(_ error: FastRPCKernelError, shell: String) -> String {
        switch error.cause {
        case .dsp(0x8000_0416), .dsp(0x8000_054f), .dsp(0x8000_0600):
            "the DSP refuses the shell: \(shell) and the DSP's firmware are of different builds, or the DSP has "
                + "no room for another process; install shell and firmware of the same release (the "
                + "QC_IMAGE_VERSION_STRING in both must agree, fastrpc-probe compares them)"
        case .dsp(0x8000_0402), .dsp(2):
            "the DSP has no memory for another process: end other programs that use it"
        case .errno(ECONNREFUSED):
            "this node refuses signed processes: ask for unsigned modules, or get access to the node ending in "
                + "-secure"
        case .errno(ENOMEM):
            "the kernel has no contiguous memory for the process: end other programs that use the DSP, or boot "
                + "with a larger cma= area"
        default: error.advice
        }
    }
}
