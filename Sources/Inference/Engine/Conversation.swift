import ChatTemplate
import GGUF

/// A conversation with a model. What the model has computed of it stays in its cache: each turn computes only what is new.
///
/// ```swift
/// let conversation = try Conversation(with: model, system: "Be brief.")
/// let answer = try conversation.respond(to: "Why is the sky blue?") { text in print(text, terminator: "") }
/// ```
///
/// A model has one cache. Other generations in between are allowed; the next turn computes again what they have replaced.
public final class Conversation {
    /// Who answers.
    public let model: LanguageModel
    /// How the conversation becomes tokens.
    public let format: ChatFormat
    /// What was said so far.
    public private(set) var messages: [ChatMessage] = []
    /// Tokens of the context that the last turn left in use.
    public private(set) var usedTokens = 0

    /// Begins a conversation.
    ///
    /// - Parameters:
    ///   - format: nil for the model's own.
    ///   - system: what holds for all of it.
    public init(with model: LanguageModel, format: ChatFormat? = nil, system: String? = nil) throws {
        self.model = model
        self.format = try format ?? model.chatFormat()
        self.system = system
    }

    /// What holds for the whole conversation: the first message, if it is the system's. It may change at any time.
    public var system: String? {
        get { messages.first.flatMap { $0.role == "system" ? $0.content : nil } }
        set {
            if messages.first?.role == "system" { messages.removeFirst() }
            if let newValue { messages.insert(ChatMessage(.system, newValue), at: 0) }
        }
    }

    /// Forgets all but what holds for the whole conversation.
    public func clear() {
        let system = system
        messages = []
        self.system = system
        usedTokens = 0
    }

    /// Says something and lets the model answer. Where that fails, the conversation stays as it was; an answer that is
    /// interrupted is kept as far as it is there.
    ///
    /// - Parameters:
    ///   - parameters: how the answer is chosen, and how long it may be.
    ///   - shouldStop: asked before every token; `true` ends the answer.
    ///   - onText: gets the answer as it comes, never part of a character.
    public func respond(
        to text: String, _ parameters: GenerationParameters = GenerationParameters(),
        shouldStop: () -> Bool = { false }, onText: (String) -> Void = { _ in }
    ) throws -> Generation {
        let asked = messages + [ChatMessage(.user, text)]
        let prompt = try tokens(of: asked)
        guard prompt.count < model.contextLength else {
            throw EngineError(
                .badInput,
                "the context is full: the conversation has \(prompt.count) tokens, the context holds "
                    + "\(model.contextLength); begin a new conversation, or make the context larger with -c")
        }
        var parameters = parameters
        parameters.reusesCache = true
        var stop = StopTexts(format.stops)
        var answer = try model.generate(
            from: prompt, parameters, shouldStop: { stop.isFound || shouldStop() },
            onText: { text in
                let text = stop.pass(text)
                if !text.isEmpty { onText(text) }
            })
        let rest = stop.finish()
        if !rest.isEmpty { onText(rest) }
        if stop.isFound {
            (answer.text, answer.end) = (stop.passed, .endOfText)
        }
        usedTokens = prompt.count + answer.tokens.count
        // Nothing was said where the question was not even read.
        guard answer.end != .interrupted || !answer.tokens.isEmpty else { return answer }
        messages = asked + [ChatMessage(.assistant, answer.text)]
        return answer
    }

    /// The prompt for the model's next answer.
    private func tokens(of messages: [ChatMessage]) throws -> [Int32] {
        try format.tokens(of: messages, addsGenerationPrompt: true, model.tokenizer)
    }

    // MARK: Files

    /// The conversation as JSON: an object with `messages`.
    public var json: JSONValue {
        .object(["version": .integer(1), "messages": .array(messages.map(\.json))])
    }

    /// Writes the conversation to a file, which appears whole or not at all.
    public func save(to path: String) throws {
        do throws(GGUFError) {
            let file = try ReplacementFile(for: path)
            try file.append(Array((json.text(isIndented: true) + "\n").utf8))
            try file.commit()
        } catch {
            throw EngineError(.failed, "\(error)")
        }
    }

    /// Goes on with a conversation from JSON: what ``save(to:)`` has written, or an array of messages.
    ///
    /// - Parameter name: what messages call it, such as its file.
    public func load(_ text: String, name: String) throws {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(json: text)
        } catch {
            throw EngineError(.badInput, "\(name): no conversation: \(error)")
        }
        guard let elements = value["messages"]?.array ?? value.array else {
            throw EngineError(.badInput, "\(name): no conversation: there is no array 'messages'")
        }
        messages = try elements.enumerated().map { index, element in
            guard let message = ChatMessage(json: element) else {
                throw EngineError(.badInput, "\(name): message \(index + 1) has no 'role'")
            }
            return message
        }
        usedTokens = 0
    }
}

/// Holds back what may become one of the texts at which an answer ends.
private struct StopTexts {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []
    private(set) var isFound = false
    /// All that was let through.
    private(set) var passed = ""

    init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) } }

    /// What of a text can be shown.
    mutating func pass(_ text: String) -> String {
        guard !isFound else { return "" }
        held += text.utf8
        var end = held.count
        for start in held.indices {
            let rest = held[start...]
            if stops.contains(where: { rest.starts(with: $0) }) {
                isFound = true
                end = start
                break
            }
            if stops.contains(where: { $0.starts(with: rest) }) {
                end = start
                break
            }
        }
        // A stop begins with a character of its own, so nothing is cut through.
        let text = String(decoding: held[..<end], as: UTF8.self)
        held.removeFirst(end)
        if isFound { held = [] }
        passed += text
        return text
    }

    /// What was held back for nothing.
    mutating func finish() -> String {
        defer { held = [] }
        let text = String(decoding: held, as: UTF8.self)
        passed += text
        return text
    }
}
