import Foundation
import GGUF
import Models
import TestSupport
import Testing

@Suite("Graphs of every architecture") struct ArchitectureGraphTests {
    private func graph(_ name: String, _ change: (inout TestModel) -> Void = { _ in }) throws -> Graph {
        let folder = try TemporaryFolder()
        var model = TestModel.model(name)
        change(&model)
        return try Architecture.graph(of: try GGUFFile(path: try model.write(to: folder.path("model.gguf"))))
    }

    @Test(arguments: TestModel.architectures) func everyOperationReadsWhatIsThere(_ name: String) throws {
        let graph = try graph(name)
        var written: Set<Int> = []
        for operation in graph.operations {
            for input in operation.inputs { #expect(written.contains(input), "\(operation.name)") }
            if let output = operation.output { written.insert(output) }
        }
        #expect(written == Set(graph.tensors.indices))
        #expect(Set(graph.operations.compactMap(\.weight)) == Set(graph.weights.indices))
        for operation in graph.operations {
            switch operation.kind {
            case .matmul(let weight, let input, let output):
                #expect(graph.weights[weight].columns == graph.tensors[input].width)
                #expect(graph.weights[weight].rows == graph.tensors[output].width)
                #expect(graph.tensors[input].rows == graph.tensors[output].rows)
            case .matmulExperts(let weight, let input, let routing, let output):
                let count = graph.tensors[routing].width / 2
                let sources = graph.tensors[input].width / graph.weights[weight].columns
                #expect(sources == 1 || sources == count)
                #expect(graph.weights[weight].rows * count == graph.tensors[output].width)
                #expect(graph.weights[weight].experts == 4 && count == 2)
            case .rmsNorm(let input, let weight, _, let output):
                #expect(graph.tensors[input].width % graph.weights[weight].columns == 0)
                #expect(graph.tensors[input].width == graph.tensors[output].width)
            default: break
            }
        }
    }

    @Test func everyArchitectureHasATestModel() {
        #expect(Set(TestModel.architectures).subtracting(["mixtral"]).isSubset(of: Architecture.names))
        #expect(Set(Architecture.names).subtracting(TestModel.architectures) == ["bitnet-b1.58"])
    }

    private func attentions(_ graph: Graph) -> [Attention] {
        graph.operations.compactMap {
            if case .attention(_, _, let attention, _) = $0.kind { attention } else { nil }
        }
    }

    @Test func windows() throws {
        #expect(try attentions(graph("gpt-oss")).map(\.window) == [8, 0])
        #expect(try attentions(graph("gemma2")).map(\.window) == [8, 0])
        #expect(try attentions(graph("gemma3")).map(\.window) == [8, 8, 8, 8, 8, 0, 8])
        let key = "gemma3.attention.sliding_window_pattern"
        #expect(
            try attentions(graph("gemma3") { $0.set(key, .uint32(3)) }).map(\.window) == [
                8, 8, 0, 8, 8, 0, 8,
            ])
        let chosen = [true, false, false, true, false, true, true]
        #expect(
            try attentions(graph("gemma3") { $0.set(key, .array(MetadataArray(chosen))) }).map(\.window)
                == chosen.map { $0 ? 8 : 0 })
        // Gemma 3's windows have a rotation of their own.
        let rotations = try graph("gemma3").operations.compactMap { operation -> Int? in
            if case .rotate(_, let heads, _, let rotation) = operation.kind, heads == 4 {
                rotation
            } else {
                nil
            }
        }
        #expect(rotations == [1, 1, 1, 1, 1, 0, 1])
    }

    @Test func attentionIsScaledAndCapped() throws {
        for attention in try attentions(graph("gemma2")) {
            #expect(attention.cap == 5 && attention.scale == 1 / Float(32).squareRoot())
        }
        for attention in try attentions(graph("gpt-oss")) {
            #expect(attention.sinks != nil && attention.cap == 0)
        }
    }

    @Test func activations() throws {
        func activations(_ name: String, _ change: (inout TestModel) -> Void = { _ in }) throws
            -> [Activation]
        {
            try graph(name, change).operations.compactMap {
                if case .activate(let activation, _, _, _) = $0.kind { activation } else { nil }
            }
        }
        #expect(try activations("bitnet") == [.silu, .silu])
        #expect(try activations("bitnet-25") == [.reluSquared, .reluSquared])
        #expect(
            try activations("bitnet") { $0.set("bitnet.hidden_activation", .string("relu2")) }
                == [.reluSquared, .reluSquared])
        #expect(try activations("gemma2") == [.gelu, .gelu])
        let clamped = Activation.clampedSwiGLU(alpha: 1.702, limit: 7)
        #expect(try activations("gpt-oss") == [clamped, clamped])
    }

    /// Against the formulas of the YaRN paper, with their logarithms of wavelengths.
    @Test func yarn() throws {
        let rotation = try #require(try graph("gpt-oss").shape.rotations.first)
        #expect(abs(rotation.magnitude - (1 + 0.1 * log(8))) < 1e-12)
        // 16 pairs, base 10000, 16 tokens: the first pair turns 16 / 2π = 2.5 times, below the 32 of a fast one, and
        // the second 1.4 times; from the third on they turn less than once.
        for (pair, frequency) in rotation.frequencies.enumerated() {
            let plain = exp(-log(10000) * Double(pair) / 16)
            let turns = 16 * plain / (2 * .pi)
            if turns < 0.5 { #expect(abs(frequency - plain / 8) < 1e-12 * plain) }
            #expect(frequency <= plain * 1.000001 && frequency >= plain / 8 * 0.999999)
        }
        #expect(rotation.frequencies[0] > 0.5)
        // A multiplier of 1 takes the magnitude back.
        #expect(try graph("mistral3").shape.rotations[0].magnitude == 1)
        #expect(rotation.pairing == .halves)
        #expect(try graph("mistral3").shape.rotations[0].pairing == .neighbours)
    }

    @Test func longContexts() throws {
        let rotation = try #require(try graph("phi3").shape.rotations.first)
        let long = try #require(rotation.long)
        #expect(long.contextLength == 48 && long.frequencies.count == rotation.frequencies.count)
        #expect(zip(long.frequencies, rotation.frequencies).allSatisfy { $0 < $1 / 2 })
        #expect(abs(rotation.magnitude - 1.19) < 1e-6)
    }

    @Test func onlyFullLayersOfGemma3AreStretched() throws {
        let rotations = try graph("gemma3").shape.rotations
        #expect(rotations.map { $0.frequencies[0] } == [0.125, 1])
        #expect(abs(rotations[1].frequencies[8] - 0.01) < 1e-12)
        #expect(abs(rotations[0].frequencies[8] - 0.001 / 8) < 1e-12)
    }
}
