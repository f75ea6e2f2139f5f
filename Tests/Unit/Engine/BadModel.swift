import GGUF
import TestSupport
import Testing

/// A model with one thing wrong, and what the message about it must say.
struct BadModel: Sendable, CustomTestStringConvertible {
    var name: String
    /// Parts of the message.
    var expected: [String]
    /// The architecture of the model that is changed, one of `TestModel.architectures`; nil for the simplest.
    var architecture: String?
    var change: @Sendable (inout TestModel) -> Void

    var testDescription: String { name }

    init(_ name: String, _ expected: String..., change: @escaping @Sendable (inout TestModel) -> Void) {
        (self.name, self.expected, self.change) = (name, expected, change)
    }

    /// A model of which one key has a bad value, or none.
    init(
        _ key: String, _ value: MetadataValue?, _ expected: String..., also: [String: MetadataValue] = [:]
    ) {
        name = "\(key) = \(value.map { "\($0)" } ?? "nothing")"
        self.expected = expected
        change = { model in
            model.set(key, value)
            for (key, value) in also { model.set(key, value) }
        }
    }

    func write(_ folder: TemporaryFolder) throws -> String {
        var model = architecture.map { TestModel.model($0) } ?? TestModel.llama()
        change(&model)
        return try model.write(to: folder.path("bad.gguf"))
    }

    static let all = identity + counts + rotations + tensors + tokenizers + architectures

    private static let identity = [
        BadModel("general.architecture", nil, "general.architecture", "missing"),
        BadModel("general.architecture", .uint32(3), "general.architecture", "should be a string"),
        BadModel(
            "general.architecture", .string("ilama"), "unknown architecture \"ilama\"; known: ", "llama"),
        BadModel("general.architecture", .string(""), "unknown architecture \"\""),
        BadModel("general.architecture", .string("a\nb\u{1b}[31m"), "unknown architecture \"a?b?[31m\""),
        BadModel("general.architecture", .string(String(repeating: "x", count: 9999)), "xxx…\""),
        BadModel("split.count", .uint16(3), "\"split.no\" is missing"),
    ]

    private static let counts: [BadModel] =
        [
            "llama.block_count", "llama.embedding_length", "llama.feed_forward_length",
            "llama.attention.head_count", "llama.attention.head_count_kv", "llama.context_length",
        ].flatMap { key in
            [
                BadModel(key, .uint32(0), key, "is 0, expected 1 to"),
                BadModel(key, .int32(-4), key, "is -4, expected 1 to"),
                BadModel(key, .uint64(.max), key),
                BadModel(key, .int64(.max), key, "expected 1 to"),
                BadModel(key, .int64(.min), key, "expected 1 to"),
                BadModel(key, .string("8"), key, "should be a whole number"),
                BadModel(key, .float32(2), key, "should be a whole number"),
                BadModel(key, .array(MetadataArray([Int32(4), 4])), key, "should be a whole number"),
            ]
        } + [
            BadModel("llama.block_count", nil, "llama.block_count", "missing"),
            BadModel("llama.block_count", .uint32(1), "blk.1.", "not part of architecture"),
            BadModel("llama.block_count", .uint32(3), "\"blk.2.attn_norm.weight\" is missing"),
            BadModel("llama.block_count", .uint32(4096), "\"blk.2.attn_norm.weight\" is missing"),
            BadModel("llama.block_count", .uint32(5000), "llama.block_count is 5000, expected 1 to 4096"),
            BadModel("llama.embedding_length", .uint32(1 << 24), "key_length is 4194304, expected 1 to 4096"),
            BadModel("llama.embedding_length", .uint32(63), "llama.embedding_length 63", "4 heads"),
            BadModel("llama.feed_forward_length", .uint32(95), "ffn_gate.weight", "64 × 96", "64 × 95"),
            BadModel("llama.attention.head_count", .uint32(5), "5 heads", "2 key/value heads"),
            BadModel(
                "llama.attention.head_count", .uint32(3), "llama.embedding_length 64", "3 heads",
                also: ["llama.attention.head_count_kv": .uint32(3)]),
            BadModel("llama.attention.head_count_kv", .uint32(3), "4 heads", "3 key/value heads"),
            BadModel("llama.attention.head_count_kv", .uint32(1), "attn_k.weight", "64 × 32", "64 × 16"),
            BadModel("llama.attention.key_length", .uint32(0), "llama.attention.key_length"),
            BadModel("llama.attention.key_length", .uint32(4096), "attn_q.weight"),
            BadModel("llama.attention.value_length", .uint32(8), "attn_v.weight", "64 × 32", "64 × 16"),
            BadModel("llama.expert_count", .uint32(8), "llama.expert_used_count", "missing"),
        ]

