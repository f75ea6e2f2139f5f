/// Qwen 3 with a mixture of experts, whose weights are a softmax over all, divided by the sum of the chosen.
enum Qwen3MoE {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let routing = try parameters.routing(.softmax, normalizes: true)
        let hidden = try parameters.count("expert_feed_forward_length")
        return try GraphBuilder.transformer(parameters, try parameters.shape(.halves)) {
            builder, _, residual in
            try builder.preNormLayer(residual, .init(norm: .heads)) {
                try $0.experts($1, hidden: hidden, routing)
            }
        }
    }
}
