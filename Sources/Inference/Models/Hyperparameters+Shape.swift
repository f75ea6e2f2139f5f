import GGUF

/// What most architectures say in the same way.
extension Hyperparameters {
    /// The shape of attention and vocabulary.
    ///
    /// - Parameter pairing: which members of a head make a pair of the rotary embedding.
    func shape(_ pairing: Rotation.Pairing) throws -> Graph.Shape {
        let width = try count("embedding_length")
        let heads = try count("attention.head_count", limit: 4096)
        let keyValueHeads = try count("attention.head_count_kv", default: heads, limit: 4096)
        guard heads % keyValueHeads == 0 else {
            throw fail("\(heads) heads cannot share \(keyValueHeads) key/value heads evenly")
        }
        guard width % heads == 0 || file.metadata["\(architecture).attention.key_length"] != nil else {
            throw fail("\(architecture).embedding_length \(width) cannot be divided among \(heads) heads")
        }
        let keySize = try count("attention.key_length", default: max(width / heads, 1), limit: 4096)
        let valueSize = try count("attention.value_length", default: keySize, limit: 4096)
        return Graph.Shape(
            architecture: architecture,
            layers: try count("block_count", limit: 4096),
            width: width, heads: heads, keyValueHeads: keyValueHeads, keySize: keySize, valueSize: valueSize,
            vocabulary: try file.requiredTensor(named: "token_embd.weight").rowCount,
            contextLength: try count("context_length", limit: 1 << 30),
            rotations: [try rotation(pairing, keySize: keySize)])
    }

    /// Floats between the two halves of a feed-forward network.
    func feedForwardLength() throws -> Int { try count("feed_forward_length") }

    /// Whether the feed-forward network is a mixture.
    var hasExperts: Bool {
        get throws { try file.metadata.integerIfPresent("\(architecture).expert_count") ?? 0 != 0 }
    }

    /// A mixture's choice of experts.
    func routing(_ gate: Routing.Gate, normalizes: Bool) throws -> Routing {
        let experts = try count("expert_count", limit: 1 << 16)
        let used = try count("expert_used_count", limit: 1 << 16)
        guard used <= experts else {
            throw fail("\(architecture).expert_used_count is \(used), but there are \(experts) experts")
        }
        return Routing(
            experts: experts, count: used, gate: gate, normalizes: normalizes,
            scale: Float(try float("expert_weights_scale", default: 1)))
    }

    /// How many positions a token sees in each layer, 0 for all.
    ///
    /// - Parameter period: every layer of this number sees everything, those before it a window, unless the file says
    ///   otherwise.
    func windows(layers: Int, period: Int, window: Int) throws -> [Int] {
        let key = "\(architecture).attention.sliding_window_pattern"
        if case .array = file.metadata[key] {
            let isWindowed = try file.metadata.bools(key)
            guard isWindowed.count == layers else {
                throw fail("\(key) has \(isWindowed.count) entries for \(layers) layers")
            }
            return isWindowed.map { $0 ? window : 0 }
        }
        let period = try count("attention.sliding_window_pattern", default: period, limit: 4096)
        return (0..<layers).map { $0 % period < period - 1 ? window : 0 }
    }
}
