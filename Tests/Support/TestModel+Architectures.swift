import GGUF

/// Small models of every architecture, with random weights.
extension TestModel {
    /// The architectures that ``model(_:_:)`` makes.
    package static let architectures = [
        "bitnet", "bitnet-25", "gemma", "gemma2", "gemma3", "gpt-oss", "llama", "mistral3", "mixtral",
        "olmoe", "phi3",
        "qwen2", "qwen3", "qwen3moe", "smollm3",
    ]

    /// Its sizes.
    private static let (heads, keyValueHeads, headSize) = (4, 2, 32)
    private static let (hidden, experts, expertsUsed, window) = (96, 4, 2, 8)

    /// A model of an architecture; `mixtral` is a llama with experts.
    ///
    /// - Parameter type: of the matrices: F32, or I2_S or IQ2_BN for those that are ternary.
    package static func model(_ name: String, _ type: TensorType = .f32) -> TestModel {
        var model = llama()
        let architecture = name == "mixtral" ? "llama" : name
        var builder = Builder(
            architecture, type, SeededGenerator(UInt64(name.utf8.reduce(0) { $0 + Int($1) })))
        // I2_S has blocks of 128.
        let width = name.hasPrefix("bitnet") ? 128 : 64
        // Of seven layers of gemma3, one sees everything; of four of smollm3, one has no rotation.
        let layers = ["gemma3": 7, "smollm3": 4][name] ?? 2
        for (key, value) in model.metadata where key.hasPrefix("llama.") {
            model.set(key, nil)
            model.set(architecture + key.dropFirst(5), value)
        }
        model.set("general.architecture", .string(architecture))
        func set(_ key: String, _ value: MetadataValue) { model.set("\(architecture).\(key)", value) }
        set("block_count", .uint32(UInt32(layers)))
        set("embedding_length", .uint32(UInt32(width)))
        let headSize = ["olmoe", "phi3"].contains(name) ? width / heads : headSize
        set("attention.key_length", .uint32(UInt32(headSize)))
        set("attention.value_length", .uint32(UInt32(headSize)))
        set("rope.dimension_count", .uint32(UInt32(headSize)))
        if name.hasPrefix("bitnet") { set("feed_forward_length", .uint32(128)) }
        let isMixture = ["gpt-oss", "mixtral", "olmoe", "qwen3moe"].contains(name)
        if isMixture {
            set("expert_count", .uint32(UInt32(experts)))
            set("expert_used_count", .uint32(UInt32(expertsUsed)))
            set("expert_feed_forward_length", .uint32(UInt32(hidden)))
        }
        if ["gemma2", "gemma3", "gpt-oss"].contains(name) {
            set("attention.sliding_window", .uint32(UInt32(window)))
        }
        switch name {
        case "gpt-oss", "mistral3":
            set("rope.scaling.type", .string("yarn"))
            set("rope.scaling.factor", .float32(8))
            set("rope.scaling.original_context_length", .uint32(16))
            if name == "mistral3" { set("rope.scaling.yarn_log_multiplier", .float32(1)) }
            if name == "mistral3" { set("attention.temperature_scale", .float32(0.3)) }
        case "gemma3":
            set("rope.freq_base", .float32(1_000_000))
            set("rope.scaling.type", .string("linear"))
            set("rope.scaling.factor", .float32(8))
        case "gemma2":
            set("attn_logit_softcapping", .float32(5))
            set("final_logit_softcapping", .float32(3))
        case "phi3":
            set("rope.scaling.attn_factor", .float32(1.19))
            set("rope.scaling.original_context_length", .uint32(48))
        default: break
        }
        let vocabulary = model["token_embd.weight"].dimensions[1]
        model.tensors = []
        builder.matrix("token_embd", width, vocabulary)
        if name == "phi3" {
            builder.vector("rope_factors_short.weight", headSize / 2, around: 1)
            builder.vector("rope_factors_long.weight", headSize / 2, around: 3)
        }
        for layer in 0..<layers {
            builder.prefix = "blk.\(layer)."
            builder.attention(name, width, heads * headSize, keyValueHeads * headSize, headSize, heads)
            if isMixture {
                builder.experts(width, hidden, experts, hasBiases: name == "gpt-oss")
            } else {
                builder.feedForward(name, width, hidden)
            }
        }
        builder.prefix = ""
        builder.vector("output_norm.weight", width, around: 1)
        if ["gpt-oss", "llama", "mistral3", "mixtral", "olmoe", "phi3", "qwen3moe"].contains(name) {
            builder.matrix("output", width, vocabulary)
        }
        model.tensors = builder.tensors
        return model
    }

    private struct Builder {
        var tensors: [Tensor] = []
        var prefix = ""
        private let architecture: String
        private let ternary: TensorType
        private var generator: SeededGenerator

        init(_ architecture: String, _ ternary: TensorType, _ generator: SeededGenerator) {
            (self.architecture, self.ternary, self.generator) = (architecture, ternary, generator)
        }

        private mutating func add(_ name: String, _ dimensions: [Int], _ values: [Float]) {
            let bytes = values.flatMap { value in
                withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
            }
            tensors.append(
                Tensor(name: prefix + name, dimensions: dimensions, type: .f32, bytes: bytes))
        }

