import Foundation
import GGUF
import TestSupport
import Testing

/// `engine inspect`, on models that run and on others.
@Suite("Inspect") struct InspectTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private struct Report: Decodable {
        struct General: Decodable {
            var architecture: String?
            var parameters: Int
            var active_parameters: Int?
            var bits_per_weight: Double
        }
        struct Engine: Decodable {
            struct Memory: Decodable {
                var context_length: Int
                var context_bytes: Int
            }
            struct Refusal: Decodable {
                var reason: String
                var products: [String]
            }
            var runs: Bool
            var problem: String?
            var mul_mat_total: Int?
            var mul_mat_offloadable: Int?
            var refusals: [Refusal]?
            var memory: Memory?
        }
        struct Kind: Decodable {
            var type: String
            var tensors: Int
            var cpu: Bool
            var dsp: Bool
        }
        var version: Int
        var general: General
        var engine: Engine
        var types: [Kind]
    }

    private func inspect(_ model: TestModel, _ arguments: String...) throws -> Report {
        let path = try model.write(to: folder.path("model.gguf"))
        let result = try Tool.run("engine", ["inspect", path, "--json"] + arguments)
        #expect(result.exitCode == 0 && result.errors == "", "\(result.errors)")
        // People get the same without colours.
        let text = try Tool.run("engine", ["inspect", path, "--tensors"] + arguments)
        #expect(text.exitCode == 0 && !text.output.contains("\u{1b}") && text.output.contains("engine\n"))
        return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    }

    @Test func aModelThatRuns() throws {
        let report = try inspect(.llama(.q8_0), "-c", "64")
        #expect(report.version == 1 && report.general.architecture == "llama")
        #expect(report.engine.runs && report.engine.problem == nil)
        #expect(report.engine.mul_mat_total == 15 && report.engine.mul_mat_offloadable == 15)
        #expect(report.engine.memory?.context_length == 64 && report.engine.memory?.context_bytes ?? 0 > 0)
        #expect(report.types.map(\.type) == ["Q8_0", "F32"] && report.types.map(\.tensors) == [16, 5])
        #expect(report.general.bits_per_weight > 8.5 && report.general.bits_per_weight < 8.7)
    }

    @Test func anUnknownArchitecture() throws {
        var model = TestModel.llama()
        model.set("general.architecture", .string("perceptron"))
        let report = try inspect(model)
        #expect(!report.engine.runs)
        #expect(report.engine.problem?.contains("unknown architecture \"perceptron\"; known: ") == true)
        #expect(report.engine.mul_mat_total == nil && report.general.parameters > 0)
    }

    @Test func aTypeThatIsNotComputed() throws {
        var model = TestModel.llama()
        let tensor = model["blk.0.attn_q.weight"]
        model["blk.0.attn_q.weight"].type = .f64
        model["blk.0.attn_q.weight"].bytes = [UInt8](repeating: 0, count: tensor.bytes.count * 2)
        let report = try inspect(model)
        #expect(!report.engine.runs && report.engine.problem?.contains("type F64") == true)
        let kind = try #require(report.types.first { $0.type == "F64" })
        #expect(kind.tensors == 1 && !kind.cpu && !kind.dsp)
    }

    @Test func aTokenizerThatIsNotKnown() throws {
        var model = TestModel.llama()
        model.set("tokenizer.ggml.model", .string("runes"))
        let report = try inspect(model)
        #expect(!report.engine.runs && report.engine.problem?.contains("\"runes\" is not supported") == true)
    }

    @Test func damagedFilesAreOneLine() throws {
        let path = try TestModel.llama().write(to: folder.path("model.gguf"))
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        for length in [0, 3, 20, 200, bytes.count / 2] {
            let damaged = try folder.write(Array(bytes[..<length]), to: "damaged.gguf")
            for option in [[], ["--json"], ["--tensors"]] {
                let result = try Tool.run("engine", ["inspect", damaged] + option)
                #expect(result.exitCode == 1 && result.output == "" && result.errorLines.count == 1)
                #expect(result.errors.contains(damaged))
            }
        }
    }
}
