import Engine
import Foundation
import TestSupport
import Testing
import VirtualDSP

/// Logits of tiny models against llama.cpp's for the same weights expanded to single precision.
@Suite("Logits of tiny models", .needsSharedData) struct TinyLogitsTests {
    private static let models = SharedData.files(in: "models/tiny", suffix: ".npy")
        .filter { $0.contains("/tiny-llama") }.map { String($0.dropLast(4)) }

    @Test func thereAreSome() {
        #expect(Self.models.count >= 12)
    }

    @Test(arguments: models, [0, 1]) func logits(_ name: String, simulators: Int) throws {
        let reference = try NumPyMatrix(path: SharedData.path(name + ".npy"))
        let tokens = try JSONDecoder().decode(
            [Int32].self, from: Data(try SharedData.contents(name + ".tokens.json")))
        #expect(reference.rows == tokens.count)
        var options = LanguageModel.Options()
        options.threads = 2
        if simulators > 0 {
            options.devices = [
                InferenceDevice(name: "sim0", kind: "simulator", transport: SimulatorTransport())
            ]
        }
        let model = try LanguageModel(path: SharedData.path(name + ".gguf"), options: options)
        var parameters = GenerationParameters(maxTokens: 0, sampling: .greedy)
        parameters.keepsPromptLogits = true
        let logits = try model.generate(from: tokens, parameters).promptLogits

        let error = reference.error(of: logits)
        let isExact = simulators == 0 && (name.hasSuffix("-f32") || name.hasSuffix("-f16"))
        #expect(error <= (isExact ? 1e-9 : 1e-3))
        print("\(name), \(simulators) simulators: NMSE \(error)")
        if simulators > 0 { #expect(model.offload.offloadedProducts > 0) }
    }
}
