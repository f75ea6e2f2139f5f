import CPUKernels
import GGUF
import HTPDevice
import Models

extension Executor {
    /// Hands the DSPs their weights and prepares a batch for each of their segments.
    ///
    /// - Returns: for each segment of the plan, its products, or `nil` where it runs on the CPU.
    static func load(
        _ graph: Graph, _ plan: Plan, _ weights: CPUWeights, _ devices: [HTPDevice], _ pool: ThreadPool,
        _ options: Options
    ) throws -> [OffloadedProducts?] {
        var result: [OffloadedProducts?] = Array(repeating: nil, count: plan.segments.count)
        for (index, device) in devices.enumerated() {
            let segments = plan.segments.indices.filter { plan.segments[$0].place == .htp(index) }
            let products = segments.map { SegmentProducts(graph, plan.segments[$0].operations) }
            var needed: [Int] = []
            for weight in products.flatMap(\.weights) where !needed.contains(weight) {
                needed.append(weight)
            }
            let matrices = try needed.map { try matrix(weights.matrices[$0], weights.path) }
            let loaded = try device.load(matrices, kernels: .best) { pool.run(chunks: $0, $1) }
            let numbers = Dictionary(uniqueKeysWithValues: zip(needed, loaded))
            let batches = try device.prepare(products.map { $0.shape(graph, numbers, options) })
            for (segment, (products, batch)) in zip(segments, zip(products, batches)) {
                result[segment] = OffloadedProducts(products: products, batch: batch)
            }
        }
        return result
    }

    private static func matrix(_ matrix: CPUWeights.Matrix, _ path: String) throws -> WeightMatrix {
        let name = "\(path): tensor \(quoted(matrix.tensor.name))"
        guard let format = WeightMatrix.format(of: matrix.tensor.type) else {
            throw RuntimeError("\(name) cannot be repacked")
        }
        return try WeightMatrix(
            name: name, format: format, rows: matrix.tensor.rowCount,
            columns: matrix.tensor.rowLength, bytes: matrix.bytes)
    }

    /// Runs a segment of products as one message to a DSP.
    func run(_ offloaded: OffloadedProducts, on device: HTPDevice, _ step: Step) throws {
        let products = offloaded.products
        // Without wanted logits the last products have no rows.
        guard let first = products.sources.first else { return }
        let rows = rows(first.tensor, step)
        guard rows > 0 else { return }
        for source in products.sources where !isFinite(source.tensor, rows: rows) {
            throw RuntimeError(
                "\(weights.path): the input of product \(source.product) holds values that are not numbers; "
                    + "the file is damaged or not supported")
        }
        let report = try device.run(
            offloaded.batch, rows: rows, sources: products.sources.map { UnsafePointer(pointer($0.tensor)) },
            results: products.results.map(pointer))
        counters.products += products.results.count
        counters.multiplyAdds += rows * products.multiplyAdds
        counters.offloadedProducts += report.products
        counters.offloadedMultiplyAdds += report.multiplyAdds
        counters.messages += 1
        counters.bytesToDSP += report.bytesToDSP
        counters.bytesFromDSP += report.bytesFromDSP
        counters.dspMicroseconds += report.microseconds
    }

    /// Whether all values of a tensor are finite: the DSP program's quantised activations can be nothing else, so
    /// it would compute on with whatever they become.
    private func isFinite(_ tensor: Int, rows: Int) -> Bool {
        // The largest magnitude, as the bits of a float order; a loop that the compiler turns into vectors.
        let bits = UnsafeRawPointer(pointer(tensor))
        var largest: UInt32 = 0
        for index in 0..<rows * graph.tensors[tensor].width {
            largest = max(largest, bits.load(fromByteOffset: 4 * index, as: UInt32.self) & 0x7fff_ffff)
        }
        return largest < Float.infinity.bitPattern
    }
}

/// A segment of products that is prepared on a DSP.
struct OffloadedProducts {
    var products: SegmentProducts
    var batch: Batch
}

/// The products of a segment: what goes in, what comes out.
struct SegmentProducts {
    /// The tensors that go in, each once, and the first product that reads it.
    private(set) var sources: [(tensor: Int, product: String)] = []
    /// Weight of each product.
    private(set) var weights: [Int] = []
    /// Index in `sources` of each product.
    private(set) var sourceIndices: [Int] = []
    /// The tensor that each product writes.
    private(set) var results: [Int] = []
    /// Multiply-adds of one row.
    private(set) var multiplyAdds = 0

    init(_ graph: Graph, _ operations: Range<Int>) {
        for operation in graph.operations[operations] {
            guard case .matmul(let weight, let input, let output) = operation.kind else { continue }
            if sources.last?.tensor != input { sources.append((input, operation.name)) }
            weights.append(weight)
            sourceIndices.append(sources.count - 1)
            results.append(output)
            multiplyAdds += graph.weights[weight].rows * graph.weights[weight].columns
        }
    }

    /// The batch that computes them; `numbers` are the device's numbers of the weights.
    func shape(_ graph: Graph, _ numbers: [Int: Int], _ options: Executor.Options) -> Batch.Shape {
        let areOutputs = sources.contains { graph.tensors[$0.tensor].rows == .outputs }
        return Batch.Shape(
            sourceColumns: sources.map { graph.tensors[$0.tensor].width },
            products: zip(weights, sourceIndices).map {
                Batch.Product(weights: numbers[$0] ?? 0, source: $1)
            },
            rows: areOutputs ? options.outputRows : options.batch)
    }
}
