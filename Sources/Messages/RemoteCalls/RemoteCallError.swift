/// What went wrong in a remote call, on what, and what to do about it.
public struct RemoteCallError: Error, Hashable, Sendable {
    /// The status that the callee or the transport returned.
    public var result: AEEResult
    /// What was being done, for example `open file:///libhtp_skel.so`.
    public var operation: String
    /// What the reader may do about it, or an empty string.
    public var advice: String

    /// Describes a failed call.
    public init(_ result: AEEResult, operation: String, advice: String = "") {
        self.result = result
        self.operation = operation
        self.advice = advice
    }
}

extension RemoteCallError {
    /// Whether the process on the DSP is gone, with its handles and mappings: the DSP restarted or the process
    /// died. Close the session and begin a new one.
    ///
    /// Told from the code: `0x8000040d` (the process is dead or ending), and from the transport itself 39 (no
    /// such process), 46 (interrupted by its end) and 104 (connection reset). The codes of a method of one's own
    /// carry the DSP's offset there and are not mistaken for these.
    public var isSessionLost: Bool { result.isSessionLost }
}

extension AEEResult {
    /// `AEE_ECONNRESET`: what `EPIPE` and `ECONNRESET` of the kernel become.
    public static let connectionReset = AEEResult(rawValue: 104)

    /// See ``RemoteCallError/isSessionLost``.
    public var isSessionLost: Bool {
        switch rawValue {
        case 0x8000_040d, 39, 46, 104: true
        default: false
        }
    }
}
