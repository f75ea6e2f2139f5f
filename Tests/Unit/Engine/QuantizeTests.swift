import Engine
import Foundation
import GGUF
import Glibc
import Quantization
import TestSupport
import Testing

/// `engine quantize`, as scripts see it.
@Suite("Quantize") struct QuantizeTests {
    private let folder: TemporaryFolder
    private let model: String
    private let output: String

    init() throws {
        folder = try TemporaryFolder()
        model = try TestModel.llama(width: 256, hidden: 288).write(to: folder.path("model.gguf"))
        output = folder.path("out.gguf")
    }

    private func quantize(_ arguments: String...) throws -> Tool.Result {
        try Tool.run("engine", ["quantize"] + arguments)
    }

    private func types(_ path: String) throws -> [String: TensorType] {
        Dictionary(uniqueKeysWithValues: try GGUFFile(path: path).tensors.map { ($0.name, $0.type) })
    }

    @Test("every format can be read and run", arguments: QuantizationMix.allCases)
    func everyFormat(_ mix: QuantizationMix) throws {
        let steps = try ModelQuantizer(ModelQuantizer.Options(mix)).quantize(model, to: output)
        let (before, after) = (try GGUFFile(path: model), try GGUFFile(path: output))
        #expect(after.tensors.map(\.name) == before.tensors.map(\.name))
        #expect(after.tensors.map(\.type) == steps.map(\.to))
        #expect(after.metadata["tokenizer.ggml.tokens"]?.array?.count == 286)
        for tensor in after.tensors where tensor.dimensions.count == 1 { #expect(tensor.type == .f32) }
        let run = try Tool.run("engine", ["generate", "-m", output, "-p", "a", "-n", "3", "--temp", "0"])
        #expect(run.exitCode == 0, "\(run.errors)")
    }

    @Test func namesInEitherCaseAndNumbers() {
        for (name, mix) in [
            ("q4_k_m", QuantizationMix.q4KM), ("Q4_K", .q4KM), ("15", .q4KM), ("mxfp4", .mxfp4),
            ("137", .iq2BN),
            ("0", .f32), ("i2_s", .i2S), ("copy", .copy),
        ] {
            #expect(QuantizationMix(name) == mix)
        }
        for name in ["", "Q9", "40", "-1", "Q4_K_M ", "99999999999999999999"] {
            #expect(QuantizationMix(name) == nil)
        }
    }

    @Test func theMixIsInTheFile() throws {
        let result = try quantize(model, output, "q4_k_m", "1")
        #expect(result.exitCode == 0 && result.output == "")
        #expect(result.errors.contains("[2/21] blk.0.attn_norm.weight: 256, F32\n"))
        #expect(result.errorLines.count { $0.hasPrefix("[") } == 21)
        #expect(result.errors.contains("blk.0.attn_q.weight: 256 × 256, F32 -> Q4_K\n"))
        #expect(result.errors.contains("bits a weight) in "))
        let file = try GGUFFile(path: output)
        #expect(try file.metadata.integer("general.file_type") == 15)
        #expect(try file.metadata.integer("general.quantization_version") == 2)
        let types = try types(output)
        #expect(types["output.weight"] == .q6_K && types["blk.1.attn_v.weight"] == .q6_K)
        #expect(types["token_embd.weight"] == .q4_K && types["blk.0.ffn_up.weight"] == .q4_K)
        // Rows of 288 are no blocks of 256.
        #expect(types["blk.0.ffn_down.weight"] == .q5_0 && types["blk.1.ffn_down.weight"] == .q8_0)
        #expect(result.errors.contains("2 tensors have rows that do not fit"))
    }

    @Test func rulesForTensors() throws {
        let result = try quantize(
            "--tensor-type", "ffn_(up|gate)=q5_1", "--tensor-type", "blk\\.1\\.=Q8_0",
            "--token-embedding-type",
            "F16", "--output-tensor-type", "q4_1", model, output, "Q4_K_S")
        #expect(result.exitCode == 0, "\(result.errors)")
        let types = try types(output)
        #expect(types["blk.1.ffn_up.weight"] == .q5_1 && types["blk.1.attn_q.weight"] == .q8_0)
        #expect(types["blk.0.attn_q.weight"] == .q4_K && types["blk.1.attn_norm.weight"] == .f32)
        #expect(types["token_embd.weight"] == .f16 && types["output.weight"] == .q4_1)
        #expect(try quantize("--leave-output-tensor", "--pure", model, output, "Q4_K_M").exitCode == 0)
        let pure = try self.types(output)
        #expect(pure["output.weight"] == .f32 && pure["blk.0.attn_v.weight"] == .q4_K)
    }

    @Test func aDryRunWritesNothing() throws {
        let result = try quantize("--dry-run", model, output, "IQ4_XS")
        #expect(result.exitCode == 0 && result.errors.contains("do not fit"))
        #expect(result.output.contains("blk.1.attn_k.weight: 256 × 128, F32 -> IQ4_XS\n"))
        #expect(try folder.contents == ["model.gguf"])
    }

    @Test(
        "arguments that are not usable",
        arguments: [
            (["Q9_9"], "known: F32, F16"), (["40"], "Unknown format '40'"),
            (["Q4_0", "--tensor-type", "x"], "REGEX=TYPE"),
            (["Q4_0", "--tensor-type", "=Q8_0"], "REGEX=TYPE"),
            (["Q4_0", "--tensor-type", "(=Q8_0"], "'(' is no regular expression"),
            (["Q4_0", "--tensor-type", "x=Q8_1"], "Unknown tensor type 'Q8_1'; known: F32"),
            (["Q4_0", "--output-tensor-type", "IQ2_XS"], "known: F32"),
            (["Q4_0", "-1"], "Unknown option '-1'"), (["Q4_0", "1025"], "THREADS"), ([], "Missing"),
        ] as [([String], String)])
    func usage(_ arguments: [String], _ message: String) throws {
        let result = try Tool.run("engine", ["quantize", model, output] + arguments)
        #expect(result.exitCode == 64 && result.output == "")
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(try folder.contents == ["model.gguf"])
    }

    private func expectFailure(_ result: Tool.Result, _ message: String) throws {
        #expect(result.exitCode == 1 && result.output == "")
        let last = try #require(result.errorLines.last)
        #expect(last.hasPrefix("engine: ") && last.contains(message), "\(result.errors)")
        #expect(result.errorLines.count { $0.hasPrefix("engine: ") } == 1)
    }

    @Test func theInputIsNotOverwritten() throws {
        let before = try Data(contentsOf: URL(fileURLWithPath: model))
        try expectFailure(try quantize(model, model, "Q4_0"), "is the input")
        #expect(link(model, folder.path("link.gguf")) == 0)
        try expectFailure(try quantize(model, folder.path("link.gguf"), "Q4_0"), "is the input")
        #expect(try Data(contentsOf: URL(fileURLWithPath: model)) == before)
    }

    @Test func quantisingAgainMustBeAskedFor() throws {
        #expect(try quantize(model, output, "Q8_0").exitCode == 0)
        let second = folder.path("second.gguf")
        try expectFailure(try quantize(output, second, "Q4_0"), "--allow-requantize")
        #expect(try folder.contents == ["model.gguf", "out.gguf"])
        #expect(try quantize(output, second, "Q8_0").exitCode == 0)
        #expect(try quantize("--allow-requantize", output, second, "Q4_0").exitCode == 0)
        #expect(try types(second)["blk.0.attn_q.weight"] == .q4_0)
    }

    @Test func badInput() throws {
        var broken = try TestModel(path: model)
        broken["blk.1.ffn_up.weight"].bytes.replaceSubrange(1024..<1028, with: [0, 0, 0xc0, 0x7f])
        let path = try broken.write(to: folder.path("broken.gguf"))
        try expectFailure(try quantize(path, output, "Q4_0"), "row 1 of tensor \"blk.1.ffn_up.weight\" holds")
        broken["blk.1.ffn_up.weight"].bytes.replaceSubrange(1024..<1028, with: [0, 0, 0x80, 0x49])
        try broken.write(to: path)
        try expectFailure(try quantize(path, output, "Q4_K_M"), "too large for Q4_K")
        #expect(try quantize(path, output, "BF16").exitCode == 0)
        try expectFailure(try quantize(folder.path("none"), output, "Q4_0"), "cannot open")
        try expectFailure(try quantize(model, folder.path("none/out.gguf"), "Q4_0"), "cannot create")
        try expectFailure(try quantize(model, folder.path, "Q4_0"), "cannot put in place")
        #expect(try folder.contents == ["broken.gguf", "model.gguf", "out.gguf"])
    }

    /// A model that takes seconds: a matrix of zeros that takes no room on the disk.
    private func largeModel() throws -> String {
        var writer = GGUFWriter()
        writer.set("general.architecture", .string("llama"))
        writer.addTensor(
            "blk.0.a.weight", dimensions: [32, 32], type: .f16, bytes: .init(repeating: 0, count: 2048))
        let path = folder.path("large.gguf")
        try writer.write(to: path)
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let name = try #require(bytes.firstRange(of: Array("blk.0.a.weight".utf8)))
        // Behind the name the rank, then the extents.
        for (index, extent) in [32768, 8192].enumerated() {
            withUnsafeBytes(of: UInt64(extent).littleEndian) {
                let place = name.upperBound + 4 + 8 * index
                bytes.replaceSubrange(place..<place + 8, with: $0)
            }
        }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        #expect(truncate(path, bytes.count + 32768 * 8192 * 2) == 0)
        return path
    }

    @Test func controlCLeavesNothing() throws {
        let large = try largeModel()
        let result = try Tool.run(
            "engine", ["quantize", large, output, "IQ4_NL", "1"], interrupt: .afterSeconds(0.7), deadline: 60)
        #expect(result.exitCode == 130)
        #expect(try folder.contents == ["large.gguf", "model.gguf"])
    }

    @Test func aKilledRunLeavesNothing() throws {
        let large = try largeModel()
        #expect(throws: Tool.Failure.self) {
            try Tool.run("engine", ["quantize", large, output, "IQ4_NL", "1"], deadline: 0.7)
        }
        #expect(try folder.contents == ["large.gguf", "model.gguf"])
    }

