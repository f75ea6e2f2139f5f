import ChatTemplate
import GGUF
import Tokenization

/// How a model's chats become tokens: a template, and what it is told of the model.
public struct ChatFormat: Sendable {
    /// Where the template comes from.
    public enum Origin: Hashable, Sendable {
        /// The model's file, perhaps by a name (`tokenizer.chat_template.NAME`).
        case model(name: String?)
        /// Somebody gave it.
        case given
        /// The model has none, but the tokens of ChatML.
        case chatML
        /// The model has none: speakers are named in plain text.
        case plain
    }

    /// Where the template comes from.
    public let origin: Origin
    /// The template's text.
    public let source: String
    /// What the template can name besides the messages, such as `enable_thinking`.
    public var variables: [String: JSONValue] = [:]
    /// Texts at which an answer ends.
    let stops: [String]
    private let template: ChatTemplate

    private init(_ source: String, _ origin: Origin, named name: String, stops: [String] = []) throws {
        do {
            template = try ChatTemplate(source)
        } catch {
            throw EngineError(.badInput, "\(name): \(error)")
        }
        (self.source, self.origin, self.stops) = (source, origin, stops)
    }

    /// A template from elsewhere.
    ///
    /// - Parameter name: what messages call it, such as its file.
    public init(template source: String, name: String = "the chat template") throws {
        try self.init(source, .given, named: name)
    }

    /// The template of a model, by name or the one without; where it has none, a standard one.
    init(_ file: GGUFFile, _ tokenizer: Tokenizer, name: String?) throws {
        let key = Self.key + (name.map { "." + $0 } ?? "")
        if let source = try file.metadata.stringIfPresent(key) {
            try self.init(source, .model(name: name), named: "\(file.path): \(key)")
        } else if let name {
            let names = Self.names(in: file)
            throw EngineError(
                .badInput,
                "\(file.path): there is no chat template '\(name)'; "
                    + (names.isEmpty
                        ? "the model has none by name" : "there are " + names.joined(separator: ", ")))
        } else if tokenizer.token(named: "<|im_start|>") != nil, tokenizer.token(named: "<|im_end|>") != nil {
            try self.init(Self.chatML, .chatML, named: "ChatML")
        } else {
            try self.init(Self.plain, .plain, named: "plain text", stops: ["\nUser:", "\nSystem:"])
        }
    }

    private static let key = "tokenizer.chat_template"

    /// The names of a model's further templates.
    static func names(in file: GGUFFile) -> [String] {
        file.metadata.keys.filter { $0.hasPrefix(key + ".") }.map { String($0.dropFirst(key.count + 1)) }
            .sorted()
    }

    private static let chatML = """
        {% for message in messages %}
        {{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
        {%- endfor %}
        {% if add_generation_prompt %}
        {{ '<|im_start|>assistant\\n' }}
        {%- endif %}
        """

    private static let plain = """
        {% for message in messages %}
        {{ message.role | capitalize + ': ' + message.content | trim + '\\n' }}
        {%- endfor %}
        {% if add_generation_prompt %}
        {{ 'Assistant:' }}
        {%- endif %}
        """

    /// The tokens of a chat. Control tokens are read from what the template writes, never from what the messages say; the
    /// BOS token is there once, where the model wants one or the template writes it.
    func tokens(
        of messages: [ChatMessage], addsGenerationPrompt: Bool, _ tokenizer: Tokenizer
    ) throws -> [Int32] {
        func text(_ token: Int32?) -> JSONValue {
            .string(token.map { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) } ?? "")
        }
        var variables: [String: JSONValue] = [
            "tools": .null, "documents": .null, "bos_token": text(tokenizer.bosToken),
            "eos_token": text(tokenizer.eosToken), "unk_token": text(tokenizer.unknownToken),
        ]
        variables.merge(self.variables) { $1 }
        variables["messages"] = .array(messages.map(\.json))
        variables["add_generation_prompt"] = .boolean(addsGenerationPrompt)
        do throws(ChatTemplateError) {
            let pieces = try template.render(variables)
            return tokenizer.encode(pieces.map { TextPiece($0.text, parsesSpecial: !$0.isContent) })
        } catch {
            throw EngineError(
                .badInput,
                error.isRaised
                    ? "the chat template does not take the conversation: \(error.problem)"
                    : "the chat template: \(error)")
        }
    }
}

extension LanguageModel {
    /// The model's chat template; where it has none, ChatML if its vocabulary has the tokens, or else plain text.
    ///
    /// - Parameter name: of several templates (``chatTemplateNames``) the one that is wanted.
    public func chatFormat(name: String? = nil) throws -> ChatFormat {
        try ChatFormat(file, tokenizer, name: name)
    }

    /// The names of the model's further chat templates, such as `tool_use`.
    public var chatTemplateNames: [String] { ChatFormat.names(in: file) }
}
