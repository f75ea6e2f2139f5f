/// Qwen 3: norms of each head's query and key instead of Qwen 2's biases.
enum Qwen3 {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let hidden = try parameters.feedForwardLength()
        return try GraphBuilder.transformer(parameters, try parameters.shape(.halves)) {
            builder, _, residual in
            try builder.preNormLayer(residual, .init(norm: .heads)) { try $0.feedForward($1, hidden: hidden) }
        }
    }
}
