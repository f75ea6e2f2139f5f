import HTPDevice
import Models

extension DeviceGraph {
    /// Turns a segment's operations into those of a batch.
    struct Lowering {
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
