import CPUKernels
import GGUF
import Glibc
import HTPDevice
import HexagonRPC
import Models

/// Finds out what a model needs, and divides it among devices, before anything is loaded.
package final class Planner {
    package let graph: Graph
    package let options: Executor.Options
    let file: GGUFFile
    let kernels: UnsafePointer<cpu_kernels>
    let weights: CPUWeights
    let cacheLayout: CacheLayout
    /// Why a DSP cannot run each operation, or should not; nil where it can.
    private let refusals: [String?]
    /// The part of the model that each operation belongs to.
    private let partOfOperation: [Int]
    private let parts: [LayerSplit.Part]
    /// Bytes of activations and the like for a session without the last part, and with it.
    private let overhead: (layers: Int, last: Int)

    /// Opens the weights; nothing of them is read.
    package init(_ graph: Graph, file: GGUFFile, options: Executor.Options) throws {
        guard let kernels = cpu_kernels_get(options.kernelLevel) else {
            throw RuntimeError("this processor has no kernels of level \(options.kernelLevel)")
        }
        (self.graph, self.file, self.options, self.kernels) = (graph, file, options, kernels)
        cacheLayout = try CacheLayout(graph, path: file.path, options)
        weights = try CPUWeights(graph, file: file)
        refusals = try graph.operations.map { try Plan.refusal($0, graph, file) }

        // What has no layer comes before the first one or after the last.
        let last = graph.shape.layers
        let firstInLayer = graph.operations.firstIndex { $0.layer != nil } ?? 0
        let partOfOperation = graph.operations.indices.map { index in
            graph.operations[index].layer ?? (index < firstInLayer ? 0 : last)
        }
        self.partOfOperation = partOfOperation
        parts = Self.parts(graph, partOfOperation, refusals, weights, cacheLayout)
        let (weights, refusals) = (weights, refusals)
        func bytes(_ isIncluded: (Int) -> Bool) -> Int {
            let own = graph.operations.indices.filter {
                refusals[$0] == nil && isIncluded(partOfOperation[$0])
            }
            let layout = DeviceLayout(graph, operations: own, vectors: weights.vectors, options)
            return layout.byteCount - layout.vectorBytes(weights)
        }
        let layers = bytes { $0 < last }
        overhead = (layers, max(bytes { _ in true } - layers, 0))
    }

    private static func parts(
        _ graph: Graph, _ partOfOperation: [Int], _ refusals: [String?], _ weights: CPUWeights,
        _ cache: CacheLayout
    ) -> [LayerSplit.Part] {
        var parts = [LayerSplit.Part](repeating: LayerSplit.Part(), count: graph.shape.layers + 1)
        var counted: [Set<Int>] = Array(repeating: [], count: parts.count)
        for index in graph.operations.indices where refusals[index] == nil {
            let part = partOfOperation[index]
            parts[part].otherBytes += BatchLayout.operationBytes
            if case .attention(_, let layer, _, _) = graph.operations[index].kind {
                parts[part].contextBytes += cache.layerBytes(layer)
            }
            guard let weight = graph.operations[index].weight, counted[part].insert(weight).inserted else {
                continue
            }
            if let vector = weights.vectors[weight] {
                parts[part].otherBytes += vector.count * MemoryLayout<Float>.size + TileKind.vectorBytes
            } else {
                parts[part].modelBytes += weights.tiledByteCount(weight)
            }
        }
        return parts
    }

    /// Divides the model among devices, as far as the placement leaves anything to them.
    package func plan(on devices: [HTPDevice]) -> (plan: Plan, memory: MemoryPlan) {
        plan(for: options.placement == .none ? [] : devices.map(\.memory))
    }

    /// Divides the model among sessions.
    ///
    /// - Parameter sessions: what is known of the memory of each.
    package func plan(for sessions: [SessionMemory?]) -> (plan: Plan, memory: MemoryPlan) {
        let split = LayerSplit(parts, among: rooms(sessions))
        let plan = Plan(graph, refusals, partOfOperation, split, sessionCount: sessions.count)
        let planned = sessions.enumerated().map { number, memory in
            let own = split.sessions.indices.filter { split.sessions[$0] == number }
            let operations = plan.operations(on: .htp(number))
            let layout = DeviceLayout(graph, operations: operations, vectors: weights.vectors, options)
            let commands = operations.count * BatchLayout.operationBytes
            return MemoryPlan.Session(
                memory: memory, parts: own, modelBytes: own.reduce(0) { $0 + parts[$1].modelBytes },
                contextBytes: own.reduce(0) { $0 + parts[$1].contextBytes },
                computeBytes: layout.byteCount + commands)
        }
        return (
            plan,
            MemoryPlan(
                sessions: planned, homeless: sessions.isEmpty ? [] : split.homeless,
                cache: cacheLayout.description)
        )
    }

    /// What sessions can hold: the machine's memory is one for all of them.
    private func rooms(_ sessions: [SessionMemory?]) -> [LayerSplit.Room] {
        let page = sysconf(CInt(_SC_PAGESIZE))
        // Every buffer ends with a part of a page, and every segment has a buffer of commands.
        let segments = refusals.count { $0 != nil } + 1
        let fixed = overhead.layers + (segments + 8) * page + segments * BatchLayout.buffersMax * 16
        let wanted = sessions.map { $0?.freeByteCount ?? Self.unlimited }
        let machine = sessions.compactMap { $0?.machineByteCount }.min()
        let sum = wanted.reduce(0) { min($0 + $1, Self.unlimited) }
        let share = min(1, Double(machine ?? Self.unlimited) / Double(max(sum, 1)))
        return wanted.map { bytes in
            LayerSplit.Room(
                byteCount: max(Int(Double(bytes) * share) - fixed, 0), lastPartBytes: overhead.last)
        }
    }

    private static let unlimited = 1 << 50
}

/// What of a model each session will hold, in bytes.
package struct MemoryPlan: Sendable {
    package struct Session: Sendable {
        /// The session's memory before anything is loaded; nil where the transport cannot say.
        package var memory: SessionMemory?
        /// Numbers of layers, and that after the last for what follows it.
        package var parts: [Int]
        package var modelBytes: Int
        package var contextBytes: Int
        package var computeBytes: Int
        package var byteCount: Int { modelBytes + contextBytes + computeBytes }
    }

    package var sessions: [Session]
    /// Parts that no session has room for.
    package var homeless: [Int]
    /// How keys and values are kept.
    package var cache: String
}

extension DeviceLayout {
    /// Bytes of vectors of weights.
    fileprivate func vectorBytes(_ weights: CPUWeights) -> Int {
        vectorOffsets.keys.reduce(0) { $0 + (weights.vectors[$1]?.count ?? 0) * MemoryLayout<Float>.size }
    }
}
