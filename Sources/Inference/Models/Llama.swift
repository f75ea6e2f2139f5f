/// Llama 2 and 3, and what has their shape (Mistral, Mixtral, SmolLM, distillates): RMS norms, rotary embedding of
/// neighbouring pairs, grouped-query attention, SwiGLU or a mixture of such networks.
enum Llama {
    @Sendable static func graph(_ parameters: Hyperparameters) throws -> Graph {
        var shape = try parameters.shape(.neighbours)
        var attention = GraphBuilder.AttentionBlock()
        let share = try parameters.float("attention.temperature_scale", default: 0)
        if share > 0 {
            attention.queryRotation = try growingRotation(&shape, share, parameters)
        }
        let hidden = try parameters.feedForwardLength()
        let routing =
            try parameters.hasExperts ? try parameters.routing(.softmax, normalizes: true) : nil
        return try GraphBuilder.transformer(parameters, shape) { builder, _, residual in
            try builder.preNormLayer(residual, attention) { builder, input in
                guard let routing else { return try builder.feedForward(input, hidden: hidden) }
                return try builder.experts(input, hidden: hidden, routing)
            }
        }
    }

    /// Ministral 3 makes attention sharper with the distance from the context that it was trained for: queries grow.
    /// All of a head turns, so that its rotation can do it.
    private static func growingRotation(
        _ shape: inout Graph.Shape, _ share: Double, _ parameters: Hyperparameters
    ) throws -> Int {
        guard var rotation = shape.rotations.first, 2 * rotation.frequencies.count == shape.keySize else {
            throw parameters.fail("attention.temperature_scale is not computed for heads that turn in part")
        }
        rotation.growth = (share, try parameters.originalContext())
        shape.rotations.append(rotation)
        return shape.rotations.count - 1
    }
}
