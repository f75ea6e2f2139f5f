import CPUKernels
import GGUF
import HTPDevice
import Models

/// Runs a graph on the devices of its plan, token batch by token batch, and keeps the cache between them.
///
/// One thread at a time may use it.
package final class Executor {
    /// Rows whose logits are wanted.
    package enum Outputs: Sendable {
        case none
        case last
        case all
    }

    package struct Options: Sendable {
        /// CPU threads.
        package var threads: Int
        /// Tokens that the cache holds.
        package var contextLength: Int
        /// Tokens computed at once.
        package var batch: Int
        /// Tokens of a batch whose logits may be wanted; a vocabulary's logits are large.
        package var outputRows: Int { min(batch, 32) }

        package init(threads: Int, contextLength: Int, batch: Int) {
            self.threads = threads
            self.contextLength = contextLength
            self.batch = batch
        }
    }

    package let graph: Graph
    package let plan: Plan
    package let devices: [HTPDevice]
    package let options: Options
    /// Tokens in the cache.
    package private(set) var position = 0
    package internal(set) var counters = ExecutionCounters()
    /// Bytes of the cache with a full context.
    package var cacheBytes: Int { cache.byteCount }
    /// Bytes of activations.
    package var activationBytes: Int { memory.count * MemoryLayout<Float>.size }

    /// Bytes of the weights that the CPU reads.
    package var cpuModelBytes: Int {
        var used: Set<Int> = []
        for (operation, place) in zip(graph.operations, plan.places) where place == .cpu {
            if let weight = operation.weight { used.insert(weight) }
        }
        return used.reduce(0) { $0 + weights.matrices[$1].tensor.byteCount }
    }

    let kernels: cpu_kernels
    let pool: ThreadPool
    let weights: CPUWeights
    let cache: KeyValueCache
    /// For each segment on a DSP, its products.
    private let offloaded: [OffloadedProducts?]
    private let memory: ActivationMemory
    private let activations: UnsafeMutablePointer<Float>
    /// Room for a batch of quantised activations of the widest product.
    let quantized: UnsafeMutableRawPointer
    /// The tensor whose rows `quantized` holds, until one is overwritten.
    var quantizedTensor: Int?

    /// Places a model: loads the weights of offloaded products into the DSPs' memory and reserves the cache.
    package init(_ graph: Graph, file: GGUFFile, devices: [HTPDevice], options: Options) throws {
        guard let kernels = cpu_kernels_get(cpu_kernels_best())?.pointee else {
            throw RuntimeError("this processor has no kernels")
        }
        self.graph = graph
        self.devices = devices
        self.options = options
        self.kernels = kernels
        pool = ThreadPool(threads: options.threads)
        plan = try Plan(graph, file: file, deviceCount: devices.count)
        weights = try CPUWeights(graph, file: file, kernels: kernels)
        cache = try KeyValueCache(graph.shape, capacity: options.contextLength)
        memory = ActivationMemory(graph, rows: options.batch, outputRows: options.outputRows)
        guard PhysicalMemory.bytes(MemoryLayout<Float>.size, memory.count) != nil else {
            throw RuntimeError(
                "\(file.path): the activations of \(options.batch) tokens do not fit into memory; "
                    + "choose a smaller batch (-b)")
        }
        offloaded = try Self.load(graph, plan, weights, devices, pool, options)
        activations = .allocate(capacity: memory.count)
        activations.initialize(repeating: 0, count: memory.count)
        let widest = graph.weights.map(\.columns).max() ?? 0
        quantized = .allocate(
            byteCount: max(cpu_activation_bytes((widest + 31) / 32 * 32) * options.batch, 1), alignment: 64)
    }

    deinit {
        activations.deallocate()
        quantized.deallocate()
    }

    /// Computes the next tokens.
    ///
    /// - Parameters:
    ///   - tokens: 1 to `options.batch` ids below the vocabulary's size.
    ///   - outputs: whose logits are wanted; of all only where there are at most `options.outputRows` tokens.
    /// - Returns: a row of `shape.vocabulary` floats per wanted token, valid until the next call.
    package func evaluate(
        _ tokens: some RandomAccessCollection<Int32>, outputs: Outputs
    ) throws -> UnsafeBufferPointer<Float> {
        guard (1...options.batch).contains(tokens.count) else {
            throw RuntimeError("\(tokens.count) tokens at once; the batch holds \(options.batch)")
        }
        guard position + tokens.count <= options.contextLength else {
            throw RuntimeError("the context of \(options.contextLength) tokens is full")
        }
        guard tokens.allSatisfy({ 0 <= $0 && $0 < graph.shape.vocabulary }) else {
            throw RuntimeError("a token id is outside the vocabulary of \(graph.shape.vocabulary)")
        }
        guard outputs != .all || tokens.count <= options.outputRows else {
            throw RuntimeError("logits of \(tokens.count) tokens at once; \(options.outputRows) are possible")
        }
        let firstOutput =
            switch outputs {
            case .none: tokens.count
            case .last: tokens.count - 1
            case .all: 0
            }
        let step = Step(
            tokens: Array(tokens), position: position, firstOutput: firstOutput,
            rotations: RotationTable(graph.shape.rotation, positions: position..<position + tokens.count))
        quantizedTensor = nil
        for (index, segment) in plan.segments.enumerated() {
            switch (segment.place, offloaded[index]) {
            case (.htp(let device), let products?):
                try run(products, on: devices[device], step)
            default:
                for operation in segment.operations { try runOnCPU(graph.operations[operation], step) }
            }
        }
        position += tokens.count
        return UnsafeBufferPointer(
            start: pointer(graph.logits), count: step.outputRows * graph.shape.vocabulary)
    }

    /// Forgets all tokens from `position` on.
    package func rewind(to position: Int) {
        precondition((0...self.position).contains(position))
        self.position = position
    }

    /// Where a tensor's rows begin.
    func pointer(_ tensor: Int) -> UnsafeMutablePointer<Float> {
        activations + memory.offsets[tensor]
    }

    /// Rows of a tensor in a step.
    func rows(_ tensor: Int, _ step: Step) -> Int {
        graph.tensors[tensor].rows == .outputs ? step.outputRows : step.tokens.count
    }
}

/// One call of ``Executor/evaluate(_:outputs:)``.
struct Step {
    var tokens: [Int32]
    /// Position of the first token.
    var position: Int
    /// First row whose logits are wanted.
    var firstOutput: Int
    var rotations: RotationTable
    var outputRows: Int { tokens.count - firstOutput }
}
