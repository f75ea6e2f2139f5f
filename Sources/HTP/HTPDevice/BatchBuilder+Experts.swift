/// How a mixture of experts chooses and weighs them.
package struct ExpertRouting: Sendable {
    /// What makes weights of logits (`enum htp_gate`).
    package enum Gate: UInt32, Sendable, CaseIterable {
        /// Softmax of all logits, then the choice.
        case softmax = 0
        case sigmoid = 1
        /// The choice, then softmax of the chosen logits.
        case softmaxOfChosen = 2
    }

    package var experts: Int
    /// Experts of a token.
    package var count: Int
    package var gate: Gate
    /// Whether weights are divided by their sum.
    package var normalizes: Bool
    /// What weights are multiplied by in the end.
    package var scale: Float

    package init(experts: Int, count: Int, gate: Gate, normalizes: Bool, scale: Float = 1) {
        self.experts = experts
        self.count = count
        self.gate = gate
        self.normalizes = normalizes
        self.scale = scale
    }
}

extension BatchBuilder {
    /// chosen[rows][count] (int32) and weights[rows][count] = the experts of each row of logits[rows][experts], the
    /// best first.
    ///
    /// - Parameter bias: is added to the gates for the choice, not for the weights.
    package mutating func route(
        _ logits: DeviceTensor, bias: DeviceTensor? = nil, _ routing: ExpertRouting, chosen: DeviceTensor,
        weights: DeviceTensor, rows: Rows = .tokens
    ) {
        append(
            BatchOperation(
                .route, flags: routing.normalizes ? 1 : 0, rows: rows, to: chosen, weights,
                from: [logits, bias],
                parameters: [
                    UInt32(routing.experts), UInt32(routing.count), routing.gate.rawValue,
                    routing.scale.bitPattern,
                ]))
    }

    /// destination[rows][count · matrix.rows] = for each of a row's `count` experts its matrix × the row's source.
    ///
    /// - Parameters:
    ///   - first: the first expert's matrix; those of the others, of the same kind and shape, follow it at once.
    ///   - numbers: int32 [rows][count], below `experts`.
    ///   - source: [rows][matrix.columns], or with `hasOwnSources` [rows][count · matrix.columns].
    ///   - isQuantized: the operation before that had this source has left it in the form that products take.
    ///   - precision: how closely the source is taken.
    package mutating func matmul(
        _ first: DeviceMatrix, experts: Int, _ numbers: DeviceTensor, count: Int, _ source: DeviceTensor,
        hasOwnSources: Bool, to destination: DeviceTensor, rows: Rows = .tokens, isQuantized: Bool = false,
        precision: ProductPrecision = .single
    ) {
        append(
            BatchOperation(
                .matmulIndexed, flags: precision.flags(isQuantized: isQuantized), rows: rows, to: destination,
                from: [source, first.tensor, numbers],
                parameters: [
                    first.kind.rawValue, UInt32(first.rows), UInt32(first.columns), UInt32(experts),
                    UInt32(count), UInt32(hasOwnSources ? count : 1),
                ]))
    }

    /// destination[rows][width] = Σ vectors[rows][count · width] · weights[rows][count] (+ addend, which it may be).
    package mutating func mix(
        _ vectors: DeviceTensor, weights: DeviceTensor, count: Int, width: Int,
        adding addend: DeviceTensor? = nil,
        to destination: DeviceTensor, rows: Rows = .tokens
    ) {
        append(
            BatchOperation(
                .mix, rows: rows, to: destination, from: [vectors, weights, addend],
                parameters: [UInt32(width), UInt32(count), 0]))
    }

    /// destination[rows][count · width] = vectors + for each the table's row (float32) that `numbers`
    /// (int32 [rows][count]) names: the experts' biases. It may be the vectors.
    package mutating func addRows(
        of table: DeviceTensor, tableRows: Int, _ numbers: DeviceTensor, to vectors: DeviceTensor, count: Int,
        width: Int, destination: DeviceTensor, rows: Rows = .tokens
    ) {
        append(
            BatchOperation(
                .addRows, rows: rows, to: destination, from: [vectors, table, numbers],
                parameters: [UInt32(width), UInt32(count), UInt32(tableRows)]))
    }
}
