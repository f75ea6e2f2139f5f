import FastRPCKernel
import Glibc
import SharedMemory
import Testing

/// Answers requests in the kernel's place and keeps the bytes that their pointers pointed at.
final class RequestRecorder: @unchecked Sendable {
    let tracer = SystemCallTracer()
    private(set) var arguments: [[UInt8]] = []

    /// Answers the next request, whose argument has `byteCount` bytes, after `change` has seen them.
    func answer(
        _ result: SystemCallTracer.Answer, byteCount: Int,
        change: @escaping @Sendable (UnsafeMutableRawPointer) -> Void = { _ in }
    ) {
        tracer.force("ioctl") { pointer in
            guard let pointer else {
                self.arguments.append([])
                return byteCount == 0 ? result : .failure(EFAULT)
            }
            self.arguments.append(
                Array(UnsafeRawBufferPointer(start: pointer, count: byteCount)))
            change(pointer)
            return result
        }
    }

    /// The requests so far, such as `0xc0105203`.
    var requests: [String] {
        tracer.calls.compactMap { call in
            guard call.hasPrefix("ioctl("), let comma = call.firstIndex(of: ",") else { return nil }
            return String(call[call.index(comma, offsetBy: 2)...].dropLast())
        }
    }

    /// Runs `body` with a device that is really `/dev/null`.
    func withDevice(_ body: (borrowing FastRPCDevice) throws -> Void) throws {
        try SystemCalls.$tracer.withValue(tracer) {
            let device = try FastRPCDevice(path: "/dev/null")
            try body(device)
        }
    }
}

/// Bytes of integers one after the other, as they lie in memory.
func bytes(_ values: any FixedWidthInteger...) -> [UInt8] {
    func raw(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
    return values.flatMap { raw($0) }
}

/// The error of the module that `body` throws, or nil; any other is an issue.
func failure(_ body: () throws -> Void) -> FastRPCKernelError? {
    do {
        try body()
    } catch let error as FastRPCKernelError {
        return error
    } catch {
        Issue.record(error)
    }
    return nil
}
