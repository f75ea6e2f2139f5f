import CPUKernels
import Models

extension Executor {
    /// Multiplies on the CPU; the threads share the weights' rows.
    func matmul(_ weight: Int, _ input: Int, _ output: Int, rows: Int) {
        let matrix = weights.matrices[weight]
        let (columns, outputs) = (matrix.columns, matrix.rows)
        counters.products += 1
        counters.multiplyAdds += rows * columns * outputs

        var product = cpu_product()
        product.weights = matrix.bytes.baseAddress
        product.weight_row_bytes = matrix.rowByteCount
        product.weight_scale = matrix.scale
        product.columns = columns
        product.count = rows
        product.dst = pointer(output)
        product.dst_stride = outputs
        let kind = cpu_activation_kind(kernels, matrix.format, rows)
        product.activation_kind = kind
        product.activation_row_bytes = cpu_activation_bytes(kind, columns)
        product.activations = prepare(input, kind, columns: columns, rows: rows)
        withUnsafePointer(to: product) { product in
            split(outputs, count: rows) { [kernels] first, last in
                cpu_multiply(kernels, matrix.format, product, first, last)
            }
        }
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

    /// Gives the threads ranges of rows, which get smaller towards the end, so that a slow core does not hold up the others.
    ///
    /// With one activation row the kernels read from several places of a range at once, which pays in long
    /// ranges; with several they work on blocks of 32 rows.
    func split(_ rows: Int, count: Int, _ body: (_ first: Int, _ last: Int) -> Void) {
        pool.run(over: rows, unit: 32, atLeast: count == 1 ? 64 : 32) { body($0.lowerBound, $0.upperBound) }
    }
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
