import ArgumentParser
import Engine
import Foundation
import GGUF
import HTPDevice
import HexagonRPC
import Runtime

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Continues a text.",
        discussion: """
            The prompt comes from -p, -f, --tokens or standard input.

              engine generate -m model.gguf -p "Once upon a time" -n 64 --temp 0
              engine generate -m model.gguf -f story.txt --device sim0 --json
            """)

    @OptionGroup var model: ModelOptions
    @Option(name: [.short, .long], parsing: .unconditional, help: "The prompt.")
    var prompt: String?
    @Option(name: [.short, .long], help: "A file with the prompt.")
    var file: String?
    @Option(
        parsing: .unconditional,
        help: "The prompt as token ids, separated by commas; nothing is put in front.")
    var tokens: String?
    @Option(
        name: [.customShort("n"), .customLong("predict")], parsing: .unconditional,
        help: "Tokens to generate; -1 until the end.")
    var count = -1
    @OptionGroup var sampling: SamplingOptions
    @Flag(help: "Go on after the model has ended its text.")
    var ignoreEos = false
    @Flag(name: .customLong("no-display-prompt"), help: "Do not print the prompt before the text.")
    var hidesPrompt = false
    @Flag(help: "Print one JSON object instead of text.")
    var json = false
    @Option(
        name: [.long, .customLong("session")],
        help: "Keep keys and values in this file, and compute only what it does not hold of a prompt.")
    var promptCache: String?
    @Option(help: "Write the logits of all prompt tokens to this NumPy file.")
    var logits: String?

    @Option(
        defaultAsFlag: "",
        help: ArgumentHelp(
            "Show where the time went; with a file, write that as JSON there.", valueName: "file"))
    var profile: String?

    func validate() throws {
        guard [prompt, file, tokens].compactMap({ $0 }).count <= 1 else {
            throw ValidationError("-p, -f and --tokens exclude each other.")
        }
        guard prompt != nil || file != nil || tokens != nil || isatty(STDIN_FILENO) == 0 else {
            throw ValidationError("No prompt: give one with -p, -f or --tokens, or on standard input.")
        }
        if let tokens { _ = try Self.ids(in: tokens) }
        guard count >= -1 else { throw ValidationError("-n is a number of tokens, or -1.") }
    }

    func run() throws {
        try reportingFailure {
            // Read before loading: a missing prompt should not cost the time.
            let input = try readPrompt()
            if let logits { try LanguageModel.checkLogitsPath(logits) }
            if let promptCache { try LanguageModel.checkSessionPath(promptCache) }
            if let profile, !profile.isEmpty { try ReplacementFile.check(profile) }
            let model = try self.model.load(profiles: profile != nil)
            let ids = try promptTokens(input, model)
            // Before any output.
            try model.check(ids)

            if let promptCache, access(promptCache, F_OK) == 0 { try model.loadSession(from: promptCache) }

            var parameters = GenerationParameters(
                maxTokens: count < 0 ? nil : count, sampling: sampling.parameters)
            parameters.ignoresEndOfText = ignoreEos
            parameters.keepsPromptLogits = logits != nil
            parameters.reusesCache = promptCache != nil
            // Not before there is something to go with it: a model that cannot continue prints nothing.
            var prompt = json || hidesPrompt ? "" : model.tokenizer.decode(ids)
            let generation = try model.generate(
                from: ids, parameters, shouldStop: { Interrupt.isRequested },
                onText: { text in
                    guard !json else { return }
                    printNow(prompt + text)
                    prompt = ""
                })
            if let promptCache, model.cachedTokens > 0 { try model.saveSession(to: promptCache) }
            if let logits, !generation.promptLogits.isEmpty {
                try model.writeLogits(generation.promptLogits, to: logits)
            }
            if json {
                var output = GenerationOutput(model, generation)
                if profile == "" { output.profile = .init(model) }
                try printJSON(output)
            } else {
                printNow(prompt + "\n")
                printSummary(model, generation)
                if profile == "" { printProfile(model) }
            }
            if let profile, !profile.isEmpty {
                try writeJSON(GenerationOutput.Profile(model), to: profile)
            }
            if generation.end == .interrupted { throw Exit.interrupted }
        }
    }

    private enum Input {
        case text(String)
        case ids([Int32])
    }

    private func readPrompt() throws -> Input {
        if let tokens { return .ids(try Self.ids(in: tokens)) }
        if let prompt { return .text(prompt) }
        if let file {
            return .text(try contents(of: file))
        }
        return .text(String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self))
    }

    private static func ids(in text: String) throws -> [Int32] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let id = Int32(part.trimmingCharacters(in: .whitespaces)) else {
                throw ValidationError("--tokens takes token ids separated by commas; '\(part)' is none.")
            }
            return id
        }
    }

    private func promptTokens(_ input: Input, _ model: LanguageModel) throws -> [Int32] {
        switch input {
        case .text(let text): try model.tokens(of: text)
        case .ids(let ids): ids
        }
    }
}

/// How tokens are chosen; names and defaults are llama.cpp's.
struct SamplingOptions: ParsableArguments {
    @Option(
        name: .customLong("temp"), parsing: .unconditional,
        help: "Temperature; 0 takes the most likely token.")
    var temperature: Float = 0.8
    @Option(parsing: .unconditional, help: "Consider the N most likely tokens; 0 for all.")
    var topK = 40
    @Option(
        parsing: .unconditional, help: "Consider the most likely tokens up to this probability; 1 for all.")
    var topP: Float = 0.95
    @Option(
        parsing: .unconditional,
        help: "Consider tokens at least this likely, compared to the most likely; 0 for all.")
    var minP: Float = 0.05
    @Option(parsing: .unconditional, help: "Penalty on tokens that came recently; 1 for none.")
    var repeatPenalty: Float = 1
    @Option(
        name: .customLong("repeat-last-n"), parsing: .unconditional,
        help: "How far the penalty looks back; -1 for all.")
    var repeatLastN = 64
    @Option(name: [.short, .long], parsing: .unconditional, help: "Seed of the random choices.")
    var seed: UInt64?

    var parameters: SamplingParameters {
        SamplingParameters(
            temperature: temperature, topK: topK, topP: topP, minP: minP, repeatPenalty: repeatPenalty,
            repeatLastN: repeatLastN, seed: seed ?? .random(in: 0...UInt64.max))
    }

    func validate() throws {
        guard temperature.isFinite, temperature >= 0 else {
            throw ValidationError("--temp is a number from 0 on.")
        }
        guard topK >= 0 else { throw ValidationError("--top-k is a number from 0 on.") }
        guard (0...1).contains(topP), (0...1).contains(minP) else {
            throw ValidationError("--top-p and --min-p are numbers from 0 to 1.")
        }
        guard repeatPenalty.isFinite, repeatPenalty > 0, repeatLastN >= -1 else {
            throw ValidationError("--repeat-penalty is above 0, --repeat-last-n from -1 on.")
        }
    }
}