        mutating func vector(_ name: String, _ length: Int, around mean: Float) {
            add(name, [length], (0..<length).map { _ in mean + .random(in: -0.2...0.2, using: &generator) })
        }

        mutating func matrix(_ name: String, _ columns: Int, _ rows: Int, experts: Int = 1) {
            let bound = (3 / Float(columns)).squareRoot()
            add(
                name + ".weight", experts == 1 ? [columns, rows] : [columns, rows, experts],
                (0..<columns * rows * experts).map { _ in .random(in: -bound...bound, using: &generator) })
        }

        /// One of BitNet's matrices, or a usual one.
        mutating func product(_ name: String, _ columns: Int, _ rows: Int) {
            guard architecture.hasPrefix("bitnet") else { return matrix(name, columns, rows) }
            let scale = (1.5 / Float(columns)).squareRoot()
            let codes = (0..<columns * rows).map { _ in Int.random(in: -1...1, using: &generator) }
            switch ternary {
            case .i2_S, .iq2_BN:
                tensors.append(
                    Tensor(
                        name: prefix + name + ".weight", dimensions: [columns, rows], type: ternary,
                        bytes: TestModel.ternaryBytes(ternary, codes, columns: columns, scale: scale)))
            default: add(name + ".weight", [columns, rows], codes.map { Float($0) * scale })
            }
        }

        mutating func attention(
            _ name: String, _ width: Int, _ queries: Int, _ keys: Int, _ headSize: Int, _ heads: Int
        ) {
            vector("attn_norm.weight", width, around: 1)
            if name == "phi3" {
                matrix("attn_qkv", width, queries + 2 * keys)
            } else {
                product("attn_q", width, queries)
                product("attn_k", width, keys)
                product("attn_v", width, keys)
            }
            if ["gpt-oss", "qwen2"].contains(name) {
                vector("attn_q.bias", queries, around: 0)
                vector("attn_k.bias", keys, around: 0)
                vector("attn_v.bias", keys, around: 0)
            }
            switch name {
            case "gemma3", "qwen3", "qwen3moe":
                vector("attn_q_norm.weight", headSize, around: 1)
                vector("attn_k_norm.weight", headSize, around: 1)
            case "olmoe":
                vector("attn_q_norm.weight", queries, around: 1)
                vector("attn_k_norm.weight", keys, around: 1)
            case "gpt-oss":
                vector("attn_sinks.weight", heads, around: 0)
                vector("attn_output.bias", width, around: 0)
            case "bitnet", "bitnet-25": vector("attn_sub_norm.weight", queries, around: 1)
            default: break
            }
            product("attn_output", queries, width)
            if ["gemma2", "gemma3", "gpt-oss"].contains(name) {
                vector("post_attention_norm.weight", width, around: 1)
            }
            if name != "gpt-oss" { vector("ffn_norm.weight", width, around: 1) }
        }

        mutating func feedForward(_ name: String, _ width: Int, _ hidden: Int) {
            let hidden = name.hasPrefix("bitnet") ? 128 : hidden
            if name == "phi3" {
                matrix("ffn_up", width, 2 * hidden)
            } else {
                product("ffn_gate", width, hidden)
                product("ffn_up", width, hidden)
            }
            if name.hasPrefix("bitnet") { vector("ffn_sub_norm.weight", hidden, around: 1) }
            product("ffn_down", hidden, width)
            if ["gemma2", "gemma3"].contains(name) { vector("post_ffw_norm.weight", width, around: 1) }
        }

        mutating func experts(_ width: Int, _ hidden: Int, _ count: Int, hasBiases: Bool) {
            matrix("ffn_gate_inp", width, count)
            matrix("ffn_gate_exps", width, hidden, experts: count)
            matrix("ffn_up_exps", width, hidden, experts: count)
            matrix("ffn_down_exps", hidden, width, experts: count)
            guard hasBiases else { return }
            vector("ffn_gate_inp.bias", count, around: 0)
            for (part, rows) in [("gate", hidden), ("up", hidden), ("down", width)] {
                vector("ffn_\(part)_exps.bias", rows * count, around: 0)
                tensors[tensors.count - 1].dimensions = [rows, count]
            }
        }
    }

    /// Ternary codes as I2_S, with one scale behind all, or as IQ2_BN, with one before each row.
    private static func ternaryBytes(_ type: TensorType, _ codes: [Int], columns: Int, scale: Float)
        -> [UInt8]
    {
        let scaleBytes = withUnsafeBytes(of: scale.bitPattern.littleEndian) { Array($0) }
        func packed(_ block: ArraySlice<Int>, distance: Int, shift: (Int) -> Int) -> [UInt8] {
            (0..<distance).map { byte in
                (0..<4).reduce(0) {
                    $0 | UInt8(block[block.startIndex + $1 * distance + byte] + 1) << shift($1)
                }
            }
        }
        if type == .i2_S {
            let blocks = stride(from: 0, to: codes.count, by: 128).flatMap { first in
                packed(codes[first..<first + 128], distance: 32) { 6 - 2 * $0 }
            }
            return blocks + scaleBytes + [UInt8](repeating: 0, count: 28)
        }
        return stride(from: 0, to: codes.count, by: columns).flatMap { row in
            scaleBytes
                + stride(from: row, to: row + columns, by: 64).flatMap { first in
                    packed(codes[first..<first + 64], distance: 16) { 2 * $0 }
                }
        }
    }
}
