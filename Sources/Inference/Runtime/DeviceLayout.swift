import HTPDevice
import Models

/// Where a session keeps everything but matrices, caches and commands: one buffer with activations, angles, chosen rows
/// and the vectors among the weights.
struct DeviceLayout {
    let activations: ActivationMemory
    /// Cosines and sines of a step's positions, for each of the shape's rotations: a row of `stride` bytes for each
    /// token.
    let angles: [(offset: Int, stride: Int)]
    /// The numbers of the rows whose logits are wanted.
    let selectionOffset: Int
    /// The most likely tokens of a row: their ids and then their logits, `candidateCount` each.
    let candidatesOffset: Int
    let candidateCount: Int
    /// Where the vectors lie, by weight.
    let vectorOffsets: [Int: Int]
    let byteCount: Int

    /// Lays out what `operations` of a graph need.
    init(_ graph: Graph, operations: [Int], vectors: [[Float]?], _ options: Executor.Options) {
        activations = ActivationMemory(
            graph, rows: options.batch, outputRows: options.outputRows, of: Set(operations),
            fused: Self.fused(graph))
        var end = 0
        func reserve(_ bytes: Int) -> Int {
            defer { end += (bytes + TileKind.vectorBytes - 1) / TileKind.vectorBytes * TileKind.vectorBytes }
            return end
        }
        let float = MemoryLayout<Float>.size
        _ = reserve(activations.count * float)
        angles = graph.shape.rotations.map { rotation in
            let stride = 2 * float * rotation.frequencies.count
            return (reserve(options.batch * stride), stride)
        }
        selectionOffset = reserve(options.outputRows * MemoryLayout<Int32>.size)
        candidateCount = min(Candidate.count, graph.shape.vocabulary)
        candidatesOffset = reserve(2 * candidateCount * float)
        var offsets: [Int: Int] = [:]
        for weight in operations.compactMap({ graph.operations[$0].weight }) {
            if let vector = vectors[weight], offsets[weight] == nil {
                offsets[weight] = reserve(vector.count * float)
            }
        }
        vectorOffsets = offsets
        byteCount = end
    }

    /// Sums that a norm follows: one operation computes both.
    private static func fused(_ graph: Graph) -> Set<Int> {
        Set(
            graph.operations.indices.dropLast().filter { index in
                guard case .add(_, _, let sum) = graph.operations[index].kind,
                    case .rmsNorm(sum, _, _, _) = graph.operations[index + 1].kind
                else { return false }
                return true
            })
    }
}
