import HTPDevice
import Models

extension DeviceGraph {
    /// Turns a segment's operations into those of a batch.
    struct Lowering {
        let owner: DeviceGraph
        let segment: Plan.Segment
        var builder = BatchBuilder()
        /// Rotations whose angles it needs.
        var rotations: Set<Int> = []
        var usesSelection = false
        /// Inputs that the DSP has not read yet.
        private var unread: Set<Int>
        /// The tensor whose rows the program has in the form that products take, and how closely.
        private var quantized: (tensor: Int, precision: ProductPrecision)?
        /// The last choice of experts in the graph, or 0. What comes before it is computed closely: a small difference
        /// may make another choice, and then a large one.
        private let lastChoice: Int
        /// Keys that are turned as they are stored, and by which rotation.
        private var turnedLater: [Int: Int] = [:]

        init(_ owner: DeviceGraph, _ segment: Plan.Segment) {
            (self.owner, self.segment) = (owner, segment)
            unread = Set(segment.inputs)
            lastChoice =
                owner.graph.operations.lastIndex { if case .route = $0.kind { true } else { false } } ?? 0
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

        /// Ends with the most likely tokens.
        mutating func chooseCandidates() {
            let candidates = owner.candidates
            builder.top(
                candidates.count, of: source(graph.logits), width: graph.shape.vocabulary,
                places: candidates.places, values: candidates.values)
        }

        private func rows(_ index: Int) -> BatchBuilder.Rows {
            graph.tensors[index].rows == .outputs ? .outputs : .tokens
        }

        private mutating func turns(_ rotation: Int) -> DeviceAngles {
            rotations.insert(rotation)
            let kind = graph.shape.rotations[rotation]
            return DeviceAngles(
                owner.angles[rotation], pairs: kind.frequencies.count, halves: kind.pairing == .halves,
                byPosition: false)
        }

        /// The experts' numbers and their weights, which share the rows of a tensor.
        private mutating func chosen(_ routing: Int) -> (
            numbers: DeviceTensor, weights: DeviceTensor, count: Int
        ) {
            halves(of: source(routing), routing)
        }

        private func halves(
            of tensor: DeviceTensor, _ routing: Int
        ) -> (numbers: DeviceTensor, weights: DeviceTensor, count: Int) {
            let count = graph.tensors[routing].width / 2
            var weights = tensor
            weights.offset += count * MemoryLayout<Float>.size
            return (tensor, weights, count)
        }

        private func vector(_ weight: Int) -> DeviceTensor {
            guard let vector = owner.vectors[weight] else { preconditionFailure("a vector is not loaded") }
            return vector
        }

        /// Adds operation `index` and those that are computed with it; returns how many they are.
        mutating func lower(_ index: Int) -> Int {
            let operation = graph.operations[index]
            if case .add(let a, let b, let sum) = operation.kind, index + 1 < segment.operations.upperBound,
                case .rmsNorm(sum, let weight, let epsilon, let output) = graph.operations[index + 1].kind
            {
                norm(source(a), source(b), target(sum), weight, epsilon, output, before: index + 2)
                return 2
            }
            if let output = operation.output, output == quantized?.tensor { quantized = nil }
            if operation.isProduct {
                product(operation, index < lastChoice ? .double : .single)
            } else if !mixture(operation) {
                plain(operation, index)
            }
            return 1
        }

        /// Whether the program has a tensor in the form that a product takes.
        private func isQuantized(_ tensor: Int, _ precision: ProductPrecision) -> Bool {
            quantized?.tensor == tensor && (quantized?.precision == precision || precision == .single)
        }

        private mutating func product(_ operation: Operation, _ precision: ProductPrecision) {
            guard let weight = operation.weight, let matrix = owner.matrices[weight] else {
                preconditionFailure("a weight is not loaded")
            }
            switch operation.kind {
            case .matmul(_, let input, let output):
                let isReady = isQuantized(input, precision)
                builder.matmul(
                    matrix, source(input), to: target(output), rows: rows(output), isQuantized: isReady,
                    precision: precision)
                if !isReady { quantized = (input, precision) }
            case .matmulExperts(_, let input, let routing, let output):
                let hasOwnSources = graph.tensors[input].width != matrix.columns
                let chosen = chosen(routing)
                let isReady = !hasOwnSources && isQuantized(input, precision)
                builder.matmul(
                    matrix, experts: graph.weights[weight].experts, chosen.numbers, count: chosen.count,
                    source(input), hasOwnSources: hasOwnSources, to: target(output), rows: rows(output),
                    isQuantized: isReady, precision: precision)
                if !isReady { quantized = hasOwnSources ? nil : (input, precision) }
            default: preconditionFailure("not a product")
            }
        }

        /// Adds what belongs to a mixture of experts; returns whether it was such an operation.
        private mutating func mixture(_ operation: Operation) -> Bool {
            switch operation.kind {
            case .route(let logits, let routing, let output):
                let chosen = halves(of: target(output), output)
                builder.route(
                    source(logits),
                    ExpertRouting(
                        experts: routing.experts, count: routing.count,
                        gate: routing.gate == .softmax ? .softmax : .softmaxOfChosen,
                        normalizes: routing.normalizes, scale: routing.scale),
                    chosen: chosen.numbers, weights: chosen.weights, rows: rows(output))
            case .addExpertBiases(let tensor, let weight, let routing):
                let chosen = chosen(routing)
                builder.addRows(
                    of: vector(weight), tableRows: graph.weights[weight].rows, chosen.numbers,
                    to: source(tensor), count: chosen.count, width: graph.weights[weight].columns,
                    destination: target(tensor), rows: rows(tensor))
            case .mix(let input, let routing, let output):
                let chosen = chosen(routing)
                builder.mix(
                    source(input), weights: chosen.weights, count: chosen.count,
                    width: graph.tensors[output].width, to: target(output), rows: rows(output))
            default: return false
            }
            return true
        }

        private mutating func plain(_ operation: Operation, _ index: Int) {
            switch operation.kind {
            case .rmsNorm(let input, let weight, let epsilon, let output):
                norm(source(input), nil, nil, weight, epsilon, output, before: index + 1)
            case .addBias(let tensor, let weight):
                builder.add(
                    source(tensor), vector(weight), width: graph.tensors[tensor].width, to: target(tensor),
                    rows: rows(tensor))
            case .rotate(let tensor, let heads, let size, let rotation):
                if isStoredAsKey(tensor, after: index) {
                    turnedLater[tensor] = rotation
                } else {
                    let angles = turns(rotation)
                    builder.rotate(source(tensor), heads: heads, size: size, by: angles, to: target(tensor))
                }
            case .store(let key, let value, let layer):
                let cache = cache(layer)
                let angles = turnedLater.removeValue(forKey: key).map { turns($0) }
                builder.store(source(key), by: angles, to: cache.keys)
                builder.store(source(value), to: cache.values)
            case .attention(let query, let layer, let attention, let output):
                let cache = cache(layer)
                builder.attention(
                    source(query), keys: cache.keys, values: cache.values,
                    sinks: attention.sinks.map(vector),
                    .init(
                        group: graph.shape.heads / graph.shape.keyValueHeads, scale: attention.scale,
                        window: attention.window, cap: attention.cap),
                    to: target(output))
            case .add(let a, let b, let sum):
                builder.add(
                    source(a), source(b), width: graph.tensors[sum].width, to: target(sum), rows: rows(sum))
            case .activate(let activation, let gate, let up, let output):
                builder.activate(
                    source(gate), activation.onDevice, times: source(up), width: graph.tensors[output].width,
                    to: target(output), rows: rows(output))
            case .scale(let tensor, let factor, let cap):
                builder.scale(
                    source(tensor), by: factor, cap: cap, width: graph.tensors[tensor].width,
                    to: target(tensor), rows: rows(tensor))
            case .selectOutputs(let input, let output):
                usesSelection = true
                builder.rows(
                    of: DeviceTable(
                        source(input), element: .f32, rows: owner.rowCapacity,
                        width: graph.tensors[input].width),
                    owner.selection, to: target(output), rows: .outputs)
            case .embed, .matmul, .matmulExperts, .route, .addExpertBiases, .mix:
                preconditionFailure("\(operation.name) is not lowered here")
            }
        }

        private func cache(_ layer: Int) -> (keys: DeviceCache, values: DeviceCache) {
            guard let cache = owner.caches[layer] else { preconditionFailure("a layer without a cache") }
            return cache
        }

        /// Adds a norm, of a sum if there is an addend; `next` is the operation that follows.
        private mutating func norm(
            _ input: DeviceTensor, _ addend: DeviceTensor?, _ sum: DeviceTensor?, _ weight: Int,
            _ epsilon: Float, _ output: Int, before next: Int
        ) {
            let size = graph.weights[weight].columns
            let isBeforeProduct = isProduct(next, of: output) && next > lastChoice
            builder.norm(
                input, width: size, groups: graph.tensors[output].width / size, epsilon: epsilon,
                adding: addend, sum: sum, weight: vector(weight), to: target(output), rows: rows(output),
                quantizes: isBeforeProduct)
            if isBeforeProduct { quantized = (output, .single) }
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

extension Activation {
    /// As the DSP program has it.
    fileprivate var onDevice: ActivationFunction {
        switch self {
        case .silu: .silu
        case .gelu: .gelu
        case .reluSquared: .reluSquared
        case .clampedSwiGLU(let alpha, let limit): .swiGLUClamped(alpha: alpha, limit: limit)
        }
    }
}
