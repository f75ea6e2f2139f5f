/// gpt-oss: biases everywhere, attention with a sink for each head, every other layer with a sliding window, and
/// experts behind a clamped SwiGLU whose weights are a softmax over the chosen.
enum GPTOSS {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let shape = try parameters.shape(.halves)
        let routing = try parameters.routing(.softmaxOfChosen, normalizes: false)
        let hidden = try parameters.count("expert_feed_forward_length")
        let windows = try parameters.windows(
            layers: shape.layers, period: 2, window: try parameters.count("attention.sliding_window"))
        return try GraphBuilder.transformer(parameters, shape) { builder, number, residual in
            try builder.preNormLayer(
                residual, .init(window: windows[number], hasSinks: true),
                feedForwardNorm: "post_attention_norm"
            ) {
                try $0.experts($1, hidden: hidden, routing, .clampedSwiGLU(alpha: 1.702, limit: 7))
            }
        }
    }
}
