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
        var right = 0
        for (number, (text, line)) in zip(texts, lines).enumerated() {
            let expected = line.split(separator: " ").compactMap { Int32($0) }
            let tokens = tokenizer.encode(text, addBOS: false, parseSpecial: false)
            #expect(tokens == expected, "text \(number + 1): \(text.debugDescription)")
            if tokens == expected { right += 1 }
            if tokenizer.kind != .wordPiece { #expect(tokenizer.decode(tokens) == text) }
        }
        print("\(name): \(right) of \(texts.count) lines")
    }
}

/// A prompt of a greedy reference run, as far as it matters here.
private struct GreedyRun: Decodable {
    let prompt: String
    let promptIDs: [Int32]
    let greedyIDs: [Int32]
    let greedyText: String

    private enum CodingKeys: String, CodingKey {
        case prompt
        case promptIDs = "prompt_ids"
        case greedyIDs = "greedy_ids"
        case greedyText = "greedy_text"
    }
}

@Suite(.needsSharedData) struct PromptTests {
    private func check(_ runs: [GreedyRun], _ model: String) throws {
        let tokenizer = try Tokenizer(GGUFFile(path: SharedData.path(model)))
        #expect(!runs.isEmpty)
        for run in runs {
            #expect(tokenizer.encode(run.prompt, parseSpecial: true) == run.promptIDs)
            var detokenizer = Detokenizer(tokenizer)
            let text = run.greedyIDs.map { detokenizer.append($0) }.joined() + detokenizer.finish()
            #expect(text == run.greedyText)
        }
    }

    @Test func stories() throws {
        let data = Data(try SharedData.contents("models/stories260K-greedy.json"))
        for model in ["f32", "q8_0"] {
            try check(JSONDecoder().decode([GreedyRun].self, from: data), "models/stories260K-\(model).gguf")
        }
    }

    @Test func storyteller() throws {
        struct Runs: Decodable { let greedy: [GreedyRun] }
        let data = Data(try SharedData.contents("models/storyteller/storyteller-greedy.json"))
        try check(
            JSONDecoder().decode(Runs.self, from: data).greedy, "models/storyteller/storyteller-f16.gguf")
    }
}
