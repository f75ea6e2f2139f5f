import Engine
import GGUF
import TestSupport
import Testing

/// The tiny models that llama.cpp quantised, made again by us.
@Suite("Quantised models", .needsSharedData) struct QuantizedModelTests {
    @Test(
        "llama.cpp's file has the same types and bytes",
        arguments: [
            ("tiny-llama3", "IQ4_NL"), ("tiny-llama3", "Q2_K"), ("tiny-llama3", "Q3_K_M"),
            ("tiny-llama3", "Q4_0"), ("tiny-llama3", "Q4_1"), ("tiny-llama3", "Q4_K_M"),
            ("tiny-llama3", "Q5_0"), ("tiny-llama3", "Q5_K_M"), ("tiny-llama3", "Q6_K"),
            ("tiny-llama3", "Q8_0"), ("tiny-bitnet", "TQ1_0"), ("tiny-bitnet", "TQ2_0"),
        ])
    func same(_ model: String, _ name: String) throws {
        let folder = try TemporaryFolder()
        let output = folder.path("out.gguf")
        let mix = try #require(QuantizationMix(name))
        var options = ModelQuantizer.Options(mix)
        options.threads = 2
        try ModelQuantizer(options).quantize(SharedData.path("models/tiny/\(model)-f16.gguf"), to: output)
        let ours = try GGUFFile(path: output)
        let theirs = try GGUFFile(path: SharedData.path("models/tiny/\(model)-\(name).gguf"))
        #expect(ours.tensors.count == theirs.tensors.count)
        for tensor in theirs.tensors {
            let other = try ours.requiredTensor(named: tensor.name)
            #expect(other.type == tensor.type, "\(tensor.name)")
            #expect(ours.bytes(of: other).elementsEqual(theirs.bytes(of: tensor)), "\(tensor.name)")
        }
    }
}
