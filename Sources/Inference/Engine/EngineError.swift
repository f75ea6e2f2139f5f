/// Why text cannot be generated, in one line.
public struct EngineError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is; a program chooses its exit code by it.
    public enum Kind: Hashable, Sendable {
        /// A file or an argument is not usable.
        case badInput
        /// A device cannot be used.
        case deviceUnavailable
        /// This user may not use a device.
        case notPermitted
        /// Something failed on the way.
        case failed
        /// Nobody wants the result any more: ``LanguageModel/Options/isInterrupted`` said so.
        case interrupted
    }

    /// What kind of failure it is.
    public var kind: Kind
    /// What failed, on what, and what to do about it.
    public var description: String

    /// Describes a failure.
    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
