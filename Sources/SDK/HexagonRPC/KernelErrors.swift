import ErrorCodes
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
                advice: advice.isEmpty ? ErrorCodes.advice(status) : advice)
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
    /// What to do where a process cannot be created of a shell.
    static func process(_ error: FastRPCKernelError, shell: String) -> String {
        switch error.cause {
        case .dsp(let status): ErrorCodes.advice(status, in: .createProcess, paths: ["shell": shell])
        default: error.advice
        }
    }
}
