import ArgumentParser
import Engine
import Foundation
import GGUF

struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a model's matrices in another format.",
        discussion: "Formats: \(QuantizationMix.names).")

    @Flag(help: "Quantise matrices again that are quantised already, and let them lose by it.")
    var allowRequantize = false
    @Option(
        help: ArgumentHelp(
            "Give tensors whose name a regular expression finds a type; the first one counts.",
            valueName: "REGEX=TYPE"))
    var tensorType: [String] = []
    @Option(help: ArgumentHelp("The type of the output matrix.", valueName: "TYPE"))
    var outputTensorType: String?
    @Option(help: ArgumentHelp("The type of the embedding.", valueName: "TYPE"))
    var tokenEmbeddingType: String?
    @Flag(help: "Leave output.weight as it is.")
    var leaveOutputTensor = false
    @Flag(help: "Give all matrices the same type.")
    var pure = false
    @Flag(help: "Only print what would be written.")
    var dryRun = false
    @Argument(help: "A GGUF file; of a split model, any.")
    var input: String
    @Argument(help: "The file to write.")
    var output: String
    @Argument(help: "The format, in either case.")
    var type: String
    @Argument(help: "CPU threads; 0 for one per core.")
    var threads = 0

    func validate() throws {
        guard (0...1024).contains(threads) else {
            throw ValidationError("THREADS is a number from 0 to 1024.")
        }
        _ = try options()
    }

    func run() throws {
        Interrupt.catchFirst()
        try reportingFailure {
            let quantizer = ModelQuantizer(try options())
            let clock = ContinuousClock()
            let start = clock.now
            var steps: [ModelQuantizer.Step]
            if dryRun {
                steps = try quantizer.plan(input)
                for step in steps { printNow(Self.line(step) + "\n") }
            } else {
                let progress = QuantizationProgress()
                steps = try progress.during { report in
                    try quantizer.quantize(input, to: output, progress: report)
                }
            }
            let seconds = dryRun ? nil : clock.now - start
            summarise(steps, seconds)
        }
    }

    private func options() throws -> ModelQuantizer.Options {
        guard let mix = QuantizationMix(type) else {
            throw ValidationError("Unknown format '\(type)'; known: \(QuantizationMix.names).")
        }
        var options = ModelQuantizer.Options(mix)
        options.allowsRequantizing = allowRequantize
        options.overrides = try tensorType.map(Self.override)
        options.outputType = try outputTensorType.map(Self.tensorType)
        options.embeddingType = try tokenEmbeddingType.map(Self.tensorType)
        options.leavesOutput = leaveOutputTensor
        options.isPure = pure
        options.threads = threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount
        options.isInterrupted = { Interrupt.isRequested }
        return options
    }

    private static func tensorType(_ name: String) throws -> TensorType {
        guard let type = TensorType(name: name), ModelQuantizer.tensorTypes.contains(type) else {
            let known = ModelQuantizer.tensorTypes.map(\.name).joined(separator: ", ")
            throw ValidationError("Unknown tensor type '\(name)'; known: \(known).")
        }
        return type
    }

    private static func override(_ text: String) throws -> (Regex<AnyRegexOutput>, TensorType) {
        guard let equals = text.lastIndex(of: "="), equals > text.startIndex else {
            throw ValidationError("--tensor-type wants REGEX=TYPE, such as ffn_down=Q6_K, not '\(text)'.")
        }
        let type = try tensorType(String(text[text.index(after: equals)...]))
        let pattern = String(text[..<equals])
        guard let regex = try? Regex(pattern) else {
            throw ValidationError("--tensor-type: '\(pattern)' is no regular expression.")
        }
        return (regex, type)
    }

    /// What is done with a tensor, in a line.
    static func line(_ step: ModelQuantizer.Step) -> String {
        let shape = step.dimensions.map(String.init).joined(separator: " × ")
        let types = step.from == step.to ? "\(step.to)" : "\(step.from) -> \(step.to)"
        let note = step.isFallback ? " (rows of \(step.dimensions[0]) do not fit the format)" : ""
        return "[\(step.index)/\(step.count)] \(step.name): \(shape), \(types)\(note)"
    }

    private func summarise(_ steps: [ModelQuantizer.Step], _ seconds: Duration?) {
        func size(_ bytes: Int) -> String {
            let weights = max(1, steps.reduce(0) { $0 + $1.weights })
            return String(
                format: "%.2f MB (%.2f bits a weight)", Double(bytes) / 1e6,
                Double(bytes) * 8 / Double(weights))
        }
        let before = size(steps.reduce(0) { $0 + $1.bytesBefore })
        let after = size(steps.reduce(0) { $0 + $1.bytesAfter })
        let time = seconds.map { String(format: " in %.1f s", $0 / .seconds(1)) } ?? ""
        let summary = "\(steps.count) tensors, \(before) -> \(after)\(time)"
        if dryRun { printNow(summary + "\n") } else { printError("\(output): \(summary)") }
        let misfits = steps.count(where: \.isFallback)
        if misfits > 0 {
            printError("\(misfits) tensors have rows that do not fit the format and took another type")
        }
    }
}