    private static let rotations: [BadModel] =
        ["llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"].flatMap { key in
            [
                BadModel(key, .float32(.nan), key, "expected a finite number"),
                BadModel(key, .float32(.infinity), key, "expected a finite number"),
                BadModel(key, .float32(-1), key, "-1.0"),
                BadModel(key, .string("1"), key, "should be a number"),
            ]
        } + [
            BadModel("llama.attention.layer_norm_rms_epsilon", nil, "layer_norm_rms_epsilon", "missing"),
            BadModel("llama.rope.freq_base", .float32(0), "llama.rope.freq_base is 0"),
            BadModel("llama.rope.dimension_count", .uint32(15), "llama.rope.dimension_count 15", "16"),
            BadModel("llama.rope.dimension_count", .uint32(18), "llama.rope.dimension_count 18", "16"),
            BadModel("llama.rope.dimension_count", .uint32(0), "llama.rope.dimension_count", "is 0"),
            BadModel(
                "llama.rope.scaling.type", .string("ntk"), "\"ntk\"", "known: linear, longrope, none, yarn"),
            BadModel("llama.rope.scaling.type", .string("yarn"), "llama.rope.scaling.factor", "missing"),
            BadModel(
                "llama.rope.scaling.yarn_beta_fast", .float32(0), "YaRN",
                also: ["llama.rope.scaling.type": .string("yarn"), "llama.rope.scaling.factor": .float32(2)]),
            BadModel(
                "llama.rope.scaling.original_context_length", .uint32(0), "original_context_length is 0",
                also: ["llama.rope.scaling.type": .string("yarn"), "llama.rope.scaling.factor": .float32(2)]),
            BadModel(
                "llama.rope.scaling.attn_factor", .float32(.nan), "attn_factor", "expected a finite number"),
            BadModel(
                "llama.attention.temperature_scale", .float32(0.1), "temperature_scale", "not computed",
                also: ["llama.rope.dimension_count": .uint32(8)]),
            BadModel("llama.rope.scaling.type", .string("linear"), "llama.rope.scaling.factor", "missing"),
            BadModel(
                "llama.rope.scaling.type", .string("linear"), "llama.rope.scaling.factor is 0",
                also: ["llama.rope.scaling.factor": .float32(0)]),
            BadModel(
                "llama.rope.scaling.type", .string("linear"), "rotation", "not finite",
                also: ["llama.rope.scaling.factor": .float64(.leastNonzeroMagnitude)]),
            BadModel("short rope_freqs", "rope_freqs.weight", "8 numbers") {
                $0.addZeros("rope_freqs.weight", 4)
            },
            BadModel("rope_freqs of zeros", "rope_freqs.weight", "0.0") {
                $0.addZeros("rope_freqs.weight", 8)
            },
        ]

