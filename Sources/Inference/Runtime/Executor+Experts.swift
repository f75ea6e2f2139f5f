import CPUKernels
import Models
import Quantization

/// Mixtures of experts on the CPU.
extension Executor {
    /// A row's experts, the best first, and their weights.
    func route(_ logits: Int, _ routing: Routing, _ output: Int, rows: Int) {
        let (experts, count) = (routing.experts, routing.count)
        rowwise(rows, width: experts * count) { [kernels] rows in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: experts) { gates in
                guard let gates = gates.baseAddress else { return }
                for row in rows {
                    gates.initialize(from: pointer(logits) + row * experts, count: experts)
                    if routing.gate == .softmax { kernels.pointee.softmax(gates, experts, 1) }
                    let chosen = pointer(output) + row * 2 * count
                    let weights = chosen + count
                    for place in 0..<count {
                        var best = 0
                        for expert in 1..<experts where gates[expert] > gates[best] { best = expert }
                        chosen[place] = Float(bitPattern: UInt32(best))
                        weights[place] = gates[best]
                        gates[best] = -.infinity
                    }
                    if routing.gate == .softmaxOfChosen { kernels.pointee.softmax(weights, count, 1) }
                    var factor = routing.scale
                    if routing.normalizes {
                        let sum = (0..<count).reduce(Float(0)) { $0 + weights[$1] }
                        factor *= sum > 0 ? 1 / sum : 0
                    }
                    for place in 0..<count { weights[place] *= factor }
                }
            }
        }
    }

    /// Results of the experts in a row, weighed and summed.
    func mix(_ input: Int, _ routing: Int, _ output: Int, rows: Int) {
        let (width, count) = (graph.tensors[output].width, graph.tensors[routing].width / 2)
        rowwise(rows, width: width * count) { [kernels] rows in
            for row in rows {
                let result = pointer(output) + row * width
                let weights = pointer(routing) + (2 * row + 1) * count
                result.update(repeating: 0, count: width)
                for place in 0..<count {
                    kernels.pointee.axpy_f32(
                        result, weights[place], pointer(input) + (row * count + place) * width, width)
                }
            }
        }
    }

    func addExpertBiases(_ tensor: Int, _ weight: Int, _ routing: Int, rows: Int) {
        let width = graph.weights[weight].columns
        weights.vectors[weight]?.withUnsafeBufferPointer { table in
            guard let table = table.baseAddress else { return }
            let chosen = chosenExperts(routing, rows: rows)
            rowwise(chosen.count, width: width) { [kernels] pairs in
                for pair in pairs {
                    let target = pointer(tensor) + pair * width
                    kernels.pointee.add(target, target, table + chosen[pair] * width, width)
                }
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
        // One kind for all, that of a batch only where every expert has one.
        let fewest = runs.map(\.places.count).min() ?? 0
        let kind = cpu_activation_kind(kernels, matrix.format, fewest)
        let sourceBytes = cpu_activation_bytes(kind, columns)
        // What rounding changes decides about the next layer's experts where two are nearly as good. Models that come in this
        // format are told apart from their exact answer by little else, so what eight bits leave is multiplied, too.
        let parts = kind == CPUActivations.int8 && matrix.format == CPU_MXFP4 ? 2 : 1
        let (gathered, results) = expertScratch.reserve(
            gatheredBytes: parts * order.count * sourceBytes, results: parts * order.count * outputs)
        rowwise(order.count, width: columns) { [kernels] places in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { rest in
                for place in places {
                    let from = source + (hasOwnInputs ? order[place] : order[place] / perRow) * columns
                    let row = gathered + parts * place * sourceBytes
                    cpu_prepare(kernels, kind, from, columns, row)
                    guard parts == 2 else { continue }
                    cpu_remainder(rest.baseAddress, from, row, columns)
                    cpu_prepare(kernels, kind, rest.baseAddress, columns, row + sourceBytes)
                }
            }
        }
        // Pieces of about the same number of rows, whatever the expert.
        let size = max(32, (runs.count * outputs / (4 * options.threads) + 31) / 32 * 32)
        let pieces = (outputs + size - 1) / size
        let weights = matrix.bytes.baseAddress
        pool.run(chunks: runs.count * pieces) { [kernels] chunk in
            let run = runs[chunk / pieces]
            let first = chunk % pieces * size
            var product = cpu_product()
            product.weights = weights.map { $0 + run.expert * outputs * matrix.rowByteCount }.map(
                UnsafeRawPointer.init)
            product.weight_row_bytes = matrix.rowByteCount
            product.weight_scale = matrix.scale
            let begin = parts * run.places.lowerBound
            product.activations = UnsafeRawPointer(gathered + begin * sourceBytes)
            product.activation_kind = kind
            product.activation_row_bytes = sourceBytes
            product.dst = results + begin * outputs
            (product.dst_stride, product.columns, product.count) = (
                outputs, columns, parts * run.places.count
            )
            cpu_multiply(kernels, matrix.format, &product, first, min(first + size, outputs))
        }
        rowwise(order.count, width: outputs) { [kernels] places in
            for place in places {
                let (to, row) = (target + order[place] * outputs, results + parts * place * outputs)
                if parts == 2 {
                    kernels.pointee.add(to, row, row + outputs, outputs)
                } else {
                    to.update(from: row, count: outputs)
                }
            }
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
}

/// Where rows are gathered for the experts and their results wait to be put back: memory that is kept from one product to
/// the next and grows to what the largest takes.
final class ExpertScratch {
    private var gathered = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var results = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)

    /// Bytes that it has.
    var byteCount: Int { gathered.count + results.count * MemoryLayout<Float>.size }

    deinit {
        gathered.deallocate()
        results.deallocate()
    }

    /// Room for as much; what was there is lost.
    func reserve(
        gatheredBytes: Int, results count: Int
    ) -> (gathered: UnsafeMutableRawPointer, results: UnsafeMutablePointer<Float>) {
        if gathered.count < gatheredBytes || gathered.baseAddress == nil {
            gathered.deallocate()
            gathered = .allocate(byteCount: max(gatheredBytes, 1), alignment: 64)
        }
        if results.count < count || results.baseAddress == nil {
            results.deallocate()
            results = .allocate(capacity: max(count, 1))
        }
        guard let bytes = gathered.baseAddress, let floats = results.baseAddress else {
            preconditionFailure("memory that was just allocated")
        }
        return (bytes, floats)
    }
}
