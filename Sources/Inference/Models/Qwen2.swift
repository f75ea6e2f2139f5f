/// Qwen 2 and 2.5: Llama's layers with biases of queries, keys and values, and rotary embedding of halves.
enum Qwen2 {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let hidden = try parameters.feedForwardLength()
        return try GraphBuilder.transformer(parameters, try parameters.shape(.halves)) {
            builder, _, residual in
            try builder.preNormLayer(residual) { try $0.feedForward($1, hidden: hidden) }
        }
    }
}
