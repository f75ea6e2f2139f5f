import ArgumentParser
import Engine
import Foundation

/// `engine perplexity`; `Perplexity` is what it measures.
struct PerplexityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Measures how well a model predicts a text, or how far its predictions are from another's.",
        discussion: """
            The text is cut into chunks of -c tokens (512 without it); the first half of each is read, the second \
            predicted. Figures compare with llama.cpp's.

              engine perplexity -m model-q4_0.gguf -f wiki.test.raw -c 512
              engine perplexity -m model-f16.gguf -f wiki.test.raw --kl-divergence-base base.dat
              engine perplexity -m model-q4_0.gguf --kl-divergence-base base.dat --kl-divergence
            """)

    /// Tokens of a chunk where nothing else is said; llama.cpp's figures are for as many.
    private static let contextLength = 512

    @OptionGroup var model: ModelOptions
    @Option(name: [.short, .long], help: "A file with the text.")
    var file: String?
    @Option(parsing: .unconditional, help: "Chunks to measure; -1 for all.")
    var chunks = -1
    @Option(
        help: """
            A file of the base's predictions: written, or with --kl-divergence read (llama.cpp's format; about two bytes \
            for each token of the vocabulary and predicted token).
            """)
    var klDivergenceBase: String?
    @Flag(help: "Compare the predictions with the base's, whose file brings the text and its chunks.")
    var klDivergence = false
    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func validate() throws {
        if klDivergence {
            guard klDivergenceBase != nil else {
                throw ValidationError("--kl-divergence needs a base: --kl-divergence-base FILE.")
            }
            guard file == nil else {
                throw ValidationError("With --kl-divergence the base's file brings the text; there is no -f.")
            }
        } else {
            guard file != nil else { throw ValidationError("No text: give a file with -f.") }
        }
        guard chunks == -1 || chunks > 0 else {
            throw ValidationError("--chunks is a number from 1 on, or -1.")
        }
    }

    func run() throws {
        try reportingFailure {
            // Read before loading: a missing text should not cost the time.
            let base = klDivergence ? try klDivergenceBase.map(LogProbabilityFile.init) : nil
            let text = try file.map(contents) ?? ""
            if !klDivergence, let klDivergenceBase { try LogProbabilityFile.checkPath(klDivergenceBase) }
            let model = try self.model.load(
                contextLength: base?.contextLength ?? self.model.context ?? Self.contextLength)
            let maximum = chunks > 0 ? chunks : nil
            if let base {
                try compare(model, base, try PerplexityText(base, for: model, atMost: maximum))
            } else {
                try measure(
                    model,
                    try PerplexityText(
                        text, model.tokenizer, contextLength: model.contextLength, atMost: maximum))
            }
        }
    }

    private func measure(_ model: LanguageModel, _ text: PerplexityText) throws {
        describe(text)
        let start = ContinuousClock.now
        let (result, done) = try model.perplexity(
            of: text, writingTo: klDivergenceBase, shouldStop: { Interrupt.isRequested },
            onChunk: { chunk, result in
                guard !json else { return }
                printNow("[\(chunk + 1)]" + String(format: "%.4f,", result.value.value))
            })
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        if json {
            try printJSON(PerplexityOutput(model, text, done, result, seconds))
        } else {
            printNow("\n")
            if result.count > 0 {
                let value = result.value
                printNow(String(format: "Final estimate: PPL = %.4f +/- %.5f\n", value.value, value.error))
            }
        }
        try finish(text, done, seconds)
    }

    private func compare(_ model: LanguageModel, _ base: LogProbabilityFile, _ text: PerplexityText) throws {
        describe(text)
        let start = ContinuousClock.now
        let (result, done) = try model.divergence(
            from: base, over: text, shouldStop: { Interrupt.isRequested },
            onChunk: { chunk, result in
                guard !json else { return }
                if chunk == 0 { printNow(DivergenceTable.title) }
                printNow(DivergenceTable.line(chunk, result))
            })
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        if json {
            try printJSON(PerplexityOutput(model, text, done, result, seconds))
        } else if result.count > 0 {
            printNow(DivergenceTable.statistics(result))
        }
        try finish(text, done, seconds)
    }

    private func describe(_ text: PerplexityText) {
        guard !json else { return }
        printError(
            "\(text.totalTokens) tokens, \(text.chunks) chunks of \(text.contextLength), "
                + "\(text.predictions) tokens of each are predicted")
    }

    private func finish(_ text: PerplexityText, _ done: Int, _ seconds: Double) throws {
        if done < text.chunks {
            printError("stopped after \(done) of \(text.chunks) chunks")
            throw Exit.interrupted
        }
        guard !json else { return }
        let rate = Double(text.tokens.count) / max(seconds, 1e-9)
        printError(String(format: "%.1f s, %.1f tokens/s", seconds, rate))
    }
}
