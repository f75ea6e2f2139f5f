/// One step of a forward pass. Tensors and weights are named by their index in the graph.
package struct Operation: Sendable {
    package enum Kind: Sendable {
        /// output = the weight's row of each token
        case embed(weight: Int, output: Int)
        /// output = input / sqrt(mean of squares + epsilon) · weight
        case rmsNorm(input: Int, weight: Int, epsilon: Float, output: Int)
        /// output = weight × input
        case matmul(weight: Int, input: Int, output: Int)
        /// Turns the pairs of `heads` heads in place.
        case rotate(tensor: Int, heads: Int, size: Int)
        /// Puts keys and values of the tokens into the cache of `layer`.
        case store(key: Int, value: Int, layer: Int)
        /// output = softmax(query · keys / sqrt(size)) · values over the cache of `layer`
        case attention(query: Int, layer: Int, output: Int)
        /// output = a + b
        case add(Int, Int, output: Int)
        /// output = silu(gate) · up
        case swiGLU(gate: Int, up: Int, output: Int)
        /// output = the rows of the tokens whose logits are wanted
        case selectOutputs(input: Int, output: Int)
    }

    /// Named after the weight it uses, or after what it makes.
    package var name: String
    /// The layer it belongs to, `nil` before the first and after the last.
    package var layer: Int?
    package var kind: Kind
}

extension Operation {
    /// Tensors that it reads.
    package var inputs: [Int] {
        switch kind {
        case .embed: []
        case .rmsNorm(let input, _, _, _), .matmul(_, let input, _), .selectOutputs(let input, _): [input]
        case .rotate(let tensor, _, _): [tensor]
        case .store(let key, let value, _): [key, value]
        case .attention(let query, _, _): [query]
        case .add(let a, let b, _): [a, b]
        case .swiGLU(let gate, let up, _): [gate, up]
        }
    }

    /// The weight that it uses.
    package var weight: Int? {
        switch kind {
        case .embed(let weight, _), .rmsNorm(_, let weight, _, _), .matmul(let weight, _, _): weight
        case .rotate, .store, .attention, .add, .swiGLU, .selectOutputs: nil
        }
    }

    /// The tensor that it writes.
    package var output: Int? {
        switch kind {
        case .embed(_, let output), .rmsNorm(_, _, _, let output), .matmul(_, _, let output),
            .attention(_, _, let output), .add(_, _, let output), .swiGLU(_, _, let output),
            .selectOutputs(_, let output):
            output
        case .rotate(let tensor, _, _): tensor
        case .store: nil
        }
    }
}
