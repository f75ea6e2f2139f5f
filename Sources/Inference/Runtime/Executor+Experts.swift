import CPUKernels
import Models
import Quantization

/// Mixtures of experts on the CPU.
extension Executor {
    /// A row's experts, the best first, and their weights.
    func route(_ logits: Int, _ routing: Routing, _ output: Int, rows: Int) {
        let (experts, count) = (routing.experts, routing.count)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: experts) { gates in
            guard let gates = gates.baseAddress else { return }
            for row in 0..<rows {
                gates.initialize(from: pointer(logits) + row * experts, count: experts)
                if routing.gate == .softmax { kernels.softmax(gates, experts, 1) }
                let chosen = pointer(output) + row * 2 * count
                let weights = chosen + count
                for place in 0..<count {
                    var best = 0
                    for expert in 1..<experts where gates[expert] > gates[best] { best = expert }
                    chosen[place] = Float(bitPattern: UInt32(best))
                    weights[place] = gates[best]
                    gates[best] = -.infinity
                }
                if routing.gate == .softmaxOfChosen { kernels.softmax(weights, count, 1) }
                var factor = routing.scale
                if routing.normalizes {
                    let sum = (0..<count).reduce(Float(0)) { $0 + weights[$1] }
                    factor *= sum > 0 ? 1 / sum : 0
                }
                for place in 0..<count { weights[place] *= factor }
            }
        }
    }

    /// Results of the experts in a row, weighed and summed.
    func mix(_ input: Int, _ routing: Int, _ output: Int, rows: Int) {
        let (width, count) = (graph.tensors[output].width, graph.tensors[routing].width / 2)
        for row in 0..<rows {
            let result = pointer(output) + row * width
            let weights = pointer(routing) + (2 * row + 1) * count
            result.update(repeating: 0, count: width)
            for place in 0..<count {
                kernels.axpy_f32(
                    result, weights[place], pointer(input) + (row * count + place) * width, width)
            }
        }
    }

    func addExpertBiases(_ tensor: Int, _ weight: Int, _ routing: Int, rows: Int) {
        let width = graph.weights[weight].columns
        weights.vectors[weight]?.withUnsafeBufferPointer { table in
            guard let table = table.baseAddress else { return }
            for (pair, expert) in chosenExperts(routing, rows: rows).enumerated() {
                let target = pointer(tensor) + pair * width
                kernels.add(target, target, table + expert * width, width)
            }
        }
    }

    /// The experts of all rows, as many for each.
    private func chosenExperts(_ routing: Int, rows: Int) -> [Int] {
        let count = graph.tensors[routing].width / 2
        return (0..<rows * count).map { pair in
            Int((pointer(routing) + pair / count * 2 * count + pair % count).pointee.bitPattern)
        }
    }

    /// Multiplies each row by the matrices of its experts. Rows are gathered by expert, so that a matrix is read once
    /// however many rows want it, and not at all if none does.
    func matmulExperts(_ weight: Int, _ input: Int, _ routing: Int, _ output: Int, rows: Int) {
        let matrix = weights.matrices[weight]
        let (columns, outputs) = (matrix.columns, matrix.rows)
        let chosen = chosenExperts(routing, rows: rows)
        counters.products += 1
        counters.multiplyAdds += chosen.count * columns * outputs

        // Pairs of a row and one of its experts, expert by expert.
        let order = chosen.indices.sorted { (chosen[$0], $0) < (chosen[$1], $1) }
        let runs = Self.runs(order.map { chosen[$0] })
        let hasOwnInputs = graph.tensors[input].width != columns
        let perRow = chosen.count / rows
        let source = pointer(input), target = pointer(output)
        let isQuantized = if case .quantized = matrix.product { true } else { false }
        let sourceBytes = isQuantized ? cpu_activation_bytes(columns) : columns * MemoryLayout<Float>.size
        let gathered = UnsafeMutableRawPointer.allocate(byteCount: order.count * sourceBytes, alignment: 64)
        let results = UnsafeMutablePointer<Float>.allocate(capacity: order.count * outputs)
        defer {
            gathered.deallocate()
            results.deallocate()
        }
        pool.run(chunks: order.count) { [kernels] place in
            let from = source + (hasOwnInputs ? order[place] : order[place] / perRow) * columns
            let to = gathered + place * sourceBytes
            if isQuantized {
                kernels.quantize_activations(from, columns, to)
            } else {
                to.copyMemory(from: from, byteCount: sourceBytes)
            }
        }
        // Pieces of about the same number of rows, whatever the expert.
        let size = max(32, (runs.count * outputs / (4 * options.threads) + 31) / 32 * 32)
        let pieces = (outputs + size - 1) / size
        pool.run(chunks: runs.count * pieces) { chunk in
            let run = runs[chunk / pieces]
            let first = chunk % pieces * size
            multiply(
                matrix, expert: run.expert, rows: first..<min(first + size, outputs),
                gathered + run.places.lowerBound * sourceBytes, sourceBytes,
                results + run.places.lowerBound * outputs, count: run.places.count)
        }
        for (place, pair) in order.enumerated() {
            (target + pair * outputs).update(from: results + place * outputs, count: outputs)
        }
    }

    /// Where the same expert stands in an ordered list.
    private static func runs(_ chosen: [Int]) -> [(expert: Int, places: Range<Int>)] {
        var runs: [(expert: Int, places: Range<Int>)] = []
        for (place, expert) in chosen.enumerated() {
            if let last = runs.indices.last, runs[last].expert == expert {
                runs[last].places = runs[last].places.lowerBound..<place + 1
            } else {
                runs.append((expert, place..<place + 1))
            }
        }
        return runs
    }

    /// Multiplies `count` gathered rows by some rows of an expert's matrix.
    private func multiply(
        _ matrix: CPUWeights.Matrix, expert: Int, rows: Range<Int>, _ source: UnsafeMutableRawPointer,
        _ sourceBytes: Int, _ result: UnsafeMutablePointer<Float>, count: Int
    ) {
        let firstRow = expert * matrix.rows
        switch matrix.product {
        case .float(let kernel), .quantized(let kernel):
            kernel(
                matrix.bytes.baseAddress.map { $0 + firstRow * matrix.rowByteCount }, matrix.rowByteCount,
                source, sourceBytes, result, matrix.rows, matrix.columns, rows.lowerBound, rows.upperBound,
                count)
        case .converted:
            withUnsafeTemporaryAllocation(of: Float.self, capacity: matrix.columns) { row in
                row.initialize(repeating: 0)
                for index in rows {
                    // The type was checked when the weights were opened.
                    try? matrix.read(row: firstRow + index, into: row)
                    for place in 0..<count {
                        let floats = (source + place * sourceBytes).assumingMemoryBound(to: Float.self)
                        result[place * matrix.rows + index] = kernels.dot_f32(
                            row.baseAddress, floats, matrix.columns)
                    }
                }
            }
        }
    }
}
