import Engine
import Foundation
import GGUF
import Tokenization

/// What `engine inspect` finds in a file; encoded, it is what `--json` prints.
struct FileDescription: Encodable {
    struct General: Encodable {
        var architecture: String?
        var name: String?
        var size_label: String?
        var license: String?
        /// What the file says of its format, by llama.cpp's number.
        var file_type: String?
        /// Of all tensors.
        var bits_per_weight: Double
        var parameters: Int
        /// Those that a token's forward pass uses, where the model is a mixture of experts.
        var active_parameters: Int?
    }

    struct Shape: Encodable {
        var context_length: Int?
        var layers: Int?
        var width: Int?
        var feed_forward_length: Int?
        /// Of each expert.
        var expert_feed_forward_length: Int?
        var heads: Int?
        var key_value_heads: Int?
        var key_size: Int?
        var value_size: Int?
        var experts: Int?
        var experts_used: Int?
        var sliding_window: Int?
        /// Layers with that window; the others see all positions.
        var windowed_layers: Int?
        var rope_base: Double?
        var rope_dimensions: Int?
        var rope_scaling: String?
        var rope_scaling_factor: Double?
        var rope_original_context_length: Int?
    }

    struct Token: Encodable {
        var id: Int32
        var text: String
    }

    struct Vocabulary: Encodable {
        /// `llama` (SentencePiece BPE), `gpt2` (byte-level BPE), `bert` (WordPiece), or what the engine does not know.
        var kind: String
        var pre: String?
        var tokens: Int
        var bos: Token?
        var eos: Token?
        var unknown: Token?
        var end_of_generation: [Token]?
        var adds_bos: Bool?
        var adds_eos: Bool?
        var adds_space_prefix: Bool?
        var chat_template: Bool
        /// Why the engine cannot use it, or what to know before.
        var problem: String?
    }

    struct TensorKind: Encodable {
        var type: String
        var tensors: Int
        var elements: Int
        var bytes: Int
        /// Whether the engine computes with it on the CPU, and on a DSP.
        var cpu: Bool
        var dsp: Bool
    }

    struct Refusal: Encodable {
        var reason: String
        var products: [String]
    }

    struct Memory: Encodable {
        var context_length: Int
        var weights_bytes: Int
        var context_bytes: Int
        var compute_bytes: Int
        var dsp_model_bytes: Int
        var dsp_compute_bytes: Int
    }

    struct Support: Encodable {
        var runs: Bool
        var problem: String?
        var mul_mat_total: Int?
        var mul_mat_offloadable: Int?
        var refusals: [Refusal]?
        var memory: Memory?
    }

    struct Tensor: Encodable {
        var name: String
        var type: String
        var dimensions: [Int]
        var bytes: Int
        var offset: Int
    }

    var version = 1
    var path: String
    var file_bytes: Int
    var gguf_version: Int
    var metadata: [String: String]
    var tensor_count: Int
    var tensor_bytes: Int
    var general: General
    var shape: Shape
    var tokenizer: Vocabulary?
    var types: [TensorKind]
    var engine: Support
    var tensors: [Tensor]?

    init(_ file: GGUFFile, contextLength: Int, withTensors: Bool) {
        path = file.path
        file_bytes = file.byteCount
        gguf_version = file.version
        metadata = Dictionary(
            uniqueKeysWithValues: file.metadata.keys.compactMap { key in
                file.metadata[key].map { (key, Inspect.text(of: $0)) }
            })
        tensor_count = file.tensors.count
        tensor_bytes = file.tensors.reduce(0) { $0 + $1.byteCount }
        let outlook = Result { try ModelOutlook(file, contextLength: contextLength) }
        shape = Shape(file.metadata, try? outlook.get())
        general = General(file, shape)
        tokenizer = Vocabulary(file)
        types = TensorKind.all(of: file)
        engine = Support(file, outlook, tokenizer, weights: tensor_bytes)
        guard withTensors else { return }
        tensors = file.tensors.map {
            Tensor(
                name: $0.name, type: $0.type.name, dimensions: $0.dimensions, bytes: $0.byteCount,
                offset: $0.fileOffset)
        }
    }
}

extension FileDescription.General {
    init(_ file: GGUFFile, _ shape: FileDescription.Shape) {
        func text(_ key: String) -> String? { file.metadata["general.\(key)"]?.string }
        let elements = file.tensors.reduce(0) { $0 + $1.elementCount }
        let bytes = file.tensors.reduce(0) { $0 + $1.byteCount }
        var active: Int?
        if let experts = shape.experts, let used = shape.experts_used, experts > 0, used <= experts {
            active = file.tensors.reduce(0) { sum, tensor in
                sum
                    + (tensor.name.contains("_exps.")
                        ? tensor.elementCount / experts * used : tensor.elementCount)
            }
        }
        let number = file.metadata["general.file_type"]?.integer
        self.init(
            architecture: text("architecture"), name: text("name"), size_label: text("size_label"),
            license: text("license"), file_type: number.map(Self.fileType),
            bits_per_weight: elements > 0 ? Double(bytes) * 8 / Double(elements) : 0, parameters: elements,
            active_parameters: active)
    }

    /// The name of a mix of formats.
    private static func fileType(_ number: Int) -> String {
        QuantizationMix(String(number))?.rawValue ?? unwritableFileTypes[number] ?? "number \(number)"
    }

