import GGUF
import TestSupport
import Testing
import Tokenization

/// Speed is reported, and bounded so loosely that only a wrong order of growth fails.
@Suite(.needsSharedData, .serialized) struct TokenizerSpeedTests {
    @Test(arguments: ["llama-bpe", "qwen2", "gpt-4o", "llama-spm", "deepseek-llm", "bert-bge"])
    func encodesAMegabyte(name: String) throws {
        let text = try SharedData.contents("text/wikitext-2-test.txt")
        let clock = ContinuousClock()
        let path = SharedData.path("tokenizers/ggml-vocab-\(name).gguf")
        var tokenizer = try Tokenizer(GGUFFile(path: path))
        var file = try GGUFFile(path: path)
        let opening = try clock.measure { file = try GGUFFile(path: path) }
        let building = try clock.measure { tokenizer = try Tokenizer(file) }
        var tokens: [Int32] = []
        let encoding = clock.measure {
            tokens = text.withUnsafeBytes { tokenizer.encode(utf8: $0, addBOS: false, parseSpecial: false) }
        }
        print("\(name): opened in \(opening), built in \(building)")
        print("\(name): \(text.count) bytes to \(tokens.count) tokens in \(encoding)")
        #expect(encoding < .seconds(30) && building < .seconds(30))
        if tokenizer.kind != .wordPiece {
            #expect(
                tokens.flatMap { tokenizer.bytes(of: $0) }.drop { $0 == 0x20 } == text.drop { $0 == 0x20 })
        }
    }

    /// Texts that a merge in quadratic time would take minutes for: one word, one character.
    @Test(arguments: ["llama-bpe", "llama-spm", "gpt-4o"], ["a", "=", " ", "ß", "ab"])
    func encodesOneLongWord(name: String, unit: String) throws {
        let tokenizer = try Tokenizer(GGUFFile(path: SharedData.path("tokenizers/ggml-vocab-\(name).gguf")))
        let text = String(repeating: unit, count: 300_000)
        let time = ContinuousClock().measure {
            let tokens = tokenizer.encode(text, addBOS: false, parseSpecial: false)
            #expect(tokenizer.decode(tokens) == text)
        }
        print("\(name), \(text.utf8.count) bytes of \(unit.debugDescription): there and back in \(time)")
        #expect(time < .seconds(60), "\(name), \(unit): \(time)")
    }
}
