/// One step of a forward pass. Tensors and weights are named by their index in the graph.
package struct Operation: Sendable {
    package enum Kind: Sendable {
        /// output = scale · the weight's row of each token
        case embed(weight: Int, scale: Float, output: Int)
        /// output = input / sqrt(mean of squares + epsilon) · weight, for each run of the weight's length in a row;
        /// the output may be the input.
        case rmsNorm(input: Int, weight: Int, epsilon: Float, output: Int)
        /// output = weight × input
        case matmul(weight: Int, input: Int, output: Int)
        /// For each expert that a row of `routing` names: its matrix of the weight × the row of the input, or × the
        /// expert's own part of it where the input has one for each. Results stand side by side.
        case matmulExperts(weight: Int, input: Int, routing: Int, output: Int)
        /// tensor += weight, in each row
        case addBias(tensor: Int, weight: Int)
        /// tensor += the weight's rows of the experts that `routing` names, side by side
        case addExpertBiases(tensor: Int, weight: Int, routing: Int)
        /// Turns the pairs of `heads` heads in place, by the shape's rotation of that number.
        case rotate(tensor: Int, heads: Int, size: Int, rotation: Int)
        /// Puts keys and values of the tokens into the cache of `layer`.
        case store(key: Int, value: Int, layer: Int)
        /// output = softmax(scale · query · keys) · values over the cache of `layer`
        case attention(query: Int, layer: Int, Attention, output: Int)
        /// output = a + b
        case add(Int, Int, output: Int)
        /// output = activation(gate) · up
        case activate(Activation, gate: Int, up: Int, output: Int)
        /// tensor = tensor · factor, then cap · tanh(tensor / cap) unless cap is 0
        case scale(tensor: Int, factor: Float, cap: Float)
        /// output = for each row the numbers of the chosen experts, as Int32, and then their weights
        case route(logits: Int, Routing, output: Int)
        /// output = Σ of the experts' results in a row · their weights
        case mix(input: Int, routing: Int, output: Int)
        /// output = the rows of the tokens whose logits are wanted
        case selectOutputs(input: Int, output: Int)
    }

    /// Named after the weight it uses, or after what it makes.
    package var name: String
    /// The layer it belongs to, `nil` before the first and after the last.
    package var layer: Int?
    package var kind: Kind
}

/// How attention weighs the positions.
package struct Attention: Sendable {
    /// What a query's product with a key is multiplied by.
    package var scale: Float
    /// Positions that a token sees, its own included; 0 for all.
    package var window = 0
    /// Products become cap · tanh(product / cap); 0 leaves them.
    package var cap: Float = 0
    /// A weight with a number for each head that takes part in the softmax and has no value.
    package var sinks: Int?
}

/// What a feed-forward network does with its gate.
package enum Activation: Hashable, Sendable {
    /// x · sigmoid(x)
    case silu
    /// The approximation with a hyperbolic tangent.
    case gelu
    /// max(x, 0)²
    case reluSquared
    /// x · sigmoid(alpha · x) · (up + 1), with x at most `limit` and up within ±`limit`.
    case clampedSwiGLU(alpha: Float, limit: Float)
}

/// How a mixture of experts chooses and weighs them.
package struct Routing: Sendable {
    package enum Gate: Sendable {
        /// Softmax of all logits, then the choice.
        case softmax
        /// The choice, then softmax of the chosen logits.
        case softmaxOfChosen
    }

    package var experts: Int
    /// Experts of a token.
    package var count: Int
    package var gate: Gate
    /// Whether weights are divided by their sum.
    package var normalizes: Bool
    /// What weights are multiplied by in the end.
    package var scale: Float = 1
}

extension Operation {
    /// Tensors that it reads.
    package var inputs: [Int] {
        switch kind {
        case .embed: []
        case .rmsNorm(let input, _, _, _), .matmul(_, let input, _), .selectOutputs(let input, _): [input]
        case .matmulExperts(_, let input, let routing, _), .mix(let input, let routing, _): [input, routing]
        case .addBias(let tensor, _), .rotate(let tensor, _, _, _), .scale(let tensor, _, _): [tensor]
        case .addExpertBiases(let tensor, _, let routing): [tensor, routing]
        case .store(let key, let value, _): [key, value]
        case .attention(let query, _, _, _): [query]
        case .add(let a, let b, _): [a, b]
        case .activate(_, let gate, let up, _): [gate, up]
        case .route(let logits, _, _): [logits]
        }
    }

    /// The weight that it uses.
    package var weight: Int? {
        switch kind {
        case .embed(let weight, _, _), .rmsNorm(_, let weight, _, _), .matmul(let weight, _, _),
            .matmulExperts(let weight, _, _, _), .addBias(_, let weight), .addExpertBiases(_, let weight, _):
            weight
        case .attention(_, _, let attention, _): attention.sinks
        case .rotate, .store, .add, .activate, .scale, .route, .mix, .selectOutputs: nil
        }
    }

    /// The tensor that it writes.
    package var output: Int? {
        switch kind {
        case .embed(_, _, let output), .rmsNorm(_, _, _, let output), .matmul(_, _, let output),
            .matmulExperts(_, _, _, let output), .attention(_, _, _, let output), .add(_, _, let output),
            .activate(_, _, _, let output), .route(_, _, let output), .mix(_, _, let output),
            .selectOutputs(_, let output):
            output
        case .addBias(let tensor, _), .addExpertBiases(let tensor, _, _), .rotate(let tensor, _, _, _),
            .scale(let tensor, _, _):
            tensor
        case .store: nil
        }
    }

    /// Whether it multiplies by a matrix.
    package var isProduct: Bool {
        switch kind {
        case .matmul, .matmulExperts: true
        default: false
        }
    }
}
