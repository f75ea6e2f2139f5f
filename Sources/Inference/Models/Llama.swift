/// Llama 2 and 3, and what has their shape (Mistral, Mixtral, SmolLM, distillates): RMS norms, rotary embedding of
/// neighbouring pairs, grouped-query attention, SwiGLU or a mixture of such networks.
enum Llama {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let shape = try parameters.shape(.neighbours)
        guard try parameters.float("attention.temperature_scale", default: 0) == 0 else {
            throw parameters.fail("attention scaled by position (attention.temperature_scale) is not computed")
        }
        let hidden = try parameters.feedForwardLength()
        let routing =
            try parameters.hasExperts ? try parameters.routing(.softmax, normalizes: true) : nil
        return try GraphBuilder.transformer(parameters, shape) { builder, _, residual in
            try builder.preNormLayer(residual) { builder, input in
                guard let routing else { return try builder.feedForward(input, hidden: hidden) }
                return try builder.experts(input, hidden: hidden, routing)
            }
        }
    }
}
