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
        /// It turns queries or keys: the angles of the step's positions are needed.
        var needsAngles: Bool
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
    /// Cosines and sines of a step's positions.
    let angles: DeviceTensor
    /// The rows of a step whose logits are wanted.
    let selection: DeviceTensor
    private let rowCapacity: Int
    private var vectors: [Int: DeviceTensor] = [:]
    private var matrices: [Int: DeviceMatrix] = [:]
    private var caches: [Int: (keys: DeviceCache, values: DeviceCache)] = [:]
    private var cacheBuffers: [DeviceBuffer] = []

    /// Loads the weights, reserves the memory, and prepares the segments that are on device `index`.
    ///
    /// - Parameter changesSides: the CPU uses the cache, too, between submissions.
    init(
        _ device: HTPDevice, index: Int, _ graph: Graph, _ plan: Plan, _ weights: CPUWeights,
        _ pool: ThreadPool, _ options: Executor.Options, changesSides: Bool
    ) throws {
        (self.device, self.graph, rowCapacity) = (device, graph, options.batch)
        let own = plan.segments.indices.filter { plan.segments[$0].place == .htp(index) }
        let operations = own.flatMap { Array(plan.segments[$0].operations) }
        memory = ActivationMemory(
            graph, rows: options.batch, outputRows: options.outputRows, of: Set(operations),
            fused: Self.fused(graph))

        // Activations, angles, chosen rows, vectors of weights.
        var end = 0
        func reserve(_ bytes: Int) -> Int {
            defer { end += (bytes + TileKind.vectorBytes - 1) / TileKind.vectorBytes * TileKind.vectorBytes }
            return end
        }
        let float = MemoryLayout<Float>.size
        _ = reserve(memory.count * float)
        let angleStride = 2 * float * graph.shape.rotation.frequencies.count
        let anglesAt = reserve(options.batch * angleStride)
        let selectionAt = reserve(options.outputRows * MemoryLayout<Int32>.size)
        var places: [Int: Int] = [:]
        for weight in operations.compactMap({ graph.operations[$0].weight }) {
            if let vector = weights.vectors[weight], places[weight] == nil {
                places[weight] = reserve(vector.count * float)
            }
        }
        activations = try device.makeBuffer(byteCount: end)
        angles = DeviceTensor(activations, offset: anglesAt, stride: angleStride, isShared: true)
        selection = DeviceTensor(
            activations, offset: selectionAt, stride: MemoryLayout<Int32>.size, isShared: true)
        for (weight, offset) in places {
            guard weights.vectors[weight]?.allSatisfy(\.isFinite) ?? true else {
                // The program's quantised activations can be nothing but numbers: it would compute on with nonsense.
                throw RuntimeError(
                    "\(weights.path): tensor \(quoted(graph.weights[weight].name)) holds values that are not numbers; "
                        + "the file is damaged or not supported")
            }
            vectors[weight] = DeviceTensor(activations, offset: offset, stride: 0)
        }
        try activations.withBytes(.write) { bytes in
            for (weight, offset) in places {
                weights.vectors[weight]?.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + $0.count])
                        .copyMemory(from: $0)
                }
            }
        }

        try loadMatrices(operations, weights, pool, options)
        try reserveCaches(operations, capacity: options.contextLength)
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

    // MARK: Memory

    private func loadMatrices(
        _ operations: [Int], _ weights: CPUWeights, _ pool: ThreadPool, _ options: Executor.Options
    ) throws {
        var needed: [Int] = []
        for case .matmul(let weight, _, _) in operations.map({ graph.operations[$0].kind })
        where !needed.contains(weight) {
            needed.append(weight)
        }
        let repackable = try needed.map(weights.repackable)
        let cache = try options.repackCache.flatMap { folder in
            try RepackCache(
                folder: folder, model: weights.file, matrices: repackable, onNotice: options.onNotice)
        }
        // Where the CPU computes nothing, it will not read them again.
        let isAlone = options.placement == .all
        let loaded = try device.load(
            repackable, kernels: .best, store: cache,
            repacked: { if isAlone { weights.release(needed[$0], $1) } }
        ) { pool.run(chunks: $0, $1) }
        isFromCache = cache?.wasRead ?? false
        if isFromCache, isAlone {
            // What was looked at to know the model again.
            for (weight, matrix) in zip(needed, repackable) {
                weights.release(weight, 0..<matrix.bytes.count)
            }
        }
        for (weight, number) in zip(needed, loaded) { matrices[weight] = device.matrix(number) }
    }

    private func reserveCaches(_ operations: [Int], capacity: Int) throws {
        let layers = Set(
            operations.compactMap { operation in
                switch graph.operations[operation].kind {
                case .store(_, _, let layer), .attention(_, let layer, _): layer
                default: nil
                }
            }
        ).sorted()
        guard !layers.isEmpty else { return }
        guard let layerBytes = KeyValueCache.layerBytes(graph.shape, capacity: capacity) else {
            throw KeyValueCache.tooLarge(capacity)
        }
        let perBuffer = max(HTPDevice.bufferBytes / layerBytes, 1)
        let shape = graph.shape
        for first in stride(from: 0, to: layers.count, by: perBuffer) {
            let group = layers[first..<min(first + perBuffer, layers.count)]
            let buffer = try device.makeBuffer(byteCount: group.count * layerBytes, isZeroed: false)
            cacheBuffers.append(buffer)
            cacheBytes += group.count * layerBytes
            for (place, layer) in group.enumerated() {
                func cache(_ size: Int, _ offset: Int) -> DeviceCache {
                    DeviceCache(
                        buffer, offset: place * layerBytes + offset, element: .f32,
                        heads: shape.keyValueHeads,
                        size: size, capacity: capacity)
                }
                caches[layer] = (
                    cache(shape.keySize, 0),
                    cache(shape.valueSize, KeyValueCache.keyBytes(shape, capacity: capacity))
                )
            }
        }
    }

    // MARK: Operations

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

    private func prepare(_ segment: Plan.Segment, changesSides: Bool) throws -> Segment {
        var lowering = Lowering(self, segment)
        var index = segment.operations.lowerBound
        while index < segment.operations.upperBound {
            index += lowering.lower(index)
        }
        if changesSides {
            for buffer in cacheBuffers { lowering.builder.share(buffer) }
        }
        var work = (tokens: Work(), outputs: Work())
        for case .matmul(let weight, _, let output) in graph.operations[segment.operations].map(\.kind) {
            let size = graph.weights[weight].rows * graph.weights[weight].columns
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
            needsAngles: lowering.usesAngles, needsSelection: lowering.usesSelection,
            hasTokenRows: graph.operations[segment.operations].contains { operation in
                operation.output.map { graph.tensors[$0].rows == .tokens } ?? true
            },
            tokenWork: work.tokens, outputWork: work.outputs)
    }

    /// Turns a segment's operations into those of a batch.
    private struct Lowering {
        let owner: DeviceGraph
        let segment: Plan.Segment
        var builder = BatchBuilder()
        var usesAngles = false
        var usesSelection = false
        /// Inputs that the DSP has not read yet.
        private var unread: Set<Int>
        /// The tensor that the last operation left in the form that products take.
        private var quantized: Int?
        /// Keys that are turned as they are stored.
        private var turnedLater: Set<Int> = []

        init(_ owner: DeviceGraph, _ segment: Plan.Segment) {
            (self.owner, self.segment) = (owner, segment)
            unread = Set(segment.inputs)
        }

        private var graph: Graph { owner.graph }

        private func tensor(_ index: Int, isShared: Bool) -> DeviceTensor {
            let float = MemoryLayout<Float>.size
            return DeviceTensor(
                owner.activations, offset: owner.memory.offsets[index] * float,
                stride: graph.tensors[index].width * float, isShared: isShared)
        }

        /// What the host wrote is fetched once: later the DSP's own writes may be there.
        private mutating func source(_ index: Int) -> DeviceTensor {
            tensor(index, isShared: unread.remove(index) != nil)
        }

        private func target(_ index: Int) -> DeviceTensor {
            tensor(index, isShared: segment.outputs.contains(index))
        }

        private func rows(_ index: Int) -> BatchBuilder.Rows {
            graph.tensors[index].rows == .outputs ? .outputs : .tokens
        }

        private mutating func turns() -> DeviceAngles {
            usesAngles = true
            return DeviceAngles(
                owner.angles, pairs: graph.shape.rotation.frequencies.count,
                halves: graph.shape.rotation.pairing != .neighbours, byPosition: false)
        }

        /// Adds operation `index` and those that are computed with it; returns how many they are.
        mutating func lower(_ index: Int) -> Int {
            let product = quantized
            quantized = nil
            switch graph.operations[index].kind {
            case .embed:
                preconditionFailure("embeddings are the CPU's")
            case .rmsNorm(let input, let weight, let epsilon, let output):
                norm(
                    source(input), nil, nil, weight, epsilon, output,
                    isBeforeProduct: isProduct(index + 1, of: output))
            case .matmul(let weight, let input, let output):
                guard let matrix = owner.matrices[weight] else {
                    preconditionFailure("a weight is not loaded")
                }
                builder.matmul(
                    matrix, source(input), to: target(output), rows: rows(output),
                    isQuantized: product == input)
                quantized = input
            case .rotate(let tensor, let heads, let size):
                if isStoredAsKey(tensor, after: index) {
                    turnedLater.insert(tensor)
                } else {
                    let angles = turns()
                    builder.rotate(source(tensor), heads: heads, size: size, by: angles, to: target(tensor))
                }
            case .store(let key, let value, let layer):
                guard let cache = owner.caches[layer] else { preconditionFailure("a layer without a cache") }
                let angles = turnedLater.remove(key) != nil ? turns() : nil
                builder.store(source(key), by: angles, to: cache.keys)
                builder.store(source(value), to: cache.values)
            case .attention(let query, let layer, let output):
                guard let cache = owner.caches[layer] else { preconditionFailure("a layer without a cache") }
                let shape = graph.shape
                builder.attention(
                    source(query), keys: cache.keys, values: cache.values,
                    .init(
                        group: shape.heads / shape.keyValueHeads, scale: 1 / Float(shape.keySize).squareRoot()
                    ),
                    to: target(output))
            case .add(let a, let b, let sum):
                if index + 1 < segment.operations.upperBound,
                    case .rmsNorm(sum, let weight, let epsilon, let output) = graph.operations[index + 1].kind
                {
                    norm(
                        source(a), source(b), target(sum), weight, epsilon, output,
                        isBeforeProduct: isProduct(index + 2, of: output))
                    return 2
                }
                builder.add(
                    source(a), source(b), width: graph.tensors[sum].width, to: target(sum), rows: rows(sum))
            case .swiGLU(let gate, let up, let output):
                builder.activate(
                    source(gate), .silu, times: source(up), width: graph.tensors[output].width,
                    to: target(output), rows: rows(output))
            case .selectOutputs(let input, let output):
                usesSelection = true
                builder.rows(
                    of: DeviceTable(
                        source(input), element: .f32, rows: owner.rowCapacity,
                        width: graph.tensors[input].width),
                    owner.selection, to: target(output), rows: .outputs)
            }
            return 1
        }

        private mutating func norm(
            _ input: DeviceTensor, _ addend: DeviceTensor?, _ sum: DeviceTensor?, _ weight: Int,
            _ epsilon: Float,
            _ output: Int, isBeforeProduct: Bool
        ) {
            builder.norm(
                input, width: graph.tensors[output].width, epsilon: epsilon, adding: addend, sum: sum,
                weight: owner.vectors[weight], to: target(output), rows: rows(output),
                quantizes: isBeforeProduct)
            if isBeforeProduct { quantized = output }
        }

        private func isProduct(_ index: Int, of tensor: Int) -> Bool {
            guard index < segment.operations.upperBound,
                case .matmul(_, tensor, _) = graph.operations[index].kind
            else { return false }
            return true
        }

        /// Whether the only use of a tensor that comes is its way into the cache, in this segment.
        private func isStoredAsKey(_ tensor: Int, after index: Int) -> Bool {
            let users = graph.operations.indices.filter {
                $0 > index && graph.operations[$0].inputs.contains(tensor)
            }
            guard let user = users.first, users.count == 1, user < segment.operations.upperBound,
                case .store(tensor, let value, _) = graph.operations[user].kind
            else { return false }
            return value != tensor
        }
    }
}