    /// llama.cpp's numbers for mixes that ``QuantizationMix`` does not have (`llama_ftype` in `llama.h`).
    private static let unwritableFileTypes: [Int: String] = [
        19: "IQ2_XXS", 20: "IQ2_XS", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 26: "IQ3_S", 27: "IQ3_M",
        28: "IQ2_S", 29: "IQ2_M", 31: "IQ1_M",
    ]
}

extension FileDescription.Shape {
    /// As the engine computes it where it does, else as the file says.
    init(_ metadata: Metadata, _ outlook: ModelOutlook?) {
        let prefix = (metadata["general.architecture"]?.string ?? "") + "."
        func integer(_ key: String) -> Int? { metadata[prefix + key]?.integer }
        func float(_ key: String) -> Double? { metadata[prefix + key]?.float }
        context_length = integer("context_length")
        layers = integer("block_count")
        width = integer("embedding_length")
        feed_forward_length = integer("feed_forward_length")
        expert_feed_forward_length = integer("expert_feed_forward_length")
        let attention = outlook?.attention
        heads = attention?.heads ?? integer("attention.head_count")
        key_value_heads = attention?.keyValueHeads ?? integer("attention.head_count_kv") ?? heads
        key_size = attention?.keySize ?? integer("attention.key_length")
        value_size = attention?.valueSize ?? integer("attention.value_length")
        experts = integer("expert_count").flatMap { $0 > 0 ? $0 : nil }
        experts_used = experts == nil ? nil : integer("expert_used_count")
        if let windowed = attention?.layersByWindow.filter({ $0.key > 0 }), let largest = windowed.keys.max()
        {
            sliding_window = largest
            windowed_layers = windowed.values.reduce(0, +)
        } else if outlook == nil {
            sliding_window = integer("attention.sliding_window")
        }
        rope_base = float("rope.freq_base")
        rope_dimensions = integer("rope.dimension_count")
        rope_scaling = metadata[prefix + "rope.scaling.type"]?.string
        rope_scaling_factor = float("rope.scaling.factor")
        rope_original_context_length = integer("rope.scaling.original_context_length")
    }
}

extension FileDescription.Vocabulary {
    /// Nil where the file has none.
    init?(_ file: GGUFFile) {
        let metadata = file.metadata
        guard let kind = metadata["tokenizer.ggml.model"]?.string else { return nil }
        let names = metadata["tokenizer.ggml.tokens"]?.array
        self.init(
            kind: kind, pre: metadata["tokenizer.ggml.pre"]?.string, tokens: names?.count ?? 0,
            chat_template: metadata["tokenizer.chat_template"]?.string != nil)
        do {
            let tokenizer = try Tokenizer(file)
            func token(_ id: Int32?) -> FileDescription.Token? {
                id.map {
                    FileDescription.Token(
                        id: $0, text: String(decoding: tokenizer.bytes(of: $0), as: UTF8.self))
                }
            }
            (bos, eos, unknown) = (
                token(tokenizer.bosToken), token(tokenizer.eosToken), token(tokenizer.unknownToken)
            )
            end_of_generation = tokenizer.endOfGenerationTokens.sorted().compactMap(token)
            (adds_bos, adds_eos) = (tokenizer.addsBOS, tokenizer.addsEOS)
            adds_space_prefix = tokenizer.addsSpacePrefix
            problem = tokenizer.notice
        } catch {
            problem = "\(error)"
        }
    }
}

extension FileDescription.TensorKind {
    /// The file's types, the one with most bytes first.
    static func all(of file: GGUFFile) -> [Self] {
        Dictionary(grouping: file.tensors, by: \.type).map { type, tensors in
            Self(
                type: type.name, tensors: tensors.count, elements: tensors.reduce(0) { $0 + $1.elementCount },
                bytes: tensors.reduce(0) { $0 + $1.byteCount }, cpu: ModelOutlook.computes(type),
                dsp: ModelOutlook.offloads(type))
        }
        .sorted { ($1.bytes, $0.type) < ($0.bytes, $1.type) }
    }
}

extension FileDescription.Support {
    init(
        _ file: GGUFFile, _ outlook: Result<ModelOutlook, any Error>,
        _ tokenizer: FileDescription.Vocabulary?, weights: Int
    ) {
        do {
            let outlook = try outlook.get()
            mul_mat_total = outlook.products
            mul_mat_offloadable = outlook.offloadedProducts
            refusals = outlook.refusals.map {
                FileDescription.Refusal(reason: $0.reason, products: $0.products)
            }
            let needs = outlook.memory
            memory = FileDescription.Memory(
                context_length: needs.contextLength, weights_bytes: weights,
                context_bytes: needs.contextBytes,
                compute_bytes: needs.computeBytes, dsp_model_bytes: needs.deviceModelBytes,
                dsp_compute_bytes: needs.deviceComputeBytes)
            if let tokenizer {
                problem = tokenizer.adds_bos == nil ? tokenizer.problem : nil
            } else {
                problem = "\(file.path): there is no tokenizer in it"
            }
        } catch {
            problem =
                file.tensors.isEmpty
                ? "\(file.path): there are no tensors in it; it serves engine tokenize only" : "\(error)"
        }
        runs = problem == nil
    }
}
