/// Gemma 3: Gemma 2's layers with norms of each head's query and key instead of caps; of six layers five have a
/// sliding window and a rotary embedding of their own, which is not stretched.
enum Gemma3 {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        var shape = try parameters.shape(.halves)
        shape.rotations.append(
            try parameters.rotation(
                .halves, keySize: shape.keySize,
                base: try parameters.float("rope.freq_base_swa", default: 10000), isScaled: false))
        let hidden = try parameters.feedForwardLength()
        let windows = try parameters.windows(
            layers: shape.layers, period: 6, window: try parameters.count("attention.sliding_window"))
        let frame = GraphBuilder.Frame(
            embeddingScale: Float(shape.width).squareRoot(),
            logitCap: Float(try parameters.float("final_logit_softcapping", default: 0)))
        // The largest of the family divides by a size that its heads do not have.
        let size = shape.layers == 62 ? shape.width / shape.heads : shape.keySize
        return try GraphBuilder.transformer(parameters, shape, frame) { builder, number, residual in
            let attention = GraphBuilder.AttentionBlock(
                norm: .heads, rotation: windows[number] > 0 ? 1 : 0, scale: 1 / Float(size).squareRoot(),
                window: windows[number])
            return try builder.sandwichLayer(residual, attention) {
                try $0.feedForward($1, hidden: hidden, .gelu)
            }
        }
    }
}
