import Engine
import Foundation
import HexagonRPC
import TestSupport
import Testing
import VirtualDSP

/// The whole line in a minute: the bundled model, from the file to the text, on the CPU and with every product
/// on the simulated DSP.
@Suite(.serialized) struct WholeLineTests {
    static let model = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Examples/storyteller/storyteller-q8_0.gguf").path

    /// What a float64 computation with the F16 weights continues "Once upon a time" with. (llama.cpp gives the
    /// same for 100 tokens, from F32, F16 and Q8_0 weights.)
    static let reference = ", there was a little girl named Nora. She loved to swim."

    private func generate(_ devices: [InferenceDevice]) throws -> (Generation, OffloadReport, [DeviceReport])
    {
        var options = LanguageModel.Options()
        options.devices = devices
        options.threads = 2
        let model = try LanguageModel(path: Self.model, options: options)
        let generation = try model.generate(
            from: try model.tokens(of: "Once upon a time"),
            GenerationParameters(maxTokens: 32, sampling: .greedy))
        return (generation, model.offload, model.devices)
    }

    @Test func theCPUTellsTheStory() throws {
        let (generation, offload, _) = try generate([])
        #expect(generation.text.hasPrefix(Self.reference))
        #expect(generation.tokens.count == 32)
        #expect(offload.products > 0)
        #expect(offload.offloadedProducts == 0)
        #expect(offload.messages == 0)
    }

    @Test func theSimulatedDSPTellsTheSame() throws {
        let transport = SimulatorTransport()
        let (generation, offload, devices) = try generate([
            InferenceDevice(name: "sim0", kind: "simulator", transport: transport)
        ])
        #expect(generation.text.hasPrefix(Self.reference))
        // 5 layers of 7 products and the head, for one prompt and 31 tokens.
        #expect(offload.products == 36 * 32)
        #expect(offload.offloadedProducts == offload.products)
        #expect(offload.offloadedMultiplyAdds == offload.multiplyAdds)
        // One message for a token: the witness is the DSP's own count of calls.
        #expect(offload.messages == 32)
        #expect(transport.processor.traffic.calls >= offload.messages)
        #expect(devices.map(\.name) == ["cpu", "sim0"])
        #expect(devices[1].modelBytes > 4_000_000)
    }

    @Test func twoSessionsShareTheLayers() throws {
        let transport = SimulatorTransport()
        let (generation, offload, devices) = try generate(
            (0..<2).map {
                InferenceDevice(
                    name: "sim\($0)", kind: "simulator", transport: transport,
                    configuration: SessionConfiguration(index: $0))
            })
        #expect(generation.text.hasPrefix(Self.reference))
        #expect(offload.offloadedProducts == offload.products)
        #expect(devices.dropFirst().allSatisfy { $0.modelBytes > 1_000_000 })
    }

    @Test(.enabled(if: SimulatorLibrary.path != nil, "libcdsprpc-simulator.so is not built"))
    func theLibraryGivesTheSameBits() throws {
        var logits: [[Float]] = []
        for transport in [SimulatorTransport(), try LibraryTransport(path: SimulatorLibrary.path)]
            as [any Transport]
        {
            var options = LanguageModel.Options()
            options.devices = [InferenceDevice(name: "dsp0", kind: "test", transport: transport)]
            let model = try LanguageModel(path: Self.model, options: options)
            var parameters = GenerationParameters(maxTokens: 0, sampling: .greedy)
            parameters.keepsPromptLogits = true
            let prompt = try model.tokens(of: "Once there was a little fox named Rusty.")
            logits.append(try model.generate(from: prompt, parameters).promptLogits)
            #expect(model.offload.offloadedProducts == model.offload.products)
        }
        #expect(logits[0].count > 1024)
        #expect(logits[0].map(\.bitPattern) == logits[1].map(\.bitPattern))
    }
}
