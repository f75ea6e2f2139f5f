import GGUF
import Quantization

/// Chooses the type of each tensor for a mix, as llama.cpp does (`llama-quant.cpp`): more bits for the values' projection,
/// for the way down of some layers, for the output. Tensors are asked for in llama.cpp's order, as some rules count.
struct TensorTypeChoice {
    private let mix: QuantizationMix
    private let isPure: Bool
    private let outputType: TensorType?
    private let embeddingType: TensorType?
    /// Queries for each key.
    private let groupedQueries: Int
    private let experts: Int
    private let layers: Int
    private let isLarge: Bool
    private let valueProjections: Int
    /// Whether the embedding is the output matrix, too.
    private let isTied: Bool

    private var valueProjectionsSeen = 0
    private var waysDownSeen = 0

    init(_ file: GGUFFile, _ options: ModelQuantizer.Options) throws {
        mix = options.mix
        isPure = options.isPure
        (outputType, embeddingType) = (options.outputType, options.embeddingType)
        let name = try file.metadata.stringIfPresent("general.architecture") ?? ""
        func number(_ key: String) -> Int? {
            switch file.metadata["\(name).\(key)"] {
            case .array(let array)?: array.integers?.first
            case let value: value?.integer
            }
        }
        let heads = number("attention.head_count") ?? 0
        let keyHeads = number("attention.head_count_kv") ?? heads
        groupedQueries = keyHeads > 0 ? heads / keyHeads : 0
        experts = number("expert_count") ?? 0
        layers = number("block_count") ?? 0
        isLarge = layers == 80 && (name == "qwen2" || name == "llama" && heads != keyHeads)
        valueProjections = file.tensors.count { Category($0.name).isValueProjection }
        isTied = file.tensor(named: "output.weight") == nil
    }

    /// What a tensor is for.
    private enum Category {
        case output, embedding, query, key, value, fused, keyValue, attentionOutput, up, gate, down, other

        init(_ name: String) {
            let parts: [(String, Category)] = [
                ("attn_qkv.weight", .fused), ("attn_kv_b.weight", .keyValue), ("attn_v.weight", .value),
                ("attn_k.weight", .key), ("attn_q.weight", .query),
                ("attn_output.weight", .attentionOutput), ("ffn_up", .up), ("ffn_gate", .gate),
                ("ffn_down", .down),
            ]
            switch name {
            case "output.weight": self = .output
            case "token_embd.weight", "per_layer_token_embd.weight": self = .embedding
            default: self = parts.first { name.contains($0.0) }?.1 ?? .other
            }
        }

        var isValueProjection: Bool { self == .value || self == .fused || self == .keyValue }
    }

    /// Parts of the names of matrices that stay as they are: small ones, on which much depends.
    private static let kept = [
        "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel",
        "per_layer_model_proj", "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight",
        "indexer.q_proj.weight", "time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight",
        "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight",
        "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight",
        "time_mix_g2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight",
        "time_mix_lerp_fused.weight", "attn_rel_b.weight", ".position_embd", "sam.pos_embd", "sam.neck.",
        "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger", "a.rvq.codebook", "mm.a.code_embd",
    ]

    /// Whether a tensor changes its type at all.
    static func isQuantizable(_ tensor: TensorInfo) -> Bool {
        tensor.dimensions.dropFirst().contains { $0 > 1 } && tensor.name.hasSuffix("weight")
            && tensor.name != "position_embd.weight" && tensor.name != "token_types.weight"
            && !kept.contains { tensor.name.contains($0) }
    }

    /// The order in which llama.cpp asks: by layer, those of no layer first, and by name.
    static func comesFirst(_ a: TensorInfo, _ b: TensorInfo) -> Bool {
        let (layer, other) = (layer(a.name) ?? -1, layer(b.name) ?? -1)
        return layer == other ? a.name.utf8.lexicographicallyPrecedes(b.name.utf8) : layer < other
    }

    /// The number in `blk.12.attn_q.weight`.
    private static func layer(_ name: String) -> Int? {
        guard name.hasPrefix("blk.") else { return nil }
        return Int(name.dropFirst(4).prefix { $0.isASCII && $0.isNumber })
    }

    /// The type of the next tensor, without a look at its rows' length.
    mutating func type(of tensor: TensorInfo, default type: TensorType) -> TensorType {
        let category = Category(tensor.name)
        if category == .embedding, let embeddingType { return embeddingType }
        if category == .output || category == .embedding && isTied, let outputType { return outputType }
        guard !isPure, type.layout?.blockSize != 1 else { return type }
        return mixed(tensor, category, type)
    }

