import GGUF
import HTPDevice
import Models

/// What one DSP session computes of a graph: its segments, each a command buffer, and the memory that they share.
package final class DeviceGraph {
    /// A segment that is prepared.
    struct Segment {
        var batch: GraphBatch
        /// Tensors that the host writes before, and reads after.
        var inputs: [Int]
        var outputs: [Int]
        /// The same with the most likely tokens in place of the logits, where it makes these.
        var candidates: GraphBatch?
        /// Rotations by which it turns queries or keys: their angles at the step's positions are needed.
        var rotations: Set<Int>
        /// It chooses the rows whose logits are wanted.
        var needsSelection: Bool
        /// It has operations for each token, not only for wanted rows.
        var hasTokenRows: Bool
        /// Products for each token, and for each wanted row.
        var tokenWork: Work
        var outputWork: Work
    }

    /// Products, and multiply-adds of a row of each.
    struct Work {
        var products = 0
        var multiplyAdds = 0
    }

    package let device: HTPDevice
    /// By number of the plan's segment.
    private(set) var segments: [Int: Segment] = [:]
    /// Whether the tiles of its matrices came from a file of repacked ones.
    package private(set) var isFromCache = false
    /// Bytes of the cache of its layers with a full context.
    package private(set) var cacheBytes = 0

    let graph: Graph
    let memory: ActivationMemory
    let activations: DeviceBuffer
    /// Cosines and sines of a step's positions, for each of the shape's rotations.
    let angles: [DeviceTensor]
    /// The rows of a step whose logits are wanted.
    let selection: DeviceTensor
    /// The most likely tokens of a row, and their logits.
    let candidates: (places: DeviceTensor, values: DeviceTensor, count: Int)
    let rowCapacity: Int
    private(set) var vectors: [Int: DeviceTensor] = [:]
    private(set) var matrices: [Int: DeviceMatrix] = [:]
    private(set) var caches: [Int: (keys: DeviceCache, values: DeviceCache)] = [:]
    private var cacheBuffers: [DeviceBuffer] = []
    private let changesSides: Bool
    /// A batch that does nothing but share the cache, once one was needed.
    private var sharing: GraphBatch?

    /// Loads the weights, reserves the memory, and prepares the segments that are on device `index`.
    ///
    /// - Parameter changesSides: the CPU uses the cache, too, between submissions.
    init(
        _ device: HTPDevice, index: Int, _ graph: Graph, _ plan: Plan, _ weights: CPUWeights,
        _ cache: CacheLayout, _ pool: ThreadPool, _ options: Executor.Options, changesSides: Bool
    ) throws {
        (self.device, self.graph, rowCapacity) = (device, graph, options.batch)
        self.changesSides = changesSides
        let own = plan.segments.indices.filter { plan.segments[$0].place == .htp(index) }
        let operations = own.flatMap { Array(plan.segments[$0].operations) }
        let layout = DeviceLayout(graph, operations: operations, vectors: weights.vectors, options)
        memory = layout.activations
        activations = try device.makeBuffer(byteCount: layout.byteCount)
        angles = layout.angles.map { [activations] table in
            DeviceTensor(activations, offset: table.offset, stride: table.stride, isShared: true)
        }
        selection = DeviceTensor(
            activations, offset: layout.selectionOffset, stride: MemoryLayout<Int32>.size, isShared: true)
        let stride = layout.candidateCount * MemoryLayout<Float>.size
        candidates = (
            DeviceTensor(activations, offset: layout.candidatesOffset, stride: stride, isShared: true),
            DeviceTensor(
                activations, offset: layout.candidatesOffset + stride, stride: stride, isShared: true),
            layout.candidateCount
        )
        for (weight, offset) in layout.vectorOffsets {
            guard weights.vectors[weight]?.allSatisfy(\.isFinite) ?? true else {
                // The program's quantised activations can be nothing but numbers: it would compute on with nonsense.
                throw RuntimeError(
                    "\(weights.path): tensor \(quoted(graph.weights[weight].name)) holds values that are not numbers; "
                        + "the file is damaged or not supported")
            }
            // One for all rows, or a table with a row for each expert.
            let stride =
                graph.weights[weight].rows > 1 ? graph.weights[weight].columns * MemoryLayout<Float>.size : 0
            vectors[weight] = DeviceTensor(activations, offset: offset, stride: stride)
        }
        try activations.withBytes(.write) { bytes in
            for (weight, offset) in layout.vectorOffsets {
                weights.vectors[weight]?.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + $0.count])
                        .copyMemory(from: $0)
                }
            }
        }

        try loadMatrices(operations, weights, pool, options)
        try reserveCaches(operations, cache)
        for number in own {
            segments[number] = try prepare(plan.segments[number], changesSides: changesSides)
        }
    }

    /// Where the layers of its cache begin.
    func cacheLayers() throws -> [Int: UnsafeMutableRawPointer] {
        try caches.mapValues { cache in
            try cache.keys.tensor.buffer.withBytes(.write) { bytes in
                guard let base = bytes.baseAddress else { throw RuntimeError("a cache without memory") }
                return base + cache.keys.tensor.offset
            }
        }
    }

    /// Says what of the cache must be kept where its memory has to be given up: the first positions.
    func keepInCache(_ positions: Int) {
        for buffer in cacheBuffers { buffer.kept = [] }
        guard positions > 0 else { return }
        for cache in caches.values.flatMap({ [$0.keys, $0.values] }) {
            let row = cache.element.byteCount(cache.size)
            for head in 0..<cache.heads {
                let start = cache.tensor.offset + head * cache.headStride
                cache.tensor.buffer.kept?.append(
                    start..<start + (min(positions, cache.capacity) - 1) * cache.tensor.stride + row)
            }
        }
    }

    /// Calls `body` while the CPU may use the cache.
    func withCache(_ body: () throws -> Void) throws {
        var open: [DeviceBuffer] = []
        defer { for buffer in open { try? buffer.endAccess(.readWrite) } }
        for buffer in cacheBuffers {
            try buffer.beginAccess(.readWrite)
            open.append(buffer)
        }
        try body()
    }

    /// Has the DSP write back what it holds of the cache, and forget it: between submissions somebody else reads or writes
    /// there. Nothing to do where every batch ends so.
    func shareCache() throws {
        guard !changesSides, !cacheBuffers.isEmpty else { return }
        if sharing == nil {
            // A batch has only buffers that its operations name.
            var builder = BatchBuilder()
            let scratch = DeviceTensor(activations, offset: 0, stride: MemoryLayout<Float>.size)
            for buffer in cacheBuffers {
                builder.share(buffer)
                builder.scale(
                    DeviceTensor(buffer, offset: 0, stride: MemoryLayout<Float>.size), by: 0, width: 1,
                    to: scratch)
            }
            sharing = try device.prepare(builder)
        }
        guard let sharing else { return }
        try device.submit(sharing, BatchParameters(tokens: 1, outputs: 0, position: 0))
    }

    // MARK: Memory

    private func loadMatrices(
        _ operations: [Int], _ weights: CPUWeights, _ pool: ThreadPool, _ options: Executor.Options
    ) throws {
        var needed: [Int] = []
        for operation in operations.map({ graph.operations[$0] }) where operation.isProduct {
            if let weight = operation.weight, !needed.contains(weight) { needed.append(weight) }
        }
        let stacks = try needed.map(weights.repackable)
        let cache = try options.repackCache.flatMap { folder in
            try RepackCache(
                folder: folder, model: weights.file, matrices: stacks.flatMap { $0 },
                onNotice: options.onNotice)
        }
        // Where the CPU computes nothing it will not read weights again, or else it takes them from the file.
        let isAlone = options.placement == .all
        let loaded = try device.load(
            stacks: stacks, kernels: .best, store: cache,
            repacked: { if isAlone { weights.file.advise(.doneWith, $0) } }
        ) { pool.run(chunks: $0, $1) }
        isFromCache = cache?.wasRead ?? false
        if isFromCache, isAlone {
            // What was looked at to know the model again.
            for matrix in stacks.joined() { weights.file.advise(.doneWith, matrix.bytes) }
        }
        for (weight, number) in zip(needed, loaded) { matrices[weight] = device.matrix(number) }
    }

    private func reserveCaches(_ operations: [Int], _ layout: CacheLayout) throws {
        let layers = Set(
            operations.compactMap { operation in
                switch graph.operations[operation].kind {
                case .store(_, _, let layer), .attention(_, let layer, _, _): layer
                default: nil
                }
            }
        ).sorted()
        // As many layers to a buffer as it holds.
        var groups: [(layers: [Int], byteCount: Int)] = []
        for layer in layers {
            let bytes = layout.layerBytes(layer)
            if let last = groups.last, last.byteCount + bytes <= HTPDevice.bufferBytes {
                groups[groups.count - 1].layers.append(layer)
                groups[groups.count - 1].byteCount += bytes
            } else {
                groups.append(([layer], bytes))
            }
        }
        let shape = graph.shape
        for group in groups {
            let buffer = try device.makeBuffer(byteCount: group.byteCount, isZeroed: false)
            cacheBuffers.append(buffer)
            cacheBytes += group.byteCount
            var start = 0
            for layer in group.layers {
                func cache(_ type: CacheType, _ size: Int, _ offset: Int) -> DeviceCache {
                    DeviceCache(
                        buffer, offset: offset, element: type.element, heads: shape.keyValueHeads, size: size,
                        capacity: layout.positions[layer], isRing: layout.isRing(layer))
                }
                caches[layer] = (
                    cache(layout.keyType, shape.keySize, start),
                    cache(layout.valueType, shape.valueSize, start + layout.keyBytes(layer))
                )
                start += layout.layerBytes(layer)
            }
        }
    }

    // MARK: Operations

    /// The operations of a segment as a batch has them.
    private func lower(_ segment: Plan.Segment, changesSides: Bool) -> Lowering {
        var lowering = Lowering(self, segment)
        var index = segment.operations.lowerBound
        while index < segment.operations.upperBound {
            index += lowering.lower(index)
        }
        if changesSides {
            for buffer in cacheBuffers { lowering.builder.share(buffer) }
        }
        return lowering
    }

    /// The same, and in the end a choice of tokens in place of the logits.
    private func lowerToCandidates(_ segment: Plan.Segment, changesSides: Bool) -> Lowering {
        var segment = segment
        segment.outputs.removeAll { $0 == graph.logits }
        var lowering = lower(segment, changesSides: changesSides)
        lowering.chooseCandidates()
        return lowering
    }

    private func prepare(_ segment: Plan.Segment, changesSides: Bool) throws -> Segment {
        let lowering = lower(segment, changesSides: changesSides)
        let choosing =
            segment.outputs.contains(graph.logits)
            ? lowerToCandidates(segment, changesSides: changesSides) : nil
        var work = (tokens: Work(), outputs: Work())
        for operation in graph.operations[segment.operations] where operation.isProduct {
            guard let weight = operation.weight, let output = operation.output else { continue }
            let size = graph.tensors[output].width * graph.weights[weight].columns
            if graph.tensors[output].rows == .outputs {
                work.outputs.products += 1
                work.outputs.multiplyAdds += size
            } else {
                work.tokens.products += 1
                work.tokens.multiplyAdds += size
            }
        }
        return Segment(
            batch: try device.prepare(lowering.builder), inputs: segment.inputs, outputs: segment.outputs,
            candidates: try choosing.map { try device.prepare($0.builder) },
            rotations: lowering.rotations, needsSelection: lowering.usesSelection,
            hasTokenRows: graph.operations[segment.operations].contains { operation in
                operation.output.map { graph.tensors[$0].rows == .tokens } ?? true
            },
            tokenWork: work.tokens, outputWork: work.outputs)
    }
}
