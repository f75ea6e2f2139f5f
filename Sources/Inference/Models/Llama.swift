import GGUF
import Glibc

/// Llama 2 and 3, and what has their shape: RMS norms, rotary embedding of neighbouring pairs,
/// grouped-query attention, SwiGLU, an output matrix of its own or the embedding's.
enum Llama {
    static func graph(_ file: GGUFFile) throws -> Graph {
        let parameters = try Hyperparameters(file)
        let shape = try shape(parameters)
        let epsilon = Float(try parameters.float("attention.layer_norm_rms_epsilon"))
        let hidden = try parameters.count("feed_forward_length")
        let (width, queryWidth) = (shape.width, shape.heads * shape.keySize)

        var builder = GraphBuilder(file, shape)
        if builder.has(rotationFactors) { builder.markUsed(rotationFactors) }
        let embedding = try builder.weight("token_embd.weight", columns: width, rows: shape.vocabulary)
        var residual = builder.tensor("embedding", width: width)
        builder.add("token_embd", .embed(weight: embedding, output: residual))

        for layer in 0..<shape.layers {
            let name = "blk.\(layer)"
            builder.layer = layer
            let normed = try builder.rmsNorm("\(name).attn_norm", residual, epsilon: epsilon)
            let query = try builder.matmul("\(name).attn_q", normed, rows: queryWidth)
            let key = try builder.matmul("\(name).attn_k", normed, rows: shape.keyValueHeads * shape.keySize)
            let value = try builder.matmul(
                "\(name).attn_v", normed, rows: shape.keyValueHeads * shape.valueSize)
            builder.add("\(name).rope_q", .rotate(tensor: query, heads: shape.heads, size: shape.keySize))
            builder.add(
                "\(name).rope_k", .rotate(tensor: key, heads: shape.keyValueHeads, size: shape.keySize))
            builder.add("\(name).cache", .store(key: key, value: value, layer: layer))
            let attention = builder.tensor("attention", width: shape.heads * shape.valueSize)
            builder.add("\(name).attention", .attention(query: query, layer: layer, output: attention))
            let projected = try builder.matmul("\(name).attn_output", attention, rows: width)
            residual = builder.sum("attn_residual", residual, projected)

            let ffnInput = try builder.rmsNorm("\(name).ffn_norm", residual, epsilon: epsilon)
            let gate = try builder.matmul("\(name).ffn_gate", ffnInput, rows: hidden)
            let up = try builder.matmul("\(name).ffn_up", ffnInput, rows: hidden)
            let activated = builder.tensor("ffn_act", width: hidden)
            builder.add("\(name).ffn_act", .swiGLU(gate: gate, up: up, output: activated))
            let down = try builder.matmul("\(name).ffn_down", activated, rows: width)
            residual = builder.sum("ffn_residual", residual, down)
        }

        builder.layer = nil
        let selected = builder.tensor("selected", width: width, .outputs)
        builder.add("select", .selectOutputs(input: residual, output: selected))
        let final = try builder.rmsNorm("output_norm", selected, epsilon: epsilon)
        let head = builder.has("output.weight") ? "output" : "token_embd"
        let logits = try builder.matmul(head, final, rows: shape.vocabulary)
        return try builder.finish(logits: logits)
    }

    /// Divisors of the rotation's frequencies: how Llama 3.1 stretches its context.
    private static let rotationFactors = "rope_freqs.weight"

    private static func shape(_ parameters: Hyperparameters) throws -> Graph.Shape {
        let file = parameters.file
        let width = try parameters.count("embedding_length")
        let heads = try parameters.count("attention.head_count", limit: 4096)
        let keyValueHeads = try parameters.count("attention.head_count_kv", default: heads, limit: 4096)
        guard heads % keyValueHeads == 0 else {
            throw parameters.fail("\(heads) heads cannot share \(keyValueHeads) key/value heads evenly")
        }
        guard try file.metadata.integerIfPresent("llama.expert_count") ?? 0 == 0 else {
            throw parameters.fail("mixtures of experts are not computed for architecture \"llama\"")
        }
        guard width % heads == 0 || file.metadata["llama.attention.key_length"] != nil else {
            throw parameters.fail("llama.embedding_length \(width) cannot be divided among \(heads) heads")
        }
        let keySize = try parameters.count(
            "attention.key_length", default: max(width / heads, 1), limit: 4096)
        let valueSize = try parameters.count("attention.value_length", default: keySize, limit: 4096)
        return Graph.Shape(
            architecture: "llama",
            layers: try parameters.count("block_count", limit: 4096),
            width: width, heads: heads, keyValueHeads: keyValueHeads, keySize: keySize, valueSize: valueSize,
            vocabulary: try file.requiredTensor(named: "token_embd.weight").rowCount,
            contextLength: try parameters.count("context_length", limit: 1 << 30),
            rotation: try rotation(parameters, keySize: keySize))
    }

    private static func rotation(_ parameters: Hyperparameters, keySize: Int) throws -> Rotation {
        let members = try parameters.count("rope.dimension_count", default: keySize, limit: 4096)
        guard members % 2 == 0, members <= keySize else {
            throw parameters.fail("llama.rope.dimension_count \(members) does not fit heads of \(keySize)")
        }
        let base = try parameters.float("rope.freq_base", default: 10000)
        guard base > 0 else { throw parameters.fail("llama.rope.freq_base is 0") }
        var scale = 1.0
        switch try parameters.string("rope.scaling.type") ?? "none" {
        case "none": break
        case "linear":
            let factor = try parameters.float("rope.scaling.factor")
            guard factor > 0 else { throw parameters.fail("llama.rope.scaling.factor is 0") }
            scale = 1 / factor
        case let type:
            throw parameters.fail("rotation scaling \(quoted(type)) is not known; known: linear, none")
        }
        var frequencies = (0..<members / 2).map { pow(base, -2 * Double($0) / Double(members)) * scale }
        if let factors = parameters.file.tensor(named: rotationFactors) {
            guard factors.type == .f32, factors.elementCount == frequencies.count else {
                throw parameters.fail(
                    "tensor \(quoted(rotationFactors)) is not \(frequencies.count) numbers of type F32")
            }
            let bytes = parameters.file.bytes(of: factors)
            for index in frequencies.indices {
                let factor = Double(bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self))
                guard factor.isFinite, factor > 0 else {
                    throw parameters.fail(
                        "tensor \(quoted(rotationFactors)) holds \(factor) at \(index), expected a number above 0"
                    )
                }
                frequencies[index] /= factor
            }
        }
        guard frequencies.allSatisfy(\.isFinite) else {
            throw parameters.fail("the rotation's frequencies are not finite: base \(base), scale \(scale)")
        }
        return Rotation(pairing: .neighbours, frequencies: frequencies)
    }
}
