import GGUF
import HTPDevice
import Models
import Quantization
import Runtime

/// What the engine would do with a model, found out without loading it.
public struct ModelOutlook: Sendable {
    /// Products that a DSP would not compute, for one reason.
    public struct Refusal: Sendable {
        /// Why not.
        public var reason: String
        /// The operations' names.
        public var products: [String]
    }

    /// Bytes that a model takes with a context, where the weights' own are in the file's mapping.
    public struct Memory: Sendable {
        /// Tokens of the context.
        public var contextLength: Int
        /// Bytes of the key/value cache.
        public var contextBytes: Int
        /// Bytes of activations on the CPU.
        public var computeBytes: Int
        /// Bytes of the weights in a DSP's tiles.
        public var deviceModelBytes: Int
        /// Bytes of activations and commands for a DSP.
        public var deviceComputeBytes: Int
    }

    /// Attention of the model's layers.
    public struct Attention: Sendable {
        /// Query heads of a layer.
        public var heads: Int
        /// Heads of its keys and values.
        public var keyValueHeads: Int
        /// Floats of a key.
        public var keySize: Int
        /// Floats of a value.
        public var valueSize: Int
        /// Layers by the positions that they see; 0 for all.
        public var layersByWindow: [Int: Int]
    }

    /// Matrix products of a token's forward pass.
    public var products: Int
    /// Those that a DSP computes.
    public var offloadedProducts: Int { products - refusals.reduce(0) { $0 + $1.products.count } }
    /// The others.
    public var refusals: [Refusal]
    /// Attention as it is computed.
    public var attention: Attention
    /// What it takes.
    public var memory: Memory

    /// Finds it out. Throws, in one line, what the engine would say if it were to run the model.
    ///
    /// - Parameter contextLength: 0 for the model's own, at most 4096.
    public init(_ file: GGUFFile, contextLength: Int = 0) throws {
        let graph = try Architecture.graph(of: file)
        let shape = graph.shape
        let context = contextLength > 0 ? contextLength : min(shape.contextLength, 4096)
        let options = Executor.Options(threads: 1, contextLength: context, batch: max(1, min(512, context)))
        let planner = try Planner(graph, file: file, options: options)
        let (plan, planned) = planner.plan(for: [nil])

        products = graph.operations.count(where: \.isProduct)
        refusals = plan.refusedProducts(graph).reduce(into: []) { refusals, refusal in
            if let index = refusals.firstIndex(where: { $0.reason == refusal.reason }) {
                refusals[index].products.append(refusal.name)
            } else {
                refusals.append(Refusal(reason: refusal.reason, products: [refusal.name]))
            }
        }
        var windows: [Int: Int] = [:]
        for operation in graph.operations {
            if case .attention(_, _, let attention, _) = operation.kind {
                windows[attention.window, default: 0] += 1
            }
        }
        attention = Attention(
            heads: shape.heads, keyValueHeads: shape.keyValueHeads, keySize: shape.keySize,
            valueSize: shape.valueSize, layersByWindow: windows)
        let activations = ActivationMemory(
            graph, rows: options.batch, outputRows: options.outputRows, fused: graph.loopsWithNext)
        let session = planned.sessions[0]
        memory = Memory(
            contextLength: context, contextBytes: session.contextBytes,
            computeBytes: activations.count * MemoryLayout<Float>.size, deviceModelBytes: session.modelBytes,
            deviceComputeBytes: session.computeBytes)
    }

    /// The architectures that the engine computes.
    public static var architectures: [String] { Architecture.names }
    /// Whether the engine reads tensors of a type.
    public static func computes(_ type: TensorType) -> Bool { type.hasReadableRows }
    /// Whether the DSP program multiplies by matrices of a type.
    public static func offloads(_ type: TensorType) -> Bool { WeightMatrix.format(of: type) != nil }
}
