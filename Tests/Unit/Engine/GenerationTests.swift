import Engine
import GGUF
import TestSupport
import Testing
import VirtualDSP

@Suite("Generation") struct GenerationTests {
    private let folder: TemporaryFolder
    private let prompt: [Int32] = [1, 260, 261, 270, 262, 279, 259, 265]

    init() throws {
        folder = try TemporaryFolder()
    }

    private func model(
        _ type: TensorType = .f32, batch: Int = 512, threads: Int = 1, context: Int = 0, simulators: Int = 0
    ) throws -> LanguageModel {
        var options = LanguageModel.Options()
        (options.batch, options.threads, options.contextLength) = (batch, threads, context)
        let simulator = SimulatorTransport()
        options.devices = (0..<simulators).map {
            InferenceDevice(
                name: "sim\($0)", kind: "simulator", transport: simulator, configuration: .init(index: $0))
        }
        return try LanguageModel(
            path: try TestModel.llama(type).write(to: folder.path("model.gguf")), options: options)
    }

    private func greedy(_ count: Int?) -> GenerationParameters {
        var parameters = GenerationParameters(maxTokens: count, sampling: .greedy)
        parameters.ignoresEndOfText = true
        return parameters
    }

    @Test func batchesAndThreadsDoNotMatter() throws {
        for type in [TensorType.f32, .q8_0, .q4_0] {
            let reference = try model(type).generate(from: prompt, greedy(30)).tokens
            #expect(reference.count == 30)
            for (batch, threads) in [(1, 1), (3, 2), (7, 3), (8, 8)] {
                let model = try model(type, batch: batch, threads: threads)
                #expect(try model.generate(from: prompt, greedy(30)).tokens == reference)
                // And again, with a cache that has been used.
                #expect(try model.generate(from: prompt, greedy(30)).tokens == reference)
            }
        }
    }

    @Test func sameSeedSameText() throws {
        let model = try model()
        func text(_ seed: UInt64) throws -> String {
            try model.generate(
                from: prompt, .init(maxTokens: 40, sampling: .init(temperature: 1.5, seed: seed))
            ).text
        }
        #expect(try text(5) == text(5))
        #expect(try text(5) != text(6))
    }

    @Test func textComesAsItIsMade() throws {
        let model = try model()
        var pieces = ""
        let result = try model.generate(from: prompt, greedy(40), onText: { pieces += $0 })
        #expect(pieces == result.text)
        #expect(result.promptTokens == prompt.count)
        #expect(result.end == .length)
    }

    @Test func stopsWhenItShould() throws {
        let all = try model().generate(from: prompt, greedy(12)).tokens
        // Make a token of the text the one that ends it.
        let end = try #require(all.indices.first { $0 > 2 && !all[..<$0].contains(all[$0]) })
        var changed = TestModel.llama()
        changed.set("tokenizer.ggml.eos_token_id", .uint32(UInt32(all[end])))
        let model = try LanguageModel(path: try changed.write(to: folder.path("end.gguf")))
        var parameters = greedy(12)
        #expect(try model.generate(from: prompt, parameters).tokens == all)
        parameters.ignoresEndOfText = false
        let stopped = try model.generate(from: prompt, parameters)
        #expect(stopped.tokens == Array(all[..<end]))
        #expect(stopped.end == .endOfText)
    }

    @Test func theContextIsALimit() throws {
        let model = try model(context: 20)
        #expect(model.contextLength == 20)
        let result = try model.generate(from: prompt, greedy(nil))
        #expect(result.end == .contextFull)
        // The last token needs no place in the cache.
        #expect(result.tokens.count == 20 - prompt.count + 1)
        #expect(try model.generate(from: Array(repeating: 5, count: 20), greedy(1)).tokens.count == 1)
        let error = #expect(throws: EngineError.self) {
            try model.generate(from: Array(repeating: 5, count: 21), greedy(1))
        }
        #expect(error?.description.contains("21 tokens, the context holds 20") == true)
    }

    @Test func nothingToGenerate() throws {
        let result = try model().generate(from: prompt, greedy(0))
        #expect(result.tokens.isEmpty && result.text.isEmpty && result.end == .length)
    }

    @Test func anEmptyPromptBeginsAText() throws {
        let model = try model()
        #expect(try model.generate(from: [], greedy(9)).tokens == model.generate(from: [1], greedy(9)).tokens)
    }

    @Test(arguments: [-1, 286, Int32.max, Int32.min]) func idsOutsideTheVocabulary(_ id: Int32) throws {
        let error = #expect(throws: EngineError.self) { try model().generate(from: [1, id], greedy(1)) }
        #expect(error?.kind == .badInput)
        #expect(error?.description.contains("token \(id) of the prompt is outside the vocabulary") == true)
    }

    @Test func interruption() throws {
        let model = try model(batch: 3)
        var asked = 0
        var parameters = greedy(50)
        parameters.keepsPromptLogits = true
        // In the prompt, of which half would not do.
        let early = try model.generate(
            from: prompt, parameters,
            shouldStop: {
                asked += 1
                return asked > 1
            })
        #expect(early.end == .interrupted && early.tokens.isEmpty && early.promptLogits.isEmpty)
        asked = 0
        let late = try model.generate(
            from: prompt, parameters,
            shouldStop: {
                asked += 1
                return asked > 10
            })
        #expect(late.end == .interrupted && late.tokens.count == 7)
        #expect(late.tokens == Array(try model.generate(from: prompt, greedy(50)).tokens.prefix(7)))
    }

    @Test func promptLogitsHaveARowForEachToken() throws {
        var parameters = greedy(1)
        parameters.keepsPromptLogits = true
        let whole = try model().generate(from: prompt, parameters)
        #expect(whole.promptLogits.count == prompt.count * 286)
        let inPieces = try model(batch: 3).generate(from: prompt, parameters)
        #expect(inPieces.promptLogits == whole.promptLogits)
        // Every row is what the prompt up to there gives.
        for length in 1...prompt.count {
            let row = Array(whole.promptLogits[(length - 1) * 286..<length * 286])
            let next = try model().generate(from: Array(prompt[..<length]), greedy(1)).tokens
            #expect(next == [Int32(row.firstIndex(of: row.max() ?? 0) ?? -1)])
        }
    }

    @Test(arguments: [TensorType.q8_0, .q4_0], [1, 2]) func simulatorsTakeEveryProduct(
        _ type: TensorType, _ count: Int
    ) throws {
        let model = try model(type, simulators: count)
        let result = try model.generate(from: prompt, greedy(10))
        let report = model.offload
        // 2 layers of 7 products and the output, for the prompt and 9 of the tokens.
        #expect(report.products == 10 * 15)
        #expect(report.offloadedProducts == report.products)
        let layer = 64 * 64 * 2 + 64 * 32 * 2 + 64 * 96 * 3
        #expect(report.multiplyAdds == (prompt.count + 9) * 2 * layer + 10 * 64 * 286)
        #expect(report.offloadedMultiplyAdds == report.multiplyAdds)
        #expect(report.messages > 0 && report.bytesToDSP > 0 && report.bytesFromDSP > 0)
        for device in model.devices.dropFirst() { #expect(device.modelBytes > 0) }
        #expect(model.devices.count == count + 1)
        #expect(result.tokens.count == 10)
    }
}
