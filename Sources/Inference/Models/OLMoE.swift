/// OLMoE: norms over all heads' queries and keys together, and experts whose weights are a softmax over all.
enum OLMoE {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let routing = try parameters.routing(.softmax, normalizes: false)
        let hidden = try parameters.feedForwardLength()
        return try GraphBuilder.transformer(parameters, try parameters.shape(.halves)) {
            builder, _, residual in
            try builder.preNormLayer(residual, .init(norm: .whole)) {
                try $0.experts($1, hidden: hidden, routing)
            }
        }
    }
}
