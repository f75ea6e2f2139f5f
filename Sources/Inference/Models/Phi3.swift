/// Phi 3, 3.5 and 4: one matrix for queries, keys and values, one for gate and up, and a rotary embedding with
/// divisors for short and for long contexts.
///
/// A sliding window that a file names is not computed: llama.cpp leaves it out, too, as files name wrong ones.
enum Phi3 {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        let hidden = try parameters.feedForwardLength()
        return try GraphBuilder.transformer(parameters, try parameters.shape(.halves)) {
            builder, _, residual in
            try builder.preNormLayer(residual) { try $0.feedForward($1, hidden: hidden) }
        }
    }
}
