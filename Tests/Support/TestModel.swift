import GGUF

/// A GGUF model in memory: tests take one, change a thing, and write it.
package struct TestModel {
    package struct Tensor {
        package var name: String
        /// Innermost first.
        package var dimensions: [Int]
        package var type: TensorType
        package var bytes: [UInt8]
    }

    package private(set) var metadata: [(key: String, value: MetadataValue)] = []
    package var tensors: [Tensor] = []

    /// What a file holds.
    package init(path: String) throws {
        let file = try GGUFFile(path: path)
        metadata = file.metadata.keys.compactMap { key in file.metadata[key].map { (key, $0) } }
        tensors = file.tensors.map {
            Tensor(name: $0.name, dimensions: $0.dimensions, type: $0.type, bytes: Array(file.bytes(of: $0)))
        }
    }

    /// Sets a key, or takes it away.
    package mutating func set(_ key: String, _ value: MetadataValue?) {
        let index = metadata.firstIndex { $0.key == key }
        switch (index, value) {
        case (let index?, let value?): metadata[index].value = value
        case (let index?, nil): metadata.remove(at: index)
        case (nil, let value?): metadata.append((key, value))
        case (nil, nil): break
        }
    }

    /// A tensor by its name, which must be there.
    package subscript(name: String) -> Tensor {
        get { tensors[index(of: name)] }
        set { tensors[index(of: name)] = newValue }
    }

    /// Adds a tensor of zeros in single precision.
    package mutating func addZeros(_ name: String, _ dimensions: Int...) {
        let bytes = [UInt8](repeating: 0, count: 4 * dimensions.reduce(1, *))
        tensors.append(Tensor(name: name, dimensions: dimensions, type: .f32, bytes: bytes))
    }

    package mutating func remove(tensor name: String) {
        tensors.remove(at: index(of: name))
    }

    private func index(of name: String) -> Int {
        guard let index = tensors.firstIndex(where: { $0.name == name }) else {
            preconditionFailure("the model has no tensor \(name)")
        }
        return index
    }

    /// Writes the file and returns its path.
    @discardableResult
    package func write(to path: String) throws -> String {
        var writer = GGUFWriter()
        for (key, value) in metadata { writer.set(key, value) }
        for tensor in tensors {
            writer.addTensor(
                tensor.name, dimensions: tensor.dimensions, type: tensor.type, bytes: tensor.bytes)
        }
        try writer.write(to: path)
        return path
    }
}

extension TestModel {
    /// A small llama with random weights and a SentencePiece vocabulary of bytes: small enough to be
    /// made, written and loaded thousands of times.
    ///
    /// - Parameter type: of the matrices: F32, Q8_0 or Q4_0.
    package static func llama(
        _ type: TensorType = .f32, layers: Int = 2, width: Int = 64, hidden: Int = 96
    ) -> TestModel {
        var model = TestModel()
        let (heads, keyValueHeads, context) = (4, 2, 128)
        let keySize = width / heads
        var tokens = ["<unk>", "<s>", "</s>"]
        tokens += (0..<256).map {
            let digits = String($0, radix: 16, uppercase: true)
            return "<0x" + (digits.count < 2 ? "0" : "") + digits + ">"
        }
        tokens += ["\u{2581}"] + "abcdefghijklmnopqrstuvwxyz".map(String.init)

        model.set("general.architecture", .string("llama"))
        model.set("general.name", .string("test"))
        model.set("llama.context_length", .uint32(UInt32(context)))
        model.set("llama.embedding_length", .uint32(UInt32(width)))
        model.set("llama.block_count", .uint32(UInt32(layers)))
        model.set("llama.feed_forward_length", .uint32(UInt32(hidden)))
        model.set("llama.attention.head_count", .uint32(UInt32(heads)))
        model.set("llama.attention.head_count_kv", .uint32(UInt32(keyValueHeads)))
        model.set("llama.attention.layer_norm_rms_epsilon", .float32(1e-5))
        model.set("llama.rope.dimension_count", .uint32(UInt32(keySize)))
        model.set("llama.rope.freq_base", .float32(10000))
        model.set("tokenizer.ggml.model", .string("llama"))
        model.set("tokenizer.ggml.tokens", .array(MetadataArray(tokens)))
        model.set("tokenizer.ggml.scores", .array(MetadataArray(tokens.indices.map { -Float($0) })))
        let kinds: [Int32] = tokens.indices.map { $0 == 0 ? 2 : $0 < 3 ? 3 : $0 < 259 ? 6 : 1 }
        model.set("tokenizer.ggml.token_type", .array(MetadataArray(kinds)))
        model.set("tokenizer.ggml.bos_token_id", .uint32(1))
        model.set("tokenizer.ggml.eos_token_id", .uint32(2))
        model.set("tokenizer.ggml.unknown_token_id", .uint32(0))

        var generator = SeededGenerator(1)
        func matrix(_ name: String, _ columns: Int, _ rows: Int) {
            model.tensors.append(
                Tensor(
                    name: name + ".weight", dimensions: [columns, rows], type: type,
                    bytes: randomBytes(type, columns * rows, &generator)))
        }
        func vector(_ name: String) {
            let ones = [Float](repeating: 1, count: width)
            model.tensors.append(
                Tensor(
                    name: name + ".weight", dimensions: [width], type: .f32, bytes: ones.flatMap(bytes)))
        }
        matrix("token_embd", width, tokens.count)
        for layer in 0..<layers {
            let name = "blk.\(layer)."
            vector(name + "attn_norm")
            matrix(name + "attn_q", width, width)
            matrix(name + "attn_k", width, keyValueHeads * keySize)
            matrix(name + "attn_v", width, keyValueHeads * keySize)
            matrix(name + "attn_output", width, width)
            vector(name + "ffn_norm")
            matrix(name + "ffn_gate", width, hidden)
            matrix(name + "ffn_up", width, hidden)
            matrix(name + "ffn_down", hidden, width)
        }
        vector("output_norm")
        matrix("output", width, tokens.count)
        return model
    }

    private init() {}

    /// The bytes of random weights of about 1/8.
    private static func randomBytes(
        _ type: TensorType, _ count: Int, _ generator: inout SeededGenerator
    ) -> [UInt8] {
        func codes(_ count: Int) -> [UInt8] {
            (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        switch type {
        // A half-precision scale, then the codes of 32 weights.
        case .q8_0: return (0..<count / 32).flatMap { _ in [0x00, 0x14] + codes(32) }
        case .q4_0: return (0..<count / 32).flatMap { _ in [0x00, 0x24] + codes(16) }
        default: return (0..<count).flatMap { _ in bytes(Float.random(in: -0.2...0.2, using: &generator)) }
        }
    }

    private static func bytes(_ value: Float) -> [UInt8] {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
    }
}
