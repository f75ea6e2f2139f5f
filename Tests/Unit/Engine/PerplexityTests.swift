import Engine
import Foundation
import TestSupport
import Testing

/// Perplexity, and the comparison of predictions.
@Suite("Perplexity") struct PerplexityTests {
    private let folder: TemporaryFolder
    private let text: String

    init() throws {
        folder = try TemporaryFolder()
        var generator = SeededGenerator(7)
        text = String((0..<300).map { _ in "abcdefgh ijklmnop".randomElement(using: &generator)! })
    }

    private func load(_ model: TestModel, batch: Int = 512) throws -> LanguageModel {
        var options = LanguageModel.Options()
        (options.threads, options.contextLength, options.batch) = (1, 32, batch)
        return try LanguageModel(path: model.write(to: folder.path("model.gguf")), options: options)
    }

    private func damage(_ path: String, _ change: (inout [UInt8]) -> Void) throws -> String {
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        change(&bytes)
        return try folder.write(bytes, to: "damaged")
    }

    /// The definition, over the logits that a generation's prompt gives: the second half of each chunk, behind the
    /// model's first token and what else is in the first half.
    @Test(arguments: [512, 5]) func isTheMeanOfTheSecondHalves(batch: Int) throws {
        let model = try load(.llama(), batch: batch)
        let chunks = try PerplexityText(text, model.tokenizer, contextLength: 32)
        #expect(chunks.chunks == chunks.totalTokens / 32 && chunks.chunks > 3)
        var values: [Double] = []
        for chunk in 0..<chunks.chunks {
            var tokens = Array(chunks.tokens[chunk * 32..<(chunk + 1) * 32])
            tokens[0] = 1
            var parameters = GenerationParameters(maxTokens: 0)
            parameters.keepsPromptLogits = true
            let logits = try model.generate(from: tokens, parameters).promptLogits
            let width = logits.count / 32
            for position in 16..<31 {
                let row = logits[position * width..<(position + 1) * width].map(Double.init)
                let sum = row.reduce(0) { $0 + exp($1) }
                values.append(log(sum) - row[Int(tokens[position + 1])])
            }
        }
        var running: [Double] = []
        let (result, done) = try model.perplexity(
            of: chunks, onChunk: { running.append($1.value.value) })
        let mean = values.reduce(0, +) / Double(values.count)
        #expect(done == chunks.chunks && result.count == values.count && running.count == done)
        #expect(abs(result.value.value / exp(mean) - 1) < 1e-5)
        #expect(running.last == result.value.value)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        let error = (variance / Double(values.count - 1)).squareRoot()
        #expect(abs(result.negativeLogProbability.error / error - 1) < 1e-4)
        #expect(abs(result.value.error / (exp(mean) * error) - 1) < 1e-4)
    }

    @Test func aModelIsNoFartherFromItselfThanItsFileIsExact() throws {
        let model = try load(.llama())
        let chunks = try PerplexityText(text, model.tokenizer, contextLength: 32)
        let path = folder.path("base")
        let (own, _) = try model.perplexity(of: chunks, writingTo: path)
        let base = try LogProbabilityFile(path: path)
        #expect(base.contextLength == 32 && base.chunks == chunks.chunks)
        #expect(base.tokens[...] == chunks.tokens)

        let (same, done) = try model.divergence(from: base, over: PerplexityText(base, for: model))
        #expect(done == chunks.chunks && same.count == own.count)
        #expect(same.perplexity.value == own.value)
        #expect(abs(same.mean.value) < 1e-5 && same.sameTopShare.value > 0.99)
        #expect(abs(same.logRatio.value) < 1e-4 && same.differenceRMS.value < 1e-5)

        // Another model is farther away.
        let other = try load(.llama(.q8_0))
        let (different, few) = try other.divergence(
            from: base, over: PerplexityText(base, for: other, atMost: 2))
        #expect(few == 2 && different.count == 30)
        #expect(different.mean.value > 0.001 && different.sameTopShare.value < 0.9)
        #expect(different.divergence(atPercentile: 0) <= different.divergence(atPercentile: 0.5))
        #expect(different.divergence(atPercentile: 0.5) <= different.divergence(atPercentile: 1))
    }

    @Test func damagedBasesAreOneLine() throws {
        let model = try load(.llama())
        let path = folder.path("base")
        _ = try model.perplexity(
            of: PerplexityText(text, model.tokenizer, contextLength: 32, atMost: 2), writingTo: path)
        let size = try Data(contentsOf: URL(fileURLWithPath: path)).count
        #expect(size == 20 + 4 * 64 + 2 * 15 * (8 + 2 * 286))
        func expectFailure(_ part: String, _ change: (inout [UInt8]) -> Void) throws {
            let damaged = try damage(path, change)
            do {
                let base = try LogProbabilityFile(path: damaged)
                _ = try model.divergence(from: base, over: PerplexityText(base, for: model))
                Issue.record("\(part) was not refused")
            } catch {
                #expect("\(error)".contains(part) && !"\(error)".contains("\n"), "\(error)")
            }
        }
        try expectFailure("is no file of log-probabilities") { $0[0] = 0x5e }
        for length in [8, 19] { try expectFailure("is no file") { $0.removeLast(size - length) } }
        for length in [20, 100, 20 + 256, size - 1] {
            try expectFailure("incomplete") { $0.removeLast(size - length) }
        }
        // Sizes whose product is more than there is, or than an integer holds.
        for field in [8, 12, 16] {
            try expectFailure("damaged") {
                $0.replaceSubrange(field..<field + 4, with: [0xff, 0xff, 0xff, 0xff])
            }
            try expectFailure("incomplete") {
                $0.replaceSubrange(field..<field + 4, with: [0xff, 0xff, 0xff, 0x7f])
            }
        }
        try expectFailure("incomplete") {
            $0.replaceSubrange(8..<20, with: [255, 255, 255, 127, 255, 255, 255, 127, 255, 255, 255, 127])
        }
        try expectFailure("token 4096") { $0.replaceSubrange(24..<28, with: [0, 16, 0, 0]) }
        try expectFailure("holds no numbers") { $0.replaceSubrange(276..<280, with: [0, 0, 0xc0, 0x7f]) }
        // A vocabulary that is another.
        try expectFailure("vocabulary of 284") { $0.replaceSubrange(12..<16, with: [28, 1, 0, 0]) }
    }
}
