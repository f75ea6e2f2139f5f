import ArgumentParser
import Engine
import Foundation
import HTPDevice
import HexagonRPC
import Runtime

/// `engine perplexity`; `Perplexity` is what it measures.
struct PerplexityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Measures how well a model predicts a text, or how far its predictions are from another's.",
        discussion: """
            The text is cut into chunks of -c tokens; the first half of each is read, the second predicted. Figures compare \
            with llama.cpp's.

              engine perplexity -m model-q4_0.gguf -f wiki.test.raw -c 512
              engine perplexity -m model-f16.gguf -f wiki.test.raw --kl-divergence-base base.dat
              engine perplexity -m model-q4_0.gguf --kl-divergence-base base.dat --kl-divergence
            """)

    @Option(name: [.short, .long], help: "The model, a GGUF file.")
    var model: String
    @Option(name: [.short, .long], help: "A file with the text.")
    var file: String?
    @Option(
        name: [.short, .customLong("ctx-size")], parsing: .unconditional,
        help: "Tokens of a chunk; 0 for the model's context, at most 4096.")
    var context = 512
    @Option(
        name: [.customShort("b"), .customLong("batch-size")], parsing: .unconditional,
        help: "Tokens computed at once.")
    var batch = 512
    @Option(parsing: .unconditional, help: "Chunks to measure; -1 for all.")
    var chunks = -1
    @Option(name: [.short, .long], parsing: .unconditional, help: "CPU threads; 0 for one per core.")
    var threads = 0
    @Option(
        help: """
            A file of the base's predictions: written, or with --kl-divergence read (llama.cpp's format; about two bytes \
            for each token of the vocabulary and predicted token).
            """)
    var klDivergenceBase: String?
    @Flag(help: "Compare the predictions with the base's, whose file brings the text and its chunks.")
    var klDivergence = false
    @Option(help: DeviceList.help, transform: DeviceList.init(argument:))
    var device = DeviceList.automatic
    @OptionGroup var use: DeviceOptions
    @Option(help: "Whether the DSP is used: all, none, or auto for the faster side.")
    var place: Placement?
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
        guard context >= 0 else { throw ValidationError("-c is a number of tokens.") }
        guard chunks == -1 || chunks > 0 else {
            throw ValidationError("--chunks is a number from 1 on, or -1.")
        }
        guard (1...4096).contains(batch) else { throw ValidationError("-b is a number from 1 to 4096.") }
        guard (0...1024).contains(threads) else { throw ValidationError("-t is a number from 0 to 1024.") }
    }

    func run() throws {
        try reportingFailure {
            // Read before loading: a missing text should not cost the time.
            let base = klDivergence ? try klDivergenceBase.map(LogProbabilityFile.init) : nil
            let text = try file.map(contents) ?? ""
            if !klDivergence, let klDivergenceBase { try LogProbabilityFile.checkPath(klDivergenceBase) }
            var options = LanguageModel.Options()
            (options.threads, options.batch) = (threads, batch)
            options.contextLength = base?.contextLength ?? context
            options.placement = place
            options.onNotice = { printError("engine: \($0)") }
            Interrupt.catchFirst()
            options.isInterrupted = { Interrupt.isRequested }
            let model = try device.load(self.model, options, use.use)
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
