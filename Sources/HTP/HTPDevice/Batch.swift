/// The products of one message: what goes in, what comes out, and where it lies in the context buffer.
package struct Batch: Sendable {
    /// What a batch computes, before it is laid out.
    package struct Shape: Sendable {
        /// Inputs of a row of each source.
        package var sourceColumns: [Int]
        /// The products, in the order of their sources.
        package var products: [Product]
        /// The most rows that a submission will have.
        package var rows: Int

        package init(sourceColumns: [Int], products: [Product], rows: Int) {
            self.sourceColumns = sourceColumns
            self.products = products
            self.rows = rows
        }
    }

    /// One product of a batch.
    package struct Product: Sendable {
        /// The weights, as ``HTPDevice/load(_:parallel:)`` numbered them.
        package var weights: Int
        /// Which of the batch's sources it multiplies.
        package var source: Int

        package init(weights: Int, source: Int) {
            self.weights = weights
            self.source = source
        }
    }

    /// What it computes.
    package let shape: Shape
    /// Outputs of a row of each product.
    package let resultColumns: [Int]
    let commandOffset: Int
    let commandBytes: Int
    var sourceOffsets: [Int]
    var resultOffsets: [Int]
}

/// What one submission did, as the DSP program counted it.
package struct BatchReport: Sendable {
    /// Operations that ran: of a ``Batch``, its products.
    package var products = 0
    /// Multiply-adds that ran.
    package var multiplyAdds = 0
    /// Time the DSP program took.
    package var microseconds = 0
    /// Bytes written for the DSP: inputs and changed parameters.
    package var bytesToDSP = 0
    /// Bytes read back: results and the report.
    package var bytesFromDSP = 0
}
