/// A model's forward pass: operations on named tensors, in the order in which they can run.
///
/// It is expressed once for any number of tokens, and says nothing of where an operation runs or where a
/// tensor lies: that is a plan's business.
package struct Graph: Sendable {
    /// One activation: a row of floats for every token, or for every token whose logits are wanted.
    package struct Tensor: Sendable {
        package enum Rows: Sendable {
            /// A row for each token of the batch.
            case tokens
            /// A row for each token whose logits are wanted.
            case outputs
        }

        package var name: String
        /// Floats in a row.
        package var width: Int
        package var rows: Rows
    }

    /// A tensor of the model file, or some rows of one.
    package struct Weight: Sendable {
        /// The tensor's name in the file.
        package var name: String
        /// Inputs of a product, or the length of a vector.
        package var columns: Int
        /// Outputs of a product, 1 for a vector.
        package var rows: Int
        /// Matrices of that size, one after the other: a mixture's experts.
        package var experts = 1
        /// The tensor's row that it begins with: a tensor may hold several matrices one below the other.
        package var firstRow = 0
        /// Read as floats and never multiplied by: a norm's weights, biases, sinks.
        package var isVector = false
    }

    /// What every operation of the graph has in common, and what caches are sized by.
    package struct Shape: Sendable {
        package var architecture: String
        package var layers: Int
        package var width: Int
        package var heads: Int
        package var keyValueHeads: Int
        /// Floats of a head's query and key.
        package var keySize: Int
        /// Floats of a head's value.
        package var valueSize: Int
        package var vocabulary: Int
        /// Tokens that the model was trained for.
        package var contextLength: Int
        /// Layers may turn queries and keys in different ways.
        package var rotations: [Rotation]
    }

    package var shape: Shape
    package var tensors: [Tensor] = []
    package var weights: [Weight] = []
    package var operations: [Operation] = []
    /// The tensor that holds the logits, a row per output.
    package var logits: Int = 0
}

/// Rotary position embedding: pair `i` of a head turns by `position · frequencies[i]`.
package struct Rotation: Sendable {
    /// Which members of a head make a pair.
    package enum Pairing: Sendable {
        /// 2i and 2i + 1 (GGUF's `llama`).
        case neighbours
        /// i and i + the number of pairs (NeoX).
        case halves
    }

    package var pairing: Pairing
    /// Radians per position, one for each pair; members beyond the pairs stay as they are.
    package var frequencies: [Double]
    /// What a turned pair is multiplied by.
    package var magnitude = 1.0
    /// Multiplies that further by 1 + share · ln(1 + the number of whole `contextLength`s before a position).
    package var growth: (share: Double, contextLength: Int)?
    /// The frequencies of contexts that hold more than `contextLength` tokens.
    package var long: (contextLength: Int, frequencies: [Double])?
}
