/// Gemma 2: norms before and behind each block, GELU, a scaled embedding, capped attention and logits, and every
/// other layer with a sliding window.
enum Gemma2 {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let shape = try parameters.shape(.halves)
        let hidden = try parameters.feedForwardLength()
        let windows = try parameters.windows(
            layers: shape.layers, period: 2,
            window: try parameters.count("attention.sliding_window", default: 4096))
        let cap = Float(try parameters.float("attn_logit_softcapping", default: 50))
        let frame = GraphBuilder.Frame(
            embeddingScale: Float(shape.width).squareRoot(),
            logitCap: Float(try parameters.float("final_logit_softcapping", default: 30)))
        // The largest of the family divides by a size that its heads do not have.
        let size = shape.layers == 46 ? shape.width / shape.heads : shape.keySize
        return try GraphBuilder.transformer(parameters, shape, frame) { builder, number, residual in
            try builder.sandwichLayer(
                residual, .init(scale: 1 / Float(size).squareRoot(), window: windows[number], cap: cap)
            ) {
                try $0.feedForward($1, hidden: hidden, .gelu)
            }
        }
    }
}
