import ArgumentParser
import Foundation
import GGUF
import Tokenization

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows the tokens of a text.")

    @Option(name: [.short, .long], help: "The model or vocabulary, a GGUF file.")
    var model: String
    @Argument(help: "The text, or - for standard input.")
    var text: String
    @Flag(help: "Print the ids only, separated by commas.")
    var ids = false
    @Flag(help: "Print one JSON object.")
    var json = false

    private struct Output: Encodable {
        var version = 1
        var tokens: [Int32]
        var texts: [String]
    }

    func run() throws {
        try reportingFailure {
            let tokenizer = try Tokenizer(try GGUFFile(path: model))
            let input =
                text == "-"
                ? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) : text
            let tokens = tokenizer.encode(input, parseSpecial: true)
            if json {
                try printJSON(
                    Output(
                        tokens: tokens,
                        texts: tokens.map { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) }))
            } else if ids {
                printNow(tokens.map(String.init).joined(separator: ",") + "\n")
            } else {
                for token in tokens {
                    let text = String(decoding: tokenizer.bytes(of: token), as: UTF8.self)
                    printNow("\(token)\t\(text.debugDescription)\n")
                }
            }
        }
    }
}
