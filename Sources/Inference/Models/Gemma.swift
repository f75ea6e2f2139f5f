/// Gemma: Llama's layers with GELU, rotary embedding of halves, and a scaled embedding.
enum Gemma {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let shape = try parameters.shape(.halves)
        let hidden = try parameters.feedForwardLength()
        let frame = GraphBuilder.Frame(embeddingScale: Float(shape.width).squareRoot())
        return try GraphBuilder.transformer(parameters, shape, frame) { builder, _, residual in
            try builder.preNormLayer(residual) { try $0.feedForward($1, hidden: hidden, .gelu) }
        }
    }
}
