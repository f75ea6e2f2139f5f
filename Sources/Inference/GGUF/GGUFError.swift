/// What went wrong with a GGUF file: one line that names the file, the place and the problem.
public struct GGUFError: Error, Hashable, Sendable {
    /// The class of the problem, for programs that decide by it.
    public enum Kind: Hashable, Sendable {
        /// The file cannot be opened, is not a regular file, or cannot be mapped.
        case unreadable
        /// The file is no GGUF file at all.
        case notGGUF
        /// The file is GGUF, of a kind that is not read here (version 1, big-endian, split, unknown tensor type).
        case unsupported
        /// The file ends before its contents do.
        case truncated
        /// The file contradicts itself or the format.
        case malformed
        /// A key or tensor that a caller needs is not there.
        case missing
        /// A value is there, of another type or outside the range asked for.
        case wrongType
        /// The file cannot be written.
        case unwritable
    }

    /// The class of the problem.
    public let kind: Kind
    /// The file.
    public let path: String
    /// Where in the file, if the problem has a place.
    public let byteOffset: Int?
    /// What is wrong, and with which key or tensor, in one line.
    public let problem: String

    package init(_ kind: Kind, path: String, at byteOffset: Int? = nil, _ problem: String) {
        self.kind = kind
        self.path = path
        self.byteOffset = byteOffset
        self.problem = problem
    }
}

extension GGUFError: CustomStringConvertible {
    /// The whole line.
    public var description: String {
        let place = byteOffset.map { " (at byte \($0))" } ?? ""
        return "\(path): \(problem)\(place)"
    }
}

/// A name out of a file as it may stand in a message: quoted, on one line, not longer than a line.
package func quoted(_ name: some StringProtocol) -> String {
    var text = "\""
    for scalar in name.unicodeScalars.prefix(80) {
        text += scalar.value < 0x20 || scalar.value == 0x7f ? "?" : String(scalar)
    }
    return text + (name.unicodeScalars.count > 80 ? "…\"" : "\"")
}
