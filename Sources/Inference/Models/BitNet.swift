import GGUF

/// BitNet b1.58: ternary matrices, norms before the output products of attention and feed-forward network.
///
/// The published model squares a ReLU. Files of architecture `bitnet` mean SiLU unless they say otherwise, as
/// llama.cpp takes them; those called `bitnet-25` or `bitnet-b1.58` (ik_llama.cpp's names) mean the squared ReLU.
enum BitNet {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let hidden = try parameters.feedForwardLength()
        let activation = try activation(parameters)
        return try GraphBuilder.transformer(parameters, try parameters.shape(.halves)) {
            builder, _, residual in
            try builder.preNormLayer(residual, .init(hasSubNorm: true)) {
                try $0.feedForward($1, hidden: hidden, activation, hasSubNorm: true)
            }
        }
    }

    private static func activation(_ parameters: Hyperparameters) throws -> Activation {
        switch try parameters.string("hidden_activation") {
        case nil: return parameters.architecture == "bitnet" ? .silu : .reluSquared
        case "silu": return .silu
        case "relu2": return .reluSquared
        case "gelu": return .gelu
        case let name?:
            throw parameters.fail("activation \(quoted(name)) is not known; known: gelu, relu2, silu")
        }
    }
}
