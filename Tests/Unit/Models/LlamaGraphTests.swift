import Foundation
import GGUF
import Models
import TestSupport
import Testing

@Suite("Graphs of llama models") struct LlamaGraphTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func graph(_ change: (inout TestModel) -> Void = { _ in }) throws -> Graph {
        var model = TestModel.llama()
        change(&model)
        return try Architecture.graph(of: try GGUFFile(path: try model.write(to: folder.path("model.gguf"))))
    }

    @Test func everyOperationReadsWhatIsThere() throws {
        let graph = try graph()
        var written: Set<Int> = []
        for operation in graph.operations {
            for input in operation.inputs { #expect(written.contains(input), "\(operation.name)") }
            if let output = operation.output { written.insert(output) }
        }
        #expect(written == Set(graph.tensors.indices))
        #expect(written.contains(graph.logits))
        #expect(Set(graph.operations.compactMap(\.weight)) == Set(graph.weights.indices))
    }

    @Test func productsFitTheirTensors() throws {
        let graph = try graph()
        var products = 0
        for operation in graph.operations {
            guard case .matmul(let weight, let input, let output) = operation.kind else { continue }
            #expect(graph.weights[weight].columns == graph.tensors[input].width)
            #expect(graph.weights[weight].rows == graph.tensors[output].width)
            #expect(graph.tensors[input].rows == graph.tensors[output].rows)
            products += 1
        }
        #expect(products == 2 * 7 + 1)
    }

    @Test func shape() throws {
        let shape = try graph().shape
        #expect(shape.architecture == "llama" && shape.layers == 2 && shape.width == 64)
        #expect(shape.heads == 4 && shape.keyValueHeads == 2 && shape.keySize == 16 && shape.valueSize == 16)
        #expect(shape.vocabulary == 286 && shape.contextLength == 128)
        let logits = try graph().tensors[graph().logits]
        #expect(logits.width == 286 && logits.rows == .outputs)
    }

    @Test func withoutAnOutputMatrixTheEmbeddingIsIt() throws {
        let (own, tied) = (try graph(), try graph { $0.remove(tensor: "output.weight") })
        #expect(tied.weights.count == own.weights.count - 1)
        #expect(tied.operations.count == own.operations.count)
        let last = try #require(tied.operations.last?.weight)
        #expect(tied.weights[last].name == "token_embd.weight")
        #expect(last == tied.operations.first?.weight)
    }

    @Test func headsWithoutTheirOwnSizesShareTheWidth() throws {
        let shape = try graph { $0.set("llama.attention.head_count_kv", .uint32(2)) }.shape
        #expect(shape.keySize == 64 / 4)
        // Four heads of four: the projections' shapes decide whether that is so.
        let narrow = try graph { model in
            model.set("llama.attention.key_length", .uint32(8))
            model.set("llama.attention.value_length", .uint32(16))
            model.set("llama.rope.dimension_count", .uint32(8))
            for layer in 0..<2 {
                for (name, rows) in [("attn_q", 32), ("attn_k", 16)] {
                    model["blk.\(layer).\(name).weight"].dimensions = [64, rows]
                    model["blk.\(layer).\(name).weight"].bytes = [UInt8](repeating: 0, count: 4 * 64 * rows)
                }
            }
        }.shape
        #expect(narrow.keySize == 8 && narrow.valueSize == 16)
    }

    @Test func rotation() throws {
        func frequencies(_ change: (inout TestModel) -> Void = { _ in }) throws -> [Double] {
            try graph(change).shape.rotations[0].frequencies
        }
        func expect(_ found: [Double], _ expected: [Double]) {
            #expect(found.count == expected.count)
            for (found, expected) in zip(found, expected) {
                #expect(abs(found - expected) <= 1e-12 * expected)
            }
        }
        // The first pair turns by one radian per position, each next one by a constant factor less.
        let plain = (0..<8).map { exp(-log(10000) * Double($0) / 8) }
        expect(try frequencies(), plain)
        expect(try frequencies { $0.set("llama.rope.freq_base", nil) }, plain)
        expect(
            try frequencies { $0.set("llama.rope.freq_base", .float32(500)) },
            (0..<8).map { exp(-log(500) * Double($0) / 8) })
        expect(
            try frequencies { $0.set("llama.rope.dimension_count", .uint32(4)) }, [1, 0.01])
        expect(
            try frequencies {
                $0.set("llama.rope.scaling.type", .string("linear"))
                $0.set("llama.rope.scaling.factor", .float32(4))
            }, plain.map { $0 / 4 })
        expect(
            try frequencies {
                $0.addZeros("rope_freqs.weight", 8)
                $0["rope_freqs.weight"].bytes = (0..<8).flatMap { index in
                    withUnsafeBytes(of: Float(index + 1).bitPattern.littleEndian) { Array($0) }
                }
            }, plain.enumerated().map { $0.element / Double($0.offset + 1) })
    }

    @Test func knownArchitectures() {
        #expect(Architecture.names.contains("llama"))
        #expect(Architecture.names == Architecture.names.sorted())
    }
}
