import GGUF
import TestSupport
import Testing

/// Whole models on the simulated DSP, through the tool.
@Suite("Offloaded models", .needsSharedData) struct OffloadTests {
    private static let models = ["models/stories260K-q8_0.gguf", "models/stories260K-q4_0.gguf"]

    private func run(_ model: String, _ devices: String, _ arguments: String...) throws -> GenerationReport {
        try GenerationReport(
            ["-m", SharedData.path(model), "--device", devices, "--temp", "0", "--ignore-eos"] + arguments)
    }

    @Test(arguments: models, ["sim0", "sim0,sim1", "sim2,sim0,sim1"])
    func everyProduct(_ model: String, _ devices: String) throws {
        let file = try GGUFFile(path: SharedData.path(model))
        let (layers, generated) = (try file.metadata.integer("llama.block_count"), 32)
        let report = try run(model, devices, "-p", "Once upon a time", "-n", "\(generated)")
        #expect(report.generated_tokens == generated)

        // The prompt is one batch, and the last token is not computed: there are as many steps as tokens.
        let offload = report.offload
        #expect(offload.mul_mat_total == generated * (7 * layers + 1))
        #expect(offload.mul_mat_offloaded == offload.mul_mat_total)
        let inLayers = file.tensors.filter { $0.name.hasPrefix("blk.") && $0.dimensions.count == 2 }
        let output =
            try file.tensor(named: "output.weight") ?? file.requiredTensor(named: "token_embd.weight")
        #expect(inLayers.count == 7 * layers)
        #expect(
            offload.macs_total == (report.prompt_tokens + generated - 1)
                * inLayers.reduce(0) { $0 + $1.elementCount } + generated * output.elementCount)
        #expect(offload.macs_offloaded == offload.macs_total)
        #expect(offload.messages > 0 && offload.messages <= offload.mul_mat_total)
        #expect(offload.bytes_to_dsp > 0 && offload.bytes_from_dsp > 0 && offload.recoveries == 0)

        let names = devices.split(separator: ",").map(String.init)
        #expect(report.devices.map(\.name) == ["cpu"] + names)
        for device in report.devices.dropFirst() {
            #expect(device.kind == "simulator" && device.model_bytes > 0 && device.compute_bytes > 0)
        }
        // Each of the tensors is on one device; the tiles take a little more than the file.
        let tensors = Set(inLayers + [output])
        let held = report.devices.dropFirst().reduce(0) { $0 + $1.model_bytes }
        #expect(held >= tensors.reduce(0) { $0 + $1.byteCount } * 9 / 10)
    }

    @Test(arguments: models) func sameTextForAnyBatch(_ model: String) throws {
        let prompt = "Once upon a time, there was a little girl named Lily. She loved to play outside."
        let reports = try [1, 3, 7, 512].map {
            try run(model, "sim0", "-p", prompt, "-n", "48", "-b", "\($0)")
        }
        #expect(reports[0].tokens.count == 48)
        for report in reports {
            #expect(report.tokens == reports[0].tokens)
            #expect(report.offload.mul_mat_offloaded == report.offload.mul_mat_total)
        }
        let split = try run(model, "sim0,sim1", "-p", prompt, "-n", "48")
        #expect(split.tokens == reports[0].tokens)
    }

    /// Where the most likely tokens are enough no others cross to the host, and the text is that of all logits.
    @Test(arguments: ["0", "0.7"]) func onlyTheMostLikelyTokensComeBack(_ temperature: String) throws {
        func run(_ arguments: String...) throws -> GenerationReport {
            try GenerationReport(
                [
                    "-m", SharedData.path(Self.models[0]), "--device", "sim0", "--ignore-eos", "-p",
                    "Once upon a time", "-n", "40", "-s", "9", "--temp", temperature,
                ] + arguments)
        }
        let few = try run()
        // A penalty below 1, if only just, needs all logits.
        let all = try run("--repeat-penalty", "0.9999999")
        #expect(few.tokens == all.tokens && few.tokens.count == 40)
        #expect(few.offload.messages == all.offload.messages)
        let vocabulary = try GGUFFile(path: SharedData.path(Self.models[0]))
            .requiredTensor(named: "token_embd.weight").rowCount
        #expect(all.offload.bytes_from_dsp - few.offload.bytes_from_dsp == 40 * (4 * vocabulary - 8 * 128))
    }

    /// The last product of each layer has 172 inputs, no multiple of 32.
    @Test(arguments: ["f32", "f16"]) func inputsOfAnyNumberAreMultiplied(format: String) throws {
        let report = try run("models/stories260K-\(format).gguf", "sim0", "-p", "Once", "-n", "8")
        #expect(report.offload.mul_mat_total > 0)
        #expect(report.offload.mul_mat_offloaded == report.offload.mul_mat_total)
        #expect(report.tokens.count == 8)
    }
}