    private static let tensors: [BadModel] =
        [
            "token_embd.weight", "output_norm.weight", "blk.0.attn_norm.weight", "blk.1.attn_q.weight",
            "blk.0.ffn_down.weight", "blk.1.ffn_up.weight",
        ].map { name in
            BadModel("without \(name)", "tensor \"\(name)\" is missing") { $0.remove(tensor: name) }
        } + [
            BadModel("transposed matrix", "\"blk.0.ffn_up.weight\" is 96 × 64, expected 64 × 96") {
                $0["blk.0.ffn_up.weight"].dimensions = [96, 64]
            },
            BadModel("matrix as a vector", "\"blk.0.attn_q.weight\" is 4096, expected 64 × 64") {
                $0["blk.0.attn_q.weight"].dimensions = [4096]
            },
            BadModel("short norm", "\"output_norm.weight\" is 32, expected 64") {
                $0["output_norm.weight"].dimensions = [32]
                $0["output_norm.weight"].bytes.removeLast(128)
            },
            BadModel("more output rows than embeddings", "\"output.weight\" is 64 × 287, expected 64 × 286") {
                $0["output.weight"].dimensions = [64, 287]
                $0["output.weight"].bytes += [UInt8](repeating: 0, count: 256)
            },
            BadModel("extra tensor", "\"blk.0.attn_q_norm.weight\" is not part of architecture \"llama\"") {
                $0.addZeros("blk.0.attn_q_norm.weight", 16)
            },
            BadModel("short bias", "\"blk.0.attn_q.bias\" is 32, expected 64") {
                $0.addZeros("blk.0.attn_q.bias", 32)
            },
            BadModel("scale of two numbers", "\"blk.0.ffn_up.scale\" is not 1 numbers of type F32") {
                $0.addZeros("blk.0.ffn_up.scale", 2)
            },
            BadModel("tensor with a bad name", "\"a?b\" is not part") {
                $0.addZeros("a\nb", 1)
            },
            BadModel("integer weights", "\"blk.1.attn_v.weight\"", "I32", "computed are", "F16") {
                $0["blk.1.attn_v.weight"].type = .i32
            },
        ]

    /// A model of an architecture of which one key has a bad value, or none.
    private init(
        _ architecture: String, _ key: String, _ value: MetadataValue?, _ expected: String...
    ) {
        let key = "\(architecture == "mixtral" ? "llama" : architecture).\(key)"
        name = "\(key) = \(value.map { "\($0)" } ?? "nothing")"
        self.expected = expected
        self.architecture = architecture
        change = { $0.set(key, value) }
    }

    /// The same with a tensor whose dimensions are others, and its bytes as many.
    private init(_ architecture: String, _ tensor: String, _ dimensions: [Int], _ expected: String...) {
        name = "\(architecture) with \(tensor) \(dimensions)"
        self.expected = expected
        self.architecture = architecture
        change = { model in
            model[tensor].dimensions = dimensions
            model[tensor].bytes = [UInt8](repeating: 0, count: 4 * dimensions.reduce(1, *))
        }
    }

    /// The same without a tensor.
    private init(_ architecture: String, without tensor: String) {
        name = "\(architecture) without \(tensor)"
        expected = ["tensor \"\(tensor)\" is missing"]
        self.architecture = architecture
        change = { $0.remove(tensor: tensor) }
    }

