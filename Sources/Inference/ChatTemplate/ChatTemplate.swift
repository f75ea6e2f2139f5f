import Glibc

/// The template by which a model's chats become text, in the language Jinja as Hugging Face's transformers set it up.
///
/// ```swift
/// let template = try ChatTemplate(source)
/// let pieces = try template.render([
///     "messages": .array([.object(["role": "user", "content": "Hello"])]), "add_generation_prompt": .boolean(true),
/// ])
/// ```
///
/// A template is somebody else's program: it can neither change anything nor take more than a bounded time and memory.
/// `references/chat-templates.md` says what is supported.
public struct ChatTemplate: Sendable {
    private let statements: [Statement]

    /// Reads a template.
    public init(_ source: String) throws(ChatTemplateError) {
        statements = try Parser.statements(of: source)
    }

    /// A part of a rendered chat.
    public struct Piece: Hashable, Sendable {
        /// The text.
        public var text: String
        /// Whether it came with the messages, and not from the template: tokens of the model's that are spelt out in it are
        /// mere text.
        public var isContent: Bool
    }

    /// How much a template may do; see ``Interpreter/charge(_:)``.
    static let greatestWork = 1 << 24

    /// Renders a chat.
    ///
    /// - Parameters:
    ///   - variables: what the template can name; transformers give `messages`, `tools`, `documents`,
    ///     `add_generation_prompt`, the special tokens (`bos_token`, …) and what the user adds.
    ///   - content: the variables that are what somebody said.
    ///   - time: the time of `strftime_now`, in seconds of Unix; nil for now.
    /// - Returns: the text in pieces.
    public func render(
        _ variables: [String: JSONValue], content: Set<String> = ["messages", "tools", "documents"],
        time: Int? = nil
    ) throws(ChatTemplateError) -> [Piece] {
        var interpreter: Interpreter?
        do {
            var values: [String: Value] = [:]
            for (name, variable) in variables {
                values[name] = try variable.value(isContent: content.contains(name))
            }
            let running = try Interpreter(values, time: time ?? Glibc.time(nil), work: Self.greatestWork)
            interpreter = running
            try running.run(statements)
            return Self.pieces(running.output)
        } catch let failure as Failure {
            throw ChatTemplateError(
                line: interpreter?.line ?? 1, failure.problem, isRaised: failure.isRaised)
        } catch {
            throw ChatTemplateError(line: interpreter?.line ?? 1, "\(error)")
        }
    }

    private static func pieces(_ output: [CodePoint]) -> [Piece] {
        var pieces: [Piece] = []
        var rest = output[...]
        while let first = rest.first {
            let run = rest.prefix { $0.isContent == first.isContent }
            rest = rest.dropFirst(run.count)
            pieces.append(Piece(text: Text(run).string, isContent: first.isContent))
        }
        return pieces
    }
}

extension JSONValue: ExpressibleByStringLiteral {
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
}
