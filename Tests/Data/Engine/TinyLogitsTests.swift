import Engine
import Foundation
import TestSupport
import Testing
import VirtualDSP

/// Logits of tiny models against llama.cpp's for the same weights expanded to single precision.
@Suite("Logits of tiny models", .needsSharedData) struct TinyLogitsTests {
    private static let models = SharedData.files(in: "models/tiny", suffix: ".gguf")
        .map { String($0.dropLast(5)) }

    @Test func thereAreSome() {
        #expect(Self.models.count >= 23)
    }

    /// How far an engine may be from the exact answer: with quantised weights no farther than llama.cpp is.
    private static func bound(_ name: String) -> Double {
        let type = String(name.split(separator: "-").last ?? "")
        switch type {
        case "Q4_0": return 5.8e-4
        case "Q4_1": return 5.5e-4
        case "Q5_0": return 5.5e-4
        // The number has two digits; libllama 0.5.0 was 5.37e-4 off with AVX-512, which decides about its rounding.
        case "Q8_0": return 5.2e-4 * 1.015
        case "IQ4_NL": return 5.6e-4
        case "Q2_K": return 1.2e-3
        case "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K": return 1.1e-3
        case "TQ1_0", "TQ2_0": return 7e-4
        // No number is known; the answer itself was computed with experts' inputs rounded to half precision, which
        // made another choice at one token.
        case "mxfp4": return 2e-4
        // libllama 0.5.0 with these files was 4.8e-7 (qwen2) to 7.6e-7 (gemma3) off.
        case "f16": return 4.8e-7
        // Tiles take floats as sums of two bfloat16, which leave out 2^-17 of each.
        default: return InstructionSet.best.name == "amx" ? 5e-9 : 1e-9
        }
    }

    private func run(
        _ name: String, _ tokens: [Int32], simulators: Int
    ) throws -> (logits: [Float], offload: OffloadReport) {
        var options = LanguageModel.Options()
        options.threads = 2
        options.devices = (0..<simulators).map {
            InferenceDevice(name: "sim\($0)", kind: "simulator", transport: SimulatorTransport())
        }
        let model = try LanguageModel(path: SharedData.path(name + ".gguf"), options: options)
        var parameters = GenerationParameters(maxTokens: 0, sampling: .greedy)
        parameters.keepsPromptLogits = true
        return (try model.generate(from: tokens, parameters).promptLogits, model.offload)
    }

    /// llama.cpp does not know `bitnet-25`. The figures are ik_llama.cpp's (commit 8337e4cd, its loader's `llama_decode`
    /// with 32-bit keys and 16-bit values): logits 0, 64, 128 … after the 32nd and the last token.
    @Test func bitNetAsTheForkHasIt() throws {
        let expected: [Int: [Float]] = [
            31: [-0.421849, -1.111353, 0.260631, 0.294784, -0.434751, -1.764376, 0.65824, 0.790319],
            63: [-0.758447, 0.480137, 0.395656, -0.354334, -0.435366, -0.51007, -0.094737, -0.284781],
        ]
        let tokens = try JSONDecoder().decode(
            [Int32].self, from: Data(try SharedData.contents("models/tiny/tiny-bitnet-f16.tokens.json")))
        let logits = try run("models/tiny/tiny-bitnet25-f16", tokens, simulators: 0).logits
        for (row, figures) in expected {
            let found = figures.indices.map { logits[512 * row + 64 * $0] }
            #expect(normalizedError(found, expected: figures.map(Double.init)) < 1e-5)
        }
    }

    @Test(arguments: models) func logits(_ name: String) throws {
        // One of the files has another's weights and no answer of its own: see above.
        let hasAnswer = FileManager.default.fileExists(atPath: SharedData.path(name + ".npy"))
        let tokens = try JSONDecoder().decode(
            [Int32].self,
            from: Data(
                try SharedData.contents((hasAnswer ? name : "models/tiny/tiny-bitnet-f16") + ".tokens.json")))
        let here = try run(name, tokens, simulators: 0)
        var exact = ""
        if hasAnswer {
            let reference = try NumPyMatrix(path: SharedData.path(name + ".npy"))
            #expect(reference.rows == tokens.count)
            let error = reference.error(of: here.logits)
            #expect(error <= Self.bound(name))
            exact = "NMSE \(error) on the CPU, "
        }
        let there = try run(name, tokens, simulators: 1)
        let error = normalizedError(there.logits, expected: here.logits)
        print("\(name): \(exact)\(error) of the simulator against the CPU")
        #expect(error <= 1e-3)
        #expect(there.offload.offloadedProducts == there.offload.products && there.offload.products > 0)
        #expect(there.offload.offloadedMultiplyAdds == there.offload.multiplyAdds)
        // 64 tokens, of which the logits come 32 at a time.
        #expect(there.offload.messages == 2)
    }
}
