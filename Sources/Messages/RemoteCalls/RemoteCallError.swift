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
