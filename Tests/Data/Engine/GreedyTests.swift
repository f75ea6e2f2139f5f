import Engine
import TestSupport
import Testing

/// Greedy text must be the reference's, token by token.
@Suite("Greedy text", .needsSharedData) struct GreedyTests {
    private func model(_ name: String, batch: Int = 512, threads: Int = 2) throws -> LanguageModel {
        var options = LanguageModel.Options()
        (options.batch, options.threads) = (batch, threads)
        return try LanguageModel(path: SharedData.path("models/" + name), options: options)
    }

    private func greedy(_ count: Int) -> GenerationParameters {
        var parameters = GenerationParameters(maxTokens: count, sampling: .greedy)
        parameters.ignoresEndOfText = true
        return parameters
    }

    @Test func storiesInSinglePrecision() throws {
        let model = try model("stories260K-f32.gguf")
        let references = try GreedyReference.stories()
        #expect(references.count == 3)
        for reference in references {
            #expect(try model.tokens(of: reference.prompt) == reference.promptIDs)
            let count = reference.greedyIDs.count
            #expect(count == 200)
            let result = try model.generate(from: reference.promptIDs, greedy(count))
            #expect(result.tokens == reference.greedyIDs)
        }
    }

    @Test func storyteller() throws {
        let model = try model("storyteller/storyteller-f16.gguf")
        let references = try GreedyReference.storyteller()
        #expect(references.count == 10)
        var compared = 0
        for reference in references {
            #expect(try model.tokens(of: reference.prompt) == reference.promptIDs)
            let result = try model.generate(from: reference.promptIDs, greedy(reference.greedyIDs.count))
            // Nearer calls than this are a matter of rounding.
            guard let margin = reference.smallestMargin, margin >= 0.006 else { continue }
            #expect(result.tokens == reference.greedyIDs, "\(reference.prompt)")
            compared += 1
        }
        #expect(compared == 8)
    }

    @Test(arguments: [1, 3, 7, 512], [1, 2, 3]) func anyBatchAndThreads(_ batch: Int, _ threads: Int) throws {
        let model = try model("stories260K-f32.gguf", batch: batch, threads: threads)
        for reference in try GreedyReference.stories() {
            // A prompt of more than a batch: the first half of the reference belongs to it.
            let prompt = reference.promptIDs + reference.greedyIDs[..<100]
            let result = try model.generate(from: prompt, greedy(100))
            #expect(result.tokens == Array(reference.greedyIDs[100...]))
        }
    }

    @Test func throughTheTool() throws {
        for reference in try GreedyReference.stories() {
            let arguments = [
                "-m", SharedData.path("models/stories260K-f32.gguf"), "-n", "200", "--temp", "0",
                "--ignore-eos",
                "--device", "cpu",
            ]
            let report = try GenerationReport(arguments + ["-p", reference.prompt])
            #expect(report.tokens == reference.greedyIDs)
            #expect(report.generated_tokens == 200 && report.prompt_tokens == reference.promptIDs.count)
            #expect(report.devices.map(\.name) == ["cpu"])
            #expect(report.offload.mul_mat_offloaded == 0 && report.offload.messages == 0)
            let ids = reference.promptIDs.map(String.init).joined(separator: ",")
            let again = try GenerationReport(arguments + ["--tokens", ids])
            #expect(again.tokens == report.tokens && again.text == report.text)
        }
    }
}
