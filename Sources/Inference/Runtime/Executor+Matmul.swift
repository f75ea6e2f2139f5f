import CPUKernels
import Models

extension Executor {
    /// Computes products of the same rows (see ``isTogether(_:_:_:)``); the threads share the rows of all weights.
    func matmul(_ products: [Operation], rows: Int) {
        var parts: [ProductPart] = []
        var end = 0
        for case .matmul(let weight, let input, let output) in products.map(\.kind) {
            let matrix = weights.matrices[weight]
            counters.products += 1
            counters.multiplyAdds += rows * matrix.columns * matrix.rows

            var product = cpu_product()
            product.weights = matrix.bytes.baseAddress
            product.weight_row_bytes = matrix.rowByteCount
            product.weight_scale = matrix.scale
            product.columns = matrix.columns
            product.count = rows
            product.dst = pointer(output)
            product.dst_stride = matrix.rows
            let kind = activationKind(weight, rows: rows)
            product.activation_kind = kind
            product.activation_row_bytes = cpu_activation_bytes(kind, matrix.columns)
            product.activations = prepare(input, kind, columns: matrix.columns, rows: rows)
            parts.append(
                ProductPart(product: product, format: matrix.format, rows: end..<end + matrix.rows))
            end = (end + matrix.rows + 31) / 32 * 32
        }
        let rowBytes = parts.map(\.product.weight_row_bytes).max() ?? 1
        split(end, rowBytes: rowBytes, count: rows) { [kernels] range in
            for part in parts where part.rows.overlaps(range) {
                let own = part.rows.clamped(to: range), start = part.rows.lowerBound
                withUnsafePointer(to: part.product) {
                    cpu_multiply(kernels, part.format, $0, own.lowerBound - start, own.upperBound - start)
                }
            }
        }
    }

    /// How a product takes its input.
    func activationKind(_ weight: Int, rows: Int) -> CInt {
        cpu_activation_kind(kernels, weights.matrices[weight].format, rows)
    }

    /// The rows of a tensor as a product takes them: those of the last product where they are the same.
    private func prepare(_ tensor: Int, _ kind: CInt, columns: Int, rows: Int) -> UnsafeRawPointer {
        let source = pointer(tensor)
        guard kind != CPUActivations.float else { return UnsafeRawPointer(source) }
        let (target, rowBytes) = (quantized, cpu_activation_bytes(kind, columns))
        let prepared = PreparedRows(tensor: tensor, kind: kind)
        guard preparedRows != prepared else { return UnsafeRawPointer(target) }
        pool.run(chunks: rows) { [kernels] row in
            cpu_prepare(kernels, kind, source + row * columns, columns, target + row * rowBytes)
        }
        preparedRows = prepared
        return UnsafeRawPointer(target)
    }

    /// Gives the threads ranges of a weight's rows, which get smaller towards the end, so that a slow core does not hold up
    /// the others.
    ///
    /// With one activation row the kernels read from several places of a range at once, which pays while these are some
    /// pages apart; with several they work on blocks of 32 rows.
    private func split(_ rows: Int, rowBytes: Int, count: Int, _ body: (Range<Int>) -> Void) {
        guard count == 1 else { return pool.run(over: rows, unit: 32, atLeast: 32, body) }
        pool.run(over: rows, unit: 16, atLeast: max(Self.shortestRead / max(rowBytes, 1), 1), body)
    }

    /// Bytes of weights that are worth claiming: some microseconds of reading.
    private static let shortestRead = 1 << 16
}

/// A product of several that are computed in one loop: its rows among those of all.
private struct ProductPart {
    var product: cpu_product
    var format: CInt
    var rows: Range<Int>
}

/// What the room for prepared activations holds.
struct PreparedRows: Equatable {
    var tensor: Int
    var kind: CInt
}

/// Kinds of activations, `CPU_ACTIVATIONS_…`.
enum CPUActivations {
    static let float = CInt(CPU_ACTIVATIONS_FLOAT)
    static let int8 = CInt(CPU_ACTIVATIONS_INT8)
    static let end = CInt(CPU_ACTIVATIONS)
}
