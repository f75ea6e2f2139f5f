import CPUKernels
import Models
import Quantization

extension Executor {
    /// Multiplies on the CPU; the threads share the weights' rows.
    func matmul(_ weight: Int, _ input: Int, _ output: Int, rows: Int) {
        let matrix = weights.matrices[weight]
        let (columns, outputs) = (matrix.columns, matrix.rows)
        let source = pointer(input), result = pointer(output)
        counters.products += 1
        counters.multiplyAdds += rows * columns * outputs

        switch matrix.product {
        case .float(let kernel):
            split(outputs, count: rows) { first, last in
                kernel(
                    matrix.bytes.baseAddress, matrix.rowByteCount, source,
                    columns * MemoryLayout<Float>.size, result, outputs, columns, first, last, rows)
            }
        case .quantized(let kernel):
            let rowBytes = cpu_activation_bytes(columns)
            quantize(input, columns: columns, rowBytes: rowBytes, rows: rows)
            let quantized = quantized
            split(outputs, count: rows) { first, last in
                kernel(
                    matrix.bytes.baseAddress, matrix.rowByteCount, quantized, rowBytes, result,
                    outputs,
                    columns, first, last, rows)
            }
        case .converted:
            split(outputs, count: rows) { [kernels] first, last in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { row in
                    row.initialize(repeating: 0)
                    for index in first..<last {
                        // The type was checked when the weights were opened.
                        try? matrix.read(row: index, into: row)
                        for column in 0..<rows {
                            result[column * outputs + index] = kernels.dot_f32(
                                row.baseAddress, source + column * columns, columns)
                        }
                    }
                }
            }
        }
    }

    /// Quantises the rows of a tensor, unless the last product did.
    private func quantize(_ tensor: Int, columns: Int, rowBytes: Int, rows: Int) {
        guard quantizedTensor != tensor else { return }
        let (source, target, kernels) = (pointer(tensor), quantized, kernels)
        pool.run(chunks: rows) { row in
            kernels.quantize_activations(source + row * columns, columns, target + row * rowBytes)
        }
        quantizedTensor = tensor
    }

    /// Gives the threads ranges of rows: a few for each, so that a slow core does not hold up the others.
    ///
    /// With one activation row the kernels read from several places of a range at once, which pays in long
    /// ranges; with several they work on blocks of 32 rows.
    func split(_ rows: Int, count: Int, _ body: (_ first: Int, _ last: Int) -> Void) {
        let shares = options.threads == 1 ? 1 : 4 * options.threads
        let atLeast = count == 1 ? 128 : 32
        let size = max(atLeast, ((rows + shares - 1) / shares + 31) / 32 * 32)
        pool.run(chunks: (rows + size - 1) / size) { chunk in
            body(chunk * size, min(rows, (chunk + 1) * size))
        }
    }
}
