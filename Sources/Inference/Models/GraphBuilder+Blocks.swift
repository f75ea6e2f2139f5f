import GGUF

/// What the layers of most architectures are made of. Each block takes a tensor and returns the tensor that is to be
/// added to the residual.
extension GraphBuilder {
    /// What is particular about an architecture's attention.
    struct AttentionBlock {
        /// Norms of queries and keys before they are turned.
        enum Norm {
            case none
            /// Of each head.
            case heads
            /// Of all heads together.
            case whole
        }

        var norm = Norm.none
        /// Number of the shape's rotation; nil for none.
        var rotation: Int? = 0
        /// That of the queries, if it is another one.
        var queryRotation: Int?
        /// What a query's product with a key is multiplied by; nil for 1 / √size.
        var scale: Float?
        var window = 0
        var cap: Float = 0
        /// Whether each head has a sink.
        var hasSinks = false
        /// Whether a norm follows, before the output's product.
        var hasSubNorm = false
    }

    /// Queries, keys and values, rotation, cache, attention, and the product of what comes of it.
    mutating func attention(_ input: Int, _ block: AttentionBlock = AttentionBlock()) throws -> Int {
        let matrices = [
            ("attn_q", shape.heads * shape.keySize), ("attn_k", shape.keyValueHeads * shape.keySize),
            ("attn_v", shape.keyValueHeads * shape.valueSize),
        ]
        let parts =
            has(prefix + "attn_qkv.weight")
            ? try products("attn_qkv", parts: matrices, input) : try products(matrices, input)
        let (query, key, value) = (parts[0], parts[1], parts[2])
        if block.norm != .none {
            for (tensor, name) in [(query, "attn_q_norm"), (key, "attn_k_norm")] {
                try rmsNorm(
                    name, tensor, size: block.norm == .heads ? shape.keySize : width(tensor), to: tensor)
            }
        }
        if let rotation = block.rotation {
            for (tensor, name, heads, rotation) in [
                (query, "rope_q", shape.heads, block.queryRotation ?? rotation),
                (key, "rope_k", shape.keyValueHeads, rotation),
            ] {
                add(name, .rotate(tensor: tensor, heads: heads, size: shape.keySize, rotation: rotation))
            }
        }
        let layer = layer ?? 0
        add("cache", .store(key: key, value: value, layer: layer))
        var attention = Attention(
            scale: block.scale ?? 1 / Float(shape.keySize).squareRoot(), window: block.window, cap: block.cap)
        if block.hasSinks { attention.sinks = try vector(prefix + "attn_sinks.weight", shape.heads) }
        var result = tensor("attention", width: shape.heads * shape.valueSize)
        add("attention", .attention(query: query, layer: layer, attention, output: result))
        if block.hasSubNorm { result = try rmsNorm("attn_sub_norm", result) }
        return try product("attn_output", result, rows: shape.width)
    }

    /// A feed-forward network with a gate, which may be the upper part of the matrix called `ffn_up`.
    mutating func feedForward(
        _ input: Int, hidden: Int, _ activation: Activation = .silu, hasSubNorm: Bool = false
    ) throws -> Int {
        let matrices = [("ffn_gate", hidden), ("ffn_up", hidden)]
        let parts =
            has(prefix + "ffn_gate.weight")
            ? try products(matrices, input) : try products("ffn_up", parts: matrices, input)
        var result = tensor("ffn_act", width: hidden)
        add("ffn_act", .activate(activation, gate: parts[0], up: parts[1], output: result))
        if hasSubNorm { result = try rmsNorm("ffn_sub_norm", result) }
        return try product("ffn_down", result, rows: shape.width)
    }

    /// A mixture of experts: a router, and a feed-forward network of each expert that it chooses.
    mutating func experts(
        _ input: Int, hidden: Int, _ routing: Routing, _ activation: Activation = .silu
    ) throws -> Int {
        let count = routing.count
        let logits = try product("ffn_gate_inp", input, rows: routing.experts)
        let chosen = tensor("ffn_routing", width: 2 * count)
        add("ffn_routing", .route(logits: logits, routing, output: chosen))
        let gate = try expertProduct("ffn_gate_exps", input, chosen, rows: hidden, routing)
        let up = try expertProduct("ffn_up_exps", input, chosen, rows: hidden, routing)
        for (name, tensor) in [("ffn_gate_exps", gate), ("ffn_up_exps", up)] {
            try expertBias(name, tensor, chosen, rows: hidden, routing)
        }
        let activated = tensor("ffn_act", width: count * hidden)
        add("ffn_act", .activate(activation, gate: gate, up: up, output: activated))
        let down = try expertProduct("ffn_down_exps", activated, chosen, rows: shape.width, routing)
        try expertBias("ffn_down_exps", down, chosen, rows: shape.width, routing)
        let output = tensor("ffn_mix", width: shape.width)
        add("ffn_mix", .mix(input: down, routing: chosen, output: output))
        return output
    }

