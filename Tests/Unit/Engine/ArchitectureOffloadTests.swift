import Engine
import GGUF
import TestSupport
import Testing
import VirtualDSP

/// Every architecture on the CPU and on the simulated DSP.
@Suite("Architectures on the DSP") struct ArchitectureOffloadTests {
    struct Outcome {
        var logits: [Float]
        var tokens: [Int32]
        var offload: OffloadReport
        /// Messages with work, counted at the transport.
        var messages = 0
        var plan: String
    }

    static let prompt: [Int32] = [1] + (0..<39).map { 40 + $0 * 7 % 200 }

    static func run(
        _ model: TestModel, devices count: Int, contextLength: Int = 0, batch: Int = 512, tokens: Int = 8
    ) throws -> Outcome {
        let folder = try TemporaryFolder()
        let path = try model.write(to: folder.path("model.gguf"))
        var options = LanguageModel.Options()
        options.threads = 2
        options.contextLength = contextLength
        options.batch = batch
        let counters = (0..<count).map { _ in CountingTransport() }
        options.devices = counters.enumerated().map { index, transport in
            InferenceDevice(name: "sim\(index)", kind: "simulator", transport: transport)
        }
        let model = try LanguageModel(path: path, options: options)
        var parameters = GenerationParameters(maxTokens: tokens, sampling: .greedy)
        parameters.ignoresEndOfText = true
        parameters.keepsPromptLogits = true
        let generation = try model.generate(from: prompt, parameters)
        return Outcome(
            logits: generation.promptLogits, tokens: generation.tokens, offload: model.offload,
            messages: counters.reduce(0) { $0 + $1.submissions }, plan: model.planDescription)
    }

    @Test(arguments: TestModel.architectures) func everyProductInOneMessage(_ name: String) throws {
        let model = TestModel.model(name)
        let here = try Self.run(model, devices: 0)
        let there = try Self.run(model, devices: 1)
        #expect(there.offload.offloadedProducts == there.offload.products && there.offload.products > 0)
        #expect(there.offload.offloadedMultiplyAdds == there.offload.multiplyAdds)
        let error = normalizedError(there.logits, expected: here.logits)
        #expect(error < 1e-3, "NMSE \(error)")
        print("\(name): NMSE \(error)")
        // The logits of 40 tokens come 32 at a time; then each token but the last is a message.
        #expect(there.messages == 2 + 7)
        #expect(there.offload.messages == there.messages)
        #expect(there.plan.contains("1 message to DSPs for a token"))
        let refusals = there.plan.split(separator: "\n").filter { $0.contains("stays on the CPU") }
        #expect(refusals.count == 1 && refusals.allSatisfy { $0.contains("token_embd") }, "\(refusals)")
    }

    @Test(arguments: TestModel.architectures) func batchesAndSessionsChangeNothing(_ name: String) throws {
        let model = TestModel.model(name)
        let whole = try Self.run(model, devices: 1)
        for (devices, batch) in [(1, 1), (1, 7), (2, 512)] {
            let other = try Self.run(model, devices: devices, batch: batch)
            #expect(other.logits == whole.logits && other.tokens == whole.tokens, "\(devices) × \(batch)")
        }
        let here = try Self.run(model, devices: 0), piecewise = try Self.run(model, devices: 0, batch: 3)
        #expect(normalizedError(piecewise.logits, expected: here.logits) < 1e-9)
        #expect(piecewise.tokens == here.tokens)
    }

    /// The weights of BitNet as single numbers and in the two ternary formats that carry their own scale.
    @Test(arguments: ["bitnet", "bitnet-25"], [TensorType.i2_S, .iq2_BN])
    func ternaryWeights(_ name: String, _ type: TensorType) throws {
        let floats = try Self.run(.model(name), devices: 0)
        let here = try Self.run(.model(name, type), devices: 0)
        // Their activations are rounded to eight bits, on the CPU as on a DSP.
        #expect(normalizedError(here.logits, expected: floats.logits) < 1e-3)
        let there = try Self.run(.model(name, type), devices: 1)
        #expect(there.offload.offloadedProducts == there.offload.products)
        #expect(normalizedError(there.logits, expected: floats.logits) < 1e-3)
    }

    /// Phi 3 has other frequencies in contexts beyond the one it was trained for.
    @Test func longContextsTurnOtherwise() throws {
        let model = TestModel.model("phi3")
        let short = try Self.run(model, devices: 0, contextLength: 48)
        for devices in [0, 1] {
            let long = try Self.run(model, devices: devices, contextLength: 49)
            #expect(normalizedError(long.logits, expected: short.logits) > 0.01)
        }
        let (here, there) = (
            try Self.run(model, devices: 0, contextLength: 100),
            try Self.run(model, devices: 1, contextLength: 100)
        )
        #expect(normalizedError(there.logits, expected: here.logits) < 1e-3)
    }

    /// A choice of another expert is no small difference: what leads to it is computed closely.
    @Test func choicesOfExpertsAreTheCPUs() throws {
        for seed in 0..<4 {
            var model = TestModel.model("qwen3moe")
            var generator = SeededGenerator(UInt64(seed))
            for layer in 0..<2 {
                let name = "blk.\(layer).ffn_gate_inp.weight"
                for index in stride(from: 0, to: model[name].bytes.count, by: 4) {
                    let value = Float.random(in: -0.2...0.2, using: &generator)
                    withUnsafeBytes(of: value.bitPattern.littleEndian) {
                        model[name].bytes.replaceSubrange(index..<index + 4, with: $0)
                    }
                }
            }
            let here = try Self.run(model, devices: 0), there = try Self.run(model, devices: 1)
            #expect(normalizedError(there.logits, expected: here.logits) < 1e-3, "\(seed)")
        }
    }
}