    private static let architectures: [BadModel] =
        ["gpt-oss", "qwen3moe", "olmoe", "mixtral"].flatMap { name in
            [
                BadModel(
                    name, "expert_used_count", .uint32(5), "expert_used_count is 5, but there are 4 experts"),
                BadModel(name, "expert_used_count", .uint32(0), "expert_used_count is 0"),
                BadModel(name, "expert_used_count", nil, "expert_used_count", "missing"),
                BadModel(name, "expert_count", .uint32(3), "64 × 4, expected 64 × 3"),
                BadModel(name, "expert_count", .int32(-1), "expert_count is -1"),
                BadModel(name, "expert_count", .uint32(1 << 20), "expert_count is 1048576"),
                BadModel(name, "blk.1.ffn_up_exps.weight", [64, 96, 3], "64 × 96 × 3, expected 64 × 96 × 4"),
                BadModel(
                    name, "blk.1.ffn_down_exps.weight", [64, 96, 4], "64 × 96 × 4, expected 96 × 64 × 4"),
                BadModel(name, "blk.0.ffn_gate_exps.weight", [64, 384], "64 × 384, expected 64 × 96 × 4"),
                BadModel(name, without: "blk.1.ffn_gate_inp.weight"),
            ]
        } + [
            BadModel("gpt-oss", "expert_count", .uint32(0), "gpt-oss.expert_count is 0"),
            BadModel("gpt-oss", "expert_feed_forward_length", nil, "expert_feed_forward_length", "missing"),
            BadModel("gpt-oss", "attention.sliding_window", .uint32(0), "attention.sliding_window is 0"),
            BadModel("gpt-oss", "attention.sliding_window", nil, "attention.sliding_window", "missing"),
            BadModel(
                "gpt-oss", "blk.0.attn_sinks.weight", [3], "\"blk.0.attn_sinks.weight\" is 3, expected 4"),
            BadModel("gpt-oss", without: "blk.0.attn_sinks.weight"),
            BadModel("gpt-oss", "blk.0.ffn_up_exps.bias", [96, 3], "96 × 3, expected 96 × 4"),
            BadModel("gemma3", "attention.sliding_window", .uint32(0), "attention.sliding_window is 0"),
            BadModel(
                "gemma3", "attention.sliding_window_pattern", .uint32(0), "sliding_window_pattern is 0"),
            BadModel(
                "gemma3", "attention.sliding_window_pattern", .array(MetadataArray([true, false])),
                "sliding_window_pattern has 2 entries for 7 layers"),
            BadModel(
                "gemma3", "attention.sliding_window_pattern", .array(MetadataArray([Int32(1)])),
                "sliding_window_pattern"),
            BadModel("gemma3", "rope.freq_base_swa", .float32(0), "freq_base"),
            BadModel("gemma3", "blk.2.attn_q_norm.weight", [64], "64, expected 32"),
            BadModel("gemma2", "attn_logit_softcapping", .float32(-1), "attn_logit_softcapping is -1"),
            BadModel("gemma2", "final_logit_softcapping", .float32(.nan), "final_logit_softcapping"),
            BadModel("gemma2", without: "blk.1.post_ffw_norm.weight"),
            BadModel("qwen2", "rope.dimension_count", .uint32(31), "rope.dimension_count 31", "32"),
            BadModel("qwen3", "attention.key_length", .uint32(33), "attn_q.weight"),
            BadModel("qwen3", without: "blk.0.attn_k_norm.weight"),
            BadModel("olmoe", "blk.0.attn_k_norm.weight", [16], "16, expected 32"),
            BadModel("phi3", "blk.0.attn_qkv.weight", [64, 127], "64 × 127, expected 64 × 128"),
            BadModel("phi3", "blk.0.ffn_up.weight", [64, 96], "64 × 96, expected 64 × 192"),
            BadModel(
                "phi3", "rope_factors_long.weight", [7], "\"rope_factors_long.weight\" is not 8 numbers"),
            BadModel("phi3", "rope_factors_short.weight", [8], "rope_factors_short.weight", "0.0"),
            BadModel("bitnet", "hidden_activation", .string("tanh"), "\"tanh\"", "known: gelu, relu2, silu"),
            BadModel("bitnet", without: "blk.1.ffn_sub_norm.weight"),
        ]

    private static let tokenizers: [BadModel] = [
        BadModel("tokenizer.ggml.model", nil, "tokenizer.ggml.model", "missing"),
        BadModel("tokenizer.ggml.model", .string("t5x"), "\"t5x\" is not supported; supported: llama"),
        BadModel("tokenizer.ggml.model", .string("gpt2"), "merges"),
        BadModel("tokenizer.ggml.tokens", nil, "tokenizer.ggml.tokens", "missing"),
        BadModel("tokenizer.ggml.tokens", .string("a"), "tokenizer.ggml.tokens", "should be an array"),
        BadModel("tokenizer.ggml.tokens", .array(MetadataArray([Float(1)])), "tokenizer.ggml.tokens"),
        BadModel(
            "tokenizer.ggml.tokens", .array(MetadataArray([String]())), "tokenizer.ggml.tokens", "0 elements"),
        BadModel("tokenizer.ggml.tokens", .array(MetadataArray(["a", "b"])), "286 elements for 2 tokens"),
        BadModel("tokenizer.ggml.scores", nil, "tokenizer.ggml.scores", "missing"),
        BadModel(
            "tokenizer.ggml.scores", .array(MetadataArray([Float(1)])), "tokenizer.ggml.scores has 1 elements"
        ),
        BadModel("tokenizer.ggml.bos_token_id", .uint32(286), "bos token is 286, but there are 286 tokens"),
        BadModel("tokenizer.ggml.eos_token_id", .int32(-1), "eos token is -1"),
        BadModel("tokenizer.ggml.unknown_token_id", .uint64(.max), "unknown_token_id"),
        BadModel("fewer rows than tokens", "286 tokens", "285") { model in
            for name in ["token_embd.weight", "output.weight"] {
                model[name].dimensions = [64, 285]
                model[name].bytes.removeLast(256)
            }
        },
    ]
}
