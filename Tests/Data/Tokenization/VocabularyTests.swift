import Foundation
import GGUF
import TestSupport
import Testing
import Tokenization

@Suite(.needsSharedData) struct VocabularyTests {
    /// The texts and ids that come with each vocabulary: llama.cpp's and the original tokenizers' answers.
    @Test(arguments: SharedData.files(in: "tokenizers", suffix: ".gguf"))
    func encodesAsThePublishedAnswers(name: String) throws {
        let tokenizer = try Tokenizer(GGUFFile(path: SharedData.path(name)))
        let input = String(decoding: try SharedData.contents(name + ".inp"), as: UTF8.self)
        let output = String(decoding: try SharedData.contents(name + ".out"), as: UTF8.self)
        let texts = input.components(separatedBy: "\n__ggml_vocab_test__\n").dropLast()
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false).prefix(texts.count)
        #expect(texts.count == 46 && lines.count == 46)
        for (number, (text, line)) in zip(texts, lines).enumerated() {
            let expected = line.split(separator: " ").compactMap { Int32($0) }
            let tokens = tokenizer.encode(text, addBOS: false, parseSpecial: false)
            #expect(tokens == expected, "text \(number + 1): \(text.debugDescription)")
            if tokenizer.kind != .wordPiece { #expect(tokenizer.decode(tokens) == text) }
        }
    }
}