    /// The published recipe: ternary weights with one scale for a matrix become such with one for each row, and generate
    /// the same text.
    @Test(arguments: ["bitnet", "bitnet-b1.58"]) func ternaryModels(_ architecture: String) throws {
        var bitnet = TestModel.model("bitnet", .i2_S)
        for (key, value) in bitnet.metadata where key.hasPrefix("bitnet.") {
            bitnet.set(key, nil)
            bitnet.set(architecture + key.dropFirst(6), value)
        }
        bitnet.set("general.architecture", .string(architecture))
        let first = try bitnet.write(to: folder.path("i2_s.gguf"))
        let second = folder.path("iq2_bn.gguf")
        func text(_ path: String) throws -> String {
            let run = try Tool.run(
                "engine", ["generate", "-m", path, "-p", "ab", "-n", "24", "--temp", "0", "--ignore-eos"])
            #expect(run.exitCode == 0, "\(run.errors)")
            return run.output
        }
        // Nothing else is changed, so that the text must be the same.
        #expect(
            try quantize(
                "--tensor-type", "token_embd=F32", "--token-embedding-type", "F32", first, second, "IQ2_BN"
            )
            .exitCode == 0)
        let changed = try types(second).filter { $0.value == .iq2_BN }
        #expect(changed.count == 14)
        #expect(try text(second) == text(first))
        #expect(try quantize("--token-embedding-type", "F32", second, output, "I2_S").exitCode == 0)
        let (before, after) = (try GGUFFile(path: first), try GGUFFile(path: output))
        for tensor in before.tensors {
            let other = try after.requiredTensor(named: tensor.name)
            #expect(other.type == tensor.type)
            #expect(after.bytes(of: other).elementsEqual(before.bytes(of: tensor)), "\(tensor.name)")
        }
        // The usual way: the embedding, which is the output, in six bits.
        #expect(try quantize(first, second, "iq2_bn").exitCode == 0)
        #expect(try types(second)["token_embd.weight"] == .q8_0)
        #expect(try text(second).hasPrefix("ab"))
    }

    @Test func ternaryWeightsAreNotChangedUnasked() throws {
        var bitnet = TestModel.model("bitnet", .iq2_BN)
        let name = try #require(bitnet.tensors.first { $0.type == .iq2_BN }?.name)
        // Another scale for the first row: one for the matrix cannot be it, too.
        bitnet[name].bytes.replaceSubrange(0..<4, with: [0, 0, 0x80, 0x42])
        let path = try bitnet.write(to: folder.path("rows.gguf"))
        try expectFailure(try quantize(path, output, "I2_S"), "cannot be carried to I2_S exactly")
        #expect(try quantize("--allow-requantize", path, output, "I2_S").exitCode == 0)
    }

    @Test func splitModelsBecomeOneFile() throws {
        let parts = (1...2).map { folder.path("s-0000\($0)-of-00002.gguf") }
        let whole = try TestModel(path: model)
        for (index, part) in parts.enumerated() {
            var model = whole
            model.tensors = whole.tensors.enumerated().filter { $0.offset / 11 == index }.map(\.element)
            if index > 0 { for (key, _) in whole.metadata { model.set(key, nil) } }
            model.set("split.no", .uint16(UInt16(index)))
            model.set("split.count", .uint16(2))
            model.set("split.tensors.count", .int32(Int32(whole.tensors.count)))
            try model.write(to: part)
        }
        #expect(try quantize(parts[1], output, "COPY").exitCode == 0)
        let bytes = { try Data(contentsOf: URL(fileURLWithPath: $0)) }
        #expect(try bytes(output) == bytes(model))
        try expectFailure(try quantize(parts[0], parts[1], "Q4_0"), "is the input")
        let run = {
            try Tool.run("engine", ["generate", "-m", $0, "-p", "a", "-n", "8", "--temp", "0"]).output
        }
        #expect(try run(parts[1]) == run(model))
        let inspected = try Tool.run("engine", ["inspect", parts[0], "--tensors"])
        #expect(inspected.exitCode == 0 && inspected.output.contains("output.weight"))
        try FileManager.default.removeItem(atPath: parts[0])
        try expectFailure(try quantize(parts[1], folder.path("x.gguf"), "Q4_0"), "part 1 of 2")
    }
}
