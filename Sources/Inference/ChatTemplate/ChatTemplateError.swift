/// Why a template cannot be read or rendered: one line that names the template's line and the problem.
public struct ChatTemplateError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line of the template, from 1.
    public let line: Int
    /// What is wrong.
    public let problem: String
    /// Whether it is the template's own word, by `raise_exception`, about the conversation.
    public let isRaised: Bool

    init(line: Int, _ problem: String, isRaised: Bool = false) {
        self.line = line
        self.problem = problem
        self.isRaised = isRaised
    }

    /// The whole line.
    public var description: String { "line \(line): \(problem)" }
}

/// What goes wrong while a value is computed; the interpreter knows the line.
struct Failure: Error {
    var problem: String
    /// `raise_exception` was called.
    var isRaised = false
    /// A bound was reached: nothing that a template may go on after.
    var isLimit = false

    init(_ problem: String) { self.problem = problem }

    static func limit(_ problem: String) -> Failure {
        var failure = Failure(problem)
        failure.isLimit = true
        return failure
    }

    static func raised(_ problem: String) -> Failure {
        var failure = Failure(problem)
        failure.isRaised = true
        return failure
    }
}
