import Glibc

/// Why shared memory could not be had or used.
public struct SharedMemoryError: Error, Hashable, Sendable {
    /// What was being done, for example `allocate 4096 bytes from /dev/dma_heap/system`.
    public var operation: String
    /// The system's `errno`, or 0 where there is none.
    public var errno: CInt
    /// What the reader may do about it, or an empty string.
    public var advice: String

    /// Describes a failure.
    public init(operation: String, errno: CInt, advice: String = "") {
        self.operation = operation
        self.errno = errno
        self.advice = advice
    }
}

extension SharedMemoryError: CustomStringConvertible {
    /// One line: what failed, the system's reason, what to do.
    public var description: String {
        let reason = errno == 0 ? "" : ": \(SystemError(errno))"
        return "cannot \(operation)\(reason)\(advice.isEmpty ? "" : "; \(advice)")"
    }
}
