import ArgumentParser
import ChatTemplate
import Engine
import Glibc

struct Chat: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Talks with a model.",
        discussion: """
            What you type is a question, what comes back the model's answer. Without a terminal every line of standard \
            input is a question. Ctrl-C ends an answer; at the prompt it leaves, as the end of the input does. \
            /help names the commands.

              engine chat -m model.gguf --system "Be brief."
              printf 'What is a DSP?\\nAnd an NPU?\\n' | engine chat -m model.gguf --temp 0 --device sim0
            """)

    @OptionGroup var model: ModelOptions
    @Option(
        name: [.long, .customLong("sys", withSingleDash: true)], parsing: .unconditional,
        help: "What holds for the whole conversation.")
    var system: String?
    @Option(
        help: ArgumentHelp(
            "A file with a chat template in place of the model's, or the name of one of the model's several.",
            valueName: "file or name"))
    var chatTemplate: String?
    @Option(
        help: ArgumentHelp(
            "What the template is told besides the messages, such as '{\"enable_thinking\": false}'.",
            valueName: "JSON"))
    var chatTemplateKwargs: String?
    @Option(help: "Go on with a conversation that /save has written.")
    var load: String?
    @Option(
        name: [.customShort("n"), .customLong("predict")], parsing: .unconditional,
        help: "Tokens of an answer at most; -1 for as many as the context has room for.")
    var count = -1
    @OptionGroup var sampling: SamplingOptions

    func validate() throws {
        guard count >= -1 else { throw ValidationError("-n is a number of tokens, or -1.") }
    }

    func run() throws {
        try reportingFailure {
            // Read before loading: what cannot be read should not cost the time.
            let earlier = try load.map { try contents(of: $0) }
            let given = try template()
            let variables = try templateVariables()
            let model = try self.model.load()
            var format = try given ?? model.chatFormat(name: chatTemplate)
            format.variables = variables
            let conversation = try Conversation(with: model, format: format, system: system)
            if let earlier, let load { try conversation.load(earlier, name: load) }
            if let system { conversation.system = system }
            let parameters = GenerationParameters(
                maxTokens: count < 0 ? nil : count, sampling: sampling.parameters)
            var session = ChatSession(conversation, parameters)
            if let notice = Self.notice(format.origin) { printError("engine: \(notice)") }
            try session.run()
        }
    }

    /// The template in a file, if there is a file of that name.
    private func template() throws -> ChatFormat? {
        guard let chatTemplate, access(chatTemplate, F_OK) == 0 || chatTemplate.contains("/") else {
            return nil
        }
        return try ChatFormat(template: try contents(of: chatTemplate), name: chatTemplate)
    }

    private func templateVariables() throws -> [String: JSONValue] {
        guard let chatTemplateKwargs else { return [:] }
        guard case .object(let members)? = try? JSONValue(json: chatTemplateKwargs) else {
            throw ValidationError("--chat-template-kwargs is a JSON object.")
        }
        return Dictionary(members.map { ($0.name, $0.value) }) { $1 }
    }

    private static func notice(_ origin: ChatFormat.Origin) -> String? {
        switch origin {
        case .model, .given: nil
        case .chatML: "the model has no chat template; ChatML it is, as its vocabulary has the marks"
        case .plain:
            "the model has no chat template, so it may not be made for conversations; they are written as plain text "
                + "(User: …, Assistant: …); --chat-template takes a file"
        }
    }
}
