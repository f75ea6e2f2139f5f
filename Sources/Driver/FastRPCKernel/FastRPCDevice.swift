import Glibc
import SharedMemory

/// An open node of the kernel's FastRPC driver, with one method for each request of `misc/fastrpc.h`.
///
/// **Each open node takes a session of the DSP**, of which there are few (a handful to 14), until it is closed;
/// the process that is created through it lives as long. The owner closes it with ``close()``; a device that
/// goes out of scope is closed as well.
///
/// **Results.** The driver hands the DSP's status back as the result of `ioctl`. A result of -1 is an `errno`,
/// 0 is success, and any other number, negative ones too, is a status of the DSP:
/// ``FastRPCKernelError/Cause`` keeps them apart.
///
/// **Signals.** No request is made again after `EINTR`. Only ``invoke(handle:scalars:arguments:)`` waits in a
/// way that signals end, and there the message has been sent: to ask again would run the method twice, while
/// the first run may still write to shared buffers. For any other request, `EINTR` can only be the DSP's status
/// -4, which would come back for ever.
///
/// Methods may be called from several threads at once.
public struct FastRPCDevice: ~Copyable, Sendable {
    /// The open node. It stays this device's own: do not close it.
    public let descriptor: CInt
    /// The node's path, for messages.
    public let path: String

    /// Opens a node, which takes a session of its DSP.
    ///
    /// - Throws: `EBUSY` where no session is free, `EACCES` where this user may not, `ENOENT` where there is no
    ///   such node.
    public init(opening node: FastRPCNode) throws(FastRPCKernelError) {
        try self.init(path: node.path)
    }

    /// Opens a node by its path.
    public init(path: String) throws(FastRPCKernelError) {
        do throws(SystemError) {
            descriptor = try SystemCalls.open(path, O_RDONLY | O_NONBLOCK)
        } catch {
            throw FastRPCKernelError(
                operation: "open \(path)", cause: .errno(error.errno),
                advice: FastRPCKernelError.openAdvice(error.errno, path: path))
        }
        self.path = path
    }

    /// Takes ownership of an open node.
    package init(owning descriptor: CInt, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        SystemCalls.close(descriptor)
    }

    /// Closes the node. The kernel ends the process on the DSP and frees the session.
    public consuming func close() {}

    /// Makes a request with an argument.
    func call<Argument: KernelArgument>(
        _ request: FastRPCRequest, _ argument: inout Argument, _ action: @autoclosure () -> String
    ) throws(FastRPCKernelError) {
        try withUnsafeMutablePointer(to: &argument) { pointer throws(FastRPCKernelError) in
            try call(request, pointer, action())
        }
    }

    /// Makes a request and sorts out who answered what.
    func call(
        _ request: FastRPCRequest, _ argument: UnsafeMutableRawPointer?, _ action: @autoclosure () -> String
    ) throws(FastRPCKernelError) {
        let cause: FastRPCKernelError.Cause
        do throws(SystemError) {
            let result = try SystemCalls.ioctl(descriptor, request.number, argument, repeating: false)
            if result == 0 { return }
            cause = .dsp(UInt32(bitPattern: result))
        } catch {
            cause = .errno(error.errno)
        }
        throw FastRPCKernelError(
            operation: "\(action()) on \(path) (\(request.name))", cause: cause,
            advice: FastRPCKernelError.advice(request, cause))
    }

    /// The error for arguments that no kernel could accept.
    func refusal(_ request: FastRPCRequest, _ action: String, _ reason: String) -> FastRPCKernelError {
        FastRPCKernelError(
            operation: "\(action) on \(path) (\(request.name))", cause: .argument(reason))
    }
}
