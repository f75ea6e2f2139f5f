import ArgumentParser
import Engine
import Foundation

struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a model's matrices in another format.",
        discussion: "Formats: \(ModelQuantizer.formatNames.joined(separator: ", ")).")

    @Flag(help: "Quantise matrices again that are quantised already.")
    var allowRequantize = false
    @Argument(help: "A GGUF file.")
    var input: String
    @Argument(help: "The file to write.")
    var output: String
    @Argument(help: "The format.")
    var type: String
    @Argument(help: "CPU threads; 0 for one per core.")
    var threads = 0

    func validate() throws {
        guard (0...1024).contains(threads) else {
            throw ValidationError("THREADS is a number from 0 to 1024.")
        }
    }

    func run() throws {
        try reportingFailure {
            let threads = threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount
            let quantizer = try ModelQuantizer(
                format: type, allowsRequantizing: allowRequantize, threads: threads)
            try quantizer.quantize(input, to: output) { step in
                printError("[\(step.index)/\(step.count)] \(step.name): \(step.from) -> \(step.to)")
            }
        }
    }
}
