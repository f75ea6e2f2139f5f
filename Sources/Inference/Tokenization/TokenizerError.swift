import GGUF

/// Why a model's tokenizer cannot be used: one line that names the file, the key or token, and the problem.
public struct TokenizerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The model's file.
    public let path: String
    /// What is wrong.
    public let problem: String

    init(_ path: String, _ problem: String) {
        self.path = path
        self.problem = problem
    }

    init(_ error: GGUFError) {
        self.init(error.path, error.problem)
    }

    /// The whole line.
    public var description: String { "\(path): \(problem)" }
}
