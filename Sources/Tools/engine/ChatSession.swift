import Engine
import Glibc

/// A conversation at a terminal, or line by line from a pipe.
struct ChatSession {
    private let conversation: Conversation
    private let parameters: GenerationParameters
    private var input = ChatInput()
    private var last: Generation?

    init(_ conversation: Conversation, _ parameters: GenerationParameters) {
        (self.conversation, self.parameters) = (conversation, parameters)
    }

    /// Reads and answers until there is no more to read, or somebody wants to leave.
    mutating func run() throws {
        if input.isInteractive { printError("/help names the commands, /exit leaves.") }
        while true {
            let line: String
            switch input.read() {
            case .text(let text): line = text
            case .end:
                if input.isInteractive { printError("") }
                return
            case .interrupted:
                printError("")
                throw Exit.interrupted
            }
            do {
                if let command = ChatCommand(line) {
                    guard try run(command) else { return }
                } else {
                    // A second slash makes a question of what would be a command.
                    try answer(line.hasPrefix("//") ? String(line.dropFirst()) : line)
                }
            } catch let error as EngineError where input.isInteractive && error.kind != .interrupted {
                printError("engine: \(error)")
            }
        }
    }

    private mutating func answer(_ question: String) throws {
        var isFirst = true
        let answer = try conversation.respond(
            to: question, parameters, shouldStop: { Interrupt.isRequested },
            onText: { text in
                // What the model puts before its first word is not to be seen.
                let text = isFirst ? String(text.drop(while: \.isWhitespace)) : text
                guard !text.isEmpty else { return }
                isFirst = false
                printNow(text)
            })
        printNow("\n")
        last = answer
        if input.isInteractive {
            // Whether it came in time or not, it was for the answer.
            Interrupt.reset()
        } else if answer.end == .interrupted {
            throw Exit.interrupted
        }
        switch answer.end {
        case .contextFull:
            printError(
                "engine: the answer was cut off: the context of \(conversation.model.contextLength) tokens is full; "
                    + "/clear begins anew, -c makes it larger")
        case .length, .endOfText, .interrupted: break
        }
    }

    /// Runs a command; false where it leaves.
    private mutating func run(_ command: ChatCommand) throws -> Bool {
        switch command {
        case .exit: return false
        case .help: printError(ChatCommand.overview)
        case .clear:
            conversation.clear()
            last = nil
        case .system(nil): printError(conversation.system ?? "no system message")
        case .system(let text?): conversation.system = text
        case .save(let path): try conversation.save(to: path)
        case .load(let path):
            try conversation.load(try contents(of: path), name: path)
            last = nil
        case .stats: printStatistics()
        case .wrong(let problem): throw EngineError(.badInput, problem)
        }
        return true
    }

    private func printStatistics() {
        if let last { printSummary(conversation.model, last) }
        printError(
            "context \(conversation.usedTokens) of \(conversation.model.contextLength) tokens, "
                + "\(conversation.messages.count) messages"
                + (last.map { "; \($0.reusedTokens) of \($0.promptTokens) prompt tokens reused" } ?? ""))
    }
}

/// A line that is no question.
enum ChatCommand {
    case exit
    case help
    case clear
    case stats
    case system(String?)
    case save(String)
    case load(String)
    /// What is wrong with it.
    case wrong(String)

    static let overview = """
        /clear        forget the conversation, but not the system message
        /system TEXT  set the system message; without a text, print it
        /save FILE    write the conversation as JSON
        /load FILE    go on with such a conversation
        /stats        print speeds, tokens reused, context used and what was offloaded
        /exit         leave, as Ctrl-D does
        \\ at the end of a line goes on with the next one; \"\"\" begins and ends a text of several lines.
        // begins a question with a slash. Ctrl-C ends an answer; at the prompt it leaves.
        """

    /// Nil for a question.
    init?(_ line: String) {
        guard line.hasPrefix("/"), !line.hasPrefix("//") else { return nil }
        let name = line.prefix { !$0.isWhitespace }
        let rest = line.dropFirst(name.count).drop(while: \.isWhitespace)
        var argument = String(rest)
        while argument.last?.isWhitespace ?? false { argument.removeLast() }
        switch name {
        case "/exit", "/quit", "/bye": self = .exit
        case "/help", "/?": self = .help
        case "/clear": self = .clear
        case "/stats": self = .stats
        case "/system": self = .system(argument.isEmpty ? nil : argument)
        case "/save": self = argument.isEmpty ? .wrong("/save needs a file's name") : .save(argument)
        case "/load": self = argument.isEmpty ? .wrong("/load needs a file's name") : .load(argument)
        default:
            self = .wrong("there is no command \(name); /help names them, // begins a question with a slash")
        }
    }
}
