import ErrorCodes
import Glibc
import SharedMemory

extension FastRPCKernelError {
    /// What to do where a node cannot be opened.
    static func openAdvice(_ errno: CInt, path: String) -> String {
        ErrorCodes.advice(errno: errno, in: .openNode, paths: ["node": path])
    }

    /// What to do where the driver refuses a request.
    static func advice(_ request: FastRPCRequest, _ cause: Cause) -> String {
        switch cause {
        case .argument: ""
        case .dsp(let status): ErrorCodes.advice(status, in: request.situation)
        case .errno(ENOTTY):
            ErrorCodes.advice(errno: ENOTTY)
                + "; \(request.name) came with Linux \(request.firstKernel)"
        case .errno(let code): ErrorCodes.advice(errno: code, in: request.situation)
        }
    }
}

extension FastRPCRequest {
    /// What the table of codes calls it.
    package var situation: ErrorCode.Situation? {
        switch self {
        case .allocateBuffer: .allocate
        case .invoke: .call
        case .attach, .attachToSensors: .attach
        case .createProcess: .createProcess
        case .createStaticProcess: .createStaticProcess
        case .addPages: .addPages
        case .removePages: .removePages
        case .mapMemory: .map
        case .unmapMemory: .unmap
        case .setOption: .setOption
        case .information: .information
        default: nil
        }
    }
}
