import Models

/// Where the tensors of a graph lie in one block of memory: tensors that are never needed at the same time
/// share it.
package struct ActivationMemory: Sendable {
    /// First float of each tensor.
    package let offsets: [Int]
    /// Floats of the whole block.
    package let count: Int

    /// Lays out the tensors for batches of at most `rows` tokens, of which `outputRows` have logits.
    ///
    /// - Parameters:
    ///   - operations: only tensors of these have a place; nil for all.
    ///   - fused: operations that are computed together with their successor.
    package init(
        _ graph: Graph, rows: Int, outputRows: Int, of operations: Set<Int>? = nil, fused: Set<Int> = []
    ) {
        // A tensor lives from the operation that writes it to the last that reads or changes it.
        var firstUse: [Int?] = Array(repeating: nil, count: graph.tensors.count)
        var lastUse = Array(repeating: 0, count: graph.tensors.count)
        for (index, operation) in graph.operations.enumerated() {
            for tensor in operation.inputs + [operation.output].compactMap({ $0 }) {
                firstUse[tensor] = firstUse[tensor] ?? index
                lastUse[tensor] = fused.contains(index) ? index + 1 : index
            }
        }
        if let operations {
            let used = operations.flatMap {
                graph.operations[$0].inputs + [graph.operations[$0].output].compactMap(\.self)
            }
            for tensor in Set(graph.tensors.indices).subtracting(used) { firstUse[tensor] = nil }
        }
        // The caller reads the logits after the last operation.
        lastUse[graph.logits] = graph.operations.count

        var offsets = Array(repeating: 0, count: graph.tensors.count)
        var live: [(range: Range<Int>, until: Int)] = []
        var end = 0
        for tensor in graph.tensors.indices.sorted(by: { (firstUse[$0] ?? 0) < (firstUse[$1] ?? 0) }) {
            guard let first = firstUse[tensor] else { continue }
            live.removeAll { $0.until < first }
            live.sort { $0.range.lowerBound < $1.range.lowerBound }
            let most = graph.tensors[tensor].rows == .tokens ? rows : outputRows
            let size = (graph.tensors[tensor].width * most + 31) / 32 * 32
            var offset = 0
            for other in live where other.range.lowerBound < offset + size && offset < other.range.upperBound
            {
                offset = other.range.upperBound
            }
            offsets[tensor] = offset
            live.append((offset..<offset + size, lastUse[tensor]))
            end = max(end, offset + size)
        }
        self.offsets = offsets
        count = end
    }
}
