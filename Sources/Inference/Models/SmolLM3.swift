/// SmolLM 3: Llama's layers, of which every fourth has no rotary embedding.
enum SmolLM3 {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let hidden = try parameters.feedForwardLength()
        return try GraphBuilder.transformer(parameters, try parameters.shape(.neighbours)) {
            builder, number, residual in
            try builder.preNormLayer(residual, .init(rotation: number % 4 == 3 ? nil : 0)) {
                try $0.feedForward($1, hidden: hidden)
            }
        }
    }
}
