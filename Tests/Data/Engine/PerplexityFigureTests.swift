import Engine
import Foundation
import TestSupport
import Testing

/// Perplexities that llama.cpp 0.5.0 measured (`llama-perplexity -m MODEL -f TEXT -c 256 -t 1 --no-repack`, which also keeps
/// AMX out, or the same through libllama from Python; builds differ by up to 0.2 %).
@Suite("Perplexity against llama.cpp", .needsSharedData) struct PerplexityFigureTests {
    struct Figure: Sendable, CustomTestStringConvertible {
        var model: String
        var value: Double
        var testDescription: String { model }
    }

    static let figures = [
        Figure(model: "f32", value: 6.8985), Figure(model: "f16", value: 6.8970),
        Figure(model: "pad256-f16", value: 6.8977), Figure(model: "q8_0", value: 6.9283),
        Figure(model: "q4_0", value: 8.0637),
    ]

    private func measure(_ model: String, _ text: String, chunks: Int?) throws -> Perplexity {
        var options = LanguageModel.Options()
        options.contextLength = 256
        let model = try LanguageModel(path: SharedData.path(model), options: options)
        let text = try PerplexityText(text, model.tokenizer, contextLength: 256, atMost: chunks)
        return try model.perplexity(of: text).perplexity
    }

    @Test(arguments: figures) func stories(_ figure: Figure) throws {
        let text = String(
            decoding: try SharedData.contents("text/tinystories-sample.txt"), as: UTF8.self)
        let result = try measure("models/stories260K-\(figure.model).gguf", text, chunks: nil)
        print("stories260K-\(figure.model): \(result.value.value), llama.cpp \(figure.value)")
        #expect(abs(result.value.value / figure.value - 1) < 0.005)
        // Seven chunks.
        #expect(result.count == 7 * 127)
    }

    /// Over the first 16 chunks of the held-out text, its end marks replaced by blank lines.
    @Test func storyteller() throws {
        let text = String(
            decoding: try SharedData.contents("models/storyteller/held-out.txt"), as: UTF8.self
        ).replacingOccurrences(of: "<|eos|>\n", with: "\n")
        let result = try measure("models/storyteller/storyteller-f16.gguf", text, chunks: 16)
        #expect(abs(result.value.value / 1.8201 - 1) < 0.005 && abs(result.value.error / 0.06861 - 1) < 0.01)
    }
}