    private mutating func mixed(
        _ tensor: TensorInfo, _ category: Category, _ type: TensorType
    ) -> TensorType {
        if category == .output || category == .embedding && isTied {
            return outputMatrix(tensor, type)
        }
        if mix == .mxfp4 { return tensor.dimensions.dropFirst(2).contains { $0 > 1 } ? .mxfp4 : .q8_0 }
        switch category {
        case .embedding:
            switch mix {
            case .tq1_0, .tq2_0: return .q4_K
            case .iq2BN: return .iq4_NL
            case .i2S: return .f16
            default: return type
            }
        case .value, .fused, .keyValue: return valueProjection(type)
        case .key: return experts == 8 ? .q8_0 : type
        case .down: return wayDown(tensor, type)
        case .attentionOutput: return attentionOutput(type)
        default: return type
        }
    }

    private func outputMatrix(_ tensor: TensorInfo, _ type: TensorType) -> TensorType {
        if mix == .i2S { return .f16 }
        if mix == .mxfp4 || !tensor.rowLength.isMultiple(of: type.layout?.blockSize ?? 1) { return .q8_0 }
        return type == .q8_0 ? .q8_0 : .q6_K
    }

    private mutating func valueProjection(_ type: TensorType) -> TensorType {
        defer { valueProjectionsSeen += 1 }
        let seen = valueProjectionsSeen
        if experts == 8 { return .q8_0 }
        var type = type
        switch mix {
        case .q2K: type = groupedQueries >= 4 ? .q4_K : .q3_K
        case .q2KS where groupedQueries >= 4: type = .q4_K
        case .q3KM: type = seen < 2 ? .q5_K : .q4_K
        case .q3KL: type = .q5_K
        case .iq4NL, .iq4XS: type = groupedQueries >= 4 ? .q5_K : type
        case .q4KM, .q5KM: type = Self.needsMore(seen, of: valueProjections) ? .q6_K : type
        case .q4KS where seen < 4: type = .q5_K
        default: break
        }
        // Eight heads share these values: they are small, and gain much.
        return isLarge && (type == .q3_K || type == .q4_K) ? .q5_K : type
    }

    private mutating func wayDown(_ tensor: TensorInfo, _ type: TensorType) -> TensorType {
        let layer = experts > 1 ? Self.layer(tensor.name) ?? waysDownSeen : waysDownSeen
        waysDownSeen += 1
        switch mix {
        case .q2K: return .q3_K
        case .q2KS where layer < layers / 8: return .q4_K
        case .q3KM: return layer < layers / 16 ? .q5_K : .q4_K
        case .q3KL: return .q5_K
        case .q4KM, .q5KM: return Self.needsMore(layer, of: layers) ? .q6_K : type
        case .iq4NL, .iq4XS, .q4KS: return layer < layers / 8 ? .q5_K : type
        default: return type
        }
    }

    private func attentionOutput(_ type: TensorType) -> TensorType {
        if experts == 8 {
            return [.q2K, .q3KS, .q3KM, .iq4NL, .q4KS, .q4KM, .iq4XS].contains(mix) ? .q5_K : type
        }
        switch mix {
        case .q2K: return .q3_K
        case .q3KM: return .q4_K
        case .q3KL: return .q5_K
        default: return type
        }
    }

    /// The first and the last eighth, and every third between them.
    private static func needsMore(_ index: Int, of count: Int) -> Bool {
        index < count / 8 || index >= 7 * count / 8 || (index - count / 8) % 3 == 2
    }

    /// A type that rows of this length can be written as: `type` itself, or one with smaller blocks, or F16.
    static func fitting(_ type: TensorType, rowLength: Int) -> TensorType {
        guard !rowLength.isMultiple(of: type.rowMultiple) else { return type }
        let smaller: TensorType? =
            switch type {
            case .iq4_XS: .iq4_NL
            case .q2_K, .q3_K, .tq1_0, .tq2_0, .i2_S, .iq2_BN: .q4_0
            case .q4_K: .q5_0
            case .q5_K: .q5_1
            case .q6_K: .q8_0
            default: nil
            }
        guard let smaller, rowLength.isMultiple(of: smaller.rowMultiple) else { return .f16 }
        return smaller
    }
}
