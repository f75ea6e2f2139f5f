import ArgumentParser
import Foundation
import GGUF
import Tokenization

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the tokens of a text.",
        discussion: """
              engine tokenize -m model.gguf "Once upon a time"
              engine tokenize -m model.gguf -f book.txt --time
            """)

    @Option(name: [.short, .long], help: "The model or vocabulary, a GGUF file.")
    var model: String
    @Option(name: [.short, .long], help: "A file with the text.")
    var file: String?
    @Argument(help: "The text, or - for standard input.")
    var text: String?
    @Flag(help: "Print the ids only, separated by commas.")
    var ids = false
    @Flag(help: "Add no token at the beginning or the end.")
    var noBos = false
    @Flag(help: "Take control tokens written out in the text for text.")
    var noParseSpecial = false
    @Flag(help: "Print how long it takes instead of the tokens: the best of several times.")
    var time = false
    @Flag(help: "Print one JSON object.")
    var json = false

    private struct Output: Encodable {
        var version = 1
        var tokens: [Int32]
        var texts: [String]
    }

    private struct Timing: Encodable {
        var version = 1
        var bytes: Int
        var tokens: Int
        var ms: Double
        var load_ms: Double
    }

    func validate() throws {
        guard (text == nil) != (file == nil) else {
            throw ValidationError("Give a text as <text>, or a file with -f.")
        }
    }

    func run() throws {
        try reportingFailure {
            var clock = ContinuousClock.now
            let tokenizer = try Tokenizer(try GGUFFile(path: model))
            let loading = clock.lapMilliseconds()
            if let notice = tokenizer.notice { printError("engine: \(notice)") }
            let input =
                if let file {
                    try contents(of: file)
                } else if text == "-" {
                    String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
                } else {
                    text ?? ""
                }
            func encode() -> [Int32] {
                tokenizer.encode(input, addBOS: noBos ? false : nil, parseSpecial: !noParseSpecial)
            }
            if time {
                var timing = Timing(bytes: input.utf8.count, tokens: 0, ms: .infinity, load_ms: loading)
                for _ in 0..<5 {
                    _ = clock.lapMilliseconds()
                    timing.tokens = encode().count
                    timing.ms = min(timing.ms, clock.lapMilliseconds())
                }
                if json { return try printJSON(timing) }
                let rate = Double(timing.bytes) / 1000 / max(timing.ms, 1e-6)
                printNow(
                    String(
                        format: "%d bytes, %d tokens, %.2f ms, %.1f MB/s; vocabulary loaded in %.1f ms\n",
                        timing.bytes, timing.tokens, timing.ms, rate, timing.load_ms))
                return
            }
            let tokens = encode()
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

extension ContinuousClock.Instant {
    /// Milliseconds since this moment, which becomes now.
    fileprivate mutating func lapMilliseconds() -> Double {
        let now = ContinuousClock.now
        defer { self = now }
        return (now - self) / .milliseconds(1)
    }
}