    private mutating func expertProduct(
        _ name: String, _ input: Int, _ chosen: Int, rows: Int, _ routing: Routing
    ) throws -> Int {
        let columns = name == "ffn_down_exps" ? width(input) / routing.count : width(input)
        let weight = try matrix(
            prefix + name + ".weight", columns: columns, rows: rows, experts: routing.experts)
        let output = tensor(name, width: routing.count * rows)
        add(name, .matmulExperts(weight: weight, input: input, routing: chosen, output: output))
        return output
    }

    private mutating func expertBias(
        _ name: String, _ tensor: Int, _ chosen: Int, rows: Int, _ routing: Routing
    ) throws {
        let bias = prefix + name + ".bias"
        guard has(bias) else { return }
        let weight = try vector(bias, rows, experts: routing.experts)
        add(name + ".bias", .addExpertBiases(tensor: tensor, weight: weight, routing: chosen))
    }
}

extension GraphBuilder {
    /// What is particular about an architecture's ends.
    struct Frame {
        var embeddingScale: Float = 1
        /// Logits become cap · tanh(logit / cap); 0 leaves them.
        var logitCap: Float = 0
    }

    /// A whole graph: embedding, layers, norm, and an output matrix of its own or the embedding's.
    ///
    /// - Parameter layer: adds a layer and returns the residual behind it.
    static func transformer(
        _ parameters: Hyperparameters, _ shape: Graph.Shape, _ frame: Frame = Frame(),
        layer: (inout GraphBuilder, _ number: Int, _ residual: Int) throws -> Int
    ) throws -> Graph {
        var builder = try GraphBuilder(parameters, shape)
        for name in Rotation.factorTensors where builder.has(name) { builder.markUsed(name) }
        let embedding = try builder.matrix("token_embd.weight", columns: shape.width, rows: shape.vocabulary)
        var residual = builder.tensor("embedding", width: shape.width)
        builder.add(
            "token_embd", .embed(weight: embedding, scale: frame.embeddingScale, output: residual))
        for number in 0..<shape.layers {
            builder.layer = number
            residual = try layer(&builder, number, residual)
        }
        builder.layer = nil
        let selected = builder.tensor("selected", width: shape.width, .outputs)
        builder.add("select", .selectOutputs(input: residual, output: selected))
        let final = try builder.rmsNorm("output_norm", selected)
        let head = builder.has("output.weight") ? "output" : "token_embd"
        let logits = try builder.product(head, final, rows: shape.vocabulary)
        if frame.logitCap > 0 {
            builder.add("logit_cap", .scale(tensor: logits, factor: 1, cap: frame.logitCap))
        }
        return try builder.finish(logits: logits)
    }

    /// The layer of most architectures: attention behind a norm, then `feedForward` behind a norm.
    mutating func preNormLayer(
        _ residual: Int, _ attention: AttentionBlock = AttentionBlock(), feedForwardNorm: String = "ffn_norm",
        feedForward: (inout GraphBuilder, _ input: Int) throws -> Int
    ) throws -> Int {
        let normed = try rmsNorm("attn_norm", residual)
        let attended = try self.attention(normed, attention)
        let middle = sum("attn_residual", residual, attended)
        let fed = try feedForward(&self, try rmsNorm(feedForwardNorm, middle))
        return sum("ffn_residual", middle, fed)
    }

    /// A layer with norms behind the blocks, too (Gemma 2 and 3).
    mutating func sandwichLayer(
        _ residual: Int, _ attention: AttentionBlock,
        feedForward: (inout GraphBuilder, _ input: Int) throws -> Int
    ) throws -> Int {
        let attended = try self.attention(try rmsNorm("attn_norm", residual), attention)
        let middle = sum("attn_residual", residual, try rmsNorm("post_attention_norm", attended))
        let fed = try feedForward(&self, try rmsNorm("ffn_norm", middle))
        return sum("ffn_residual", middle, try rmsNorm("post_ffw_norm", fed))
    }
}
