import CPUKernels
import GGUF
import Glibc
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

    /// What a call of ``evaluate(_:outputs:_:)`` is for.
    package enum Phase: Sendable {
        case prompt
        case generation
    }

    package struct Options: Sendable {
        /// CPU threads.
        package var threads: Int
        /// Tokens that the cache holds.
        package var contextLength: Int
        /// Tokens computed at once.
        package var batch: Int
        /// The instruction set of the CPU's kernels, a number of `cpu_kernels_get`.
        package var kernelLevel = cpu_kernels_best()
        /// CPUs that the threads run on; none for wherever the system puts them.
        package var cpus: [Int] = []
        /// Whether the time of each operation is measured.
        package var profiles = false
        /// How keys and values are kept.
        package var keyType = CacheType.standard
        package var valueType = CacheType.standard
        /// Which phases run on the devices.
        package var placement = Placement.all
        /// A folder in which repacked weights are kept from one run to the next.
        package var repackCache: String?
        /// Gets what the user should know, a line each: a DSP that failed.
        package var onNotice: (@Sendable (String) -> Void)?
        /// What a batch takes longer on a side than it would: devices of every speed for tests.
        package var delay: (@Sendable (_ onDevices: Bool, _ tokens: Int) -> Duration)?
        /// Is asked now and then whether nobody wants the result any more; what runs then throws ``Interruption``.
        package var isInterrupted: (@Sendable () -> Bool)?
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
    package let memoryPlan: MemoryPlan
    package let devices: [HTPDevice]
    package let options: Options
    /// Tokens in the cache.
    package var position: Int { cached.count }
    /// Those tokens.
    var cached: [CachedToken] = []
    package internal(set) var counters = ExecutionCounters()
    /// Bytes of the cache outside the devices with a full context.
    package var cacheBytes: Int { cache.byteCount }
    /// Bytes of activations.
    package var activationBytes: Int {
        memory.count * MemoryLayout<Float>.size + scratch.byteCount + expertScratch.byteCount
    }

    /// Bytes of the weights that the CPU reads.
    package var cpuModelBytes: Int {
        var used: Set<Int> = []
        let isAlone = options.placement != .all
        for (operation, place) in zip(graph.operations, plan.places) where place == .cpu || isAlone {
            if let weight = operation.weight { used.insert(weight) }
        }
        return used.reduce(0) { $0 + weights.matrices[$1].bytes.count }
    }

    let kernels: UnsafePointer<cpu_kernels>
    let attentionKernels: cpu_attention_kernels
    let activationKernels: cpu_activation_kernels
    let expertScratch = ExpertScratch()
    let scratch: AttentionScratch
    package let pool: ThreadPool
    let weights: CPUWeights
    let cache: KeyValueCache
    /// Where the devices' part of the cache lies: a number for each.
    var memoryGenerations: [Int]
    /// What each device computes.
    package let deviceGraphs: [DeviceGraph]
    /// On which side the phases run.
    package internal(set) var sides: Sides
    /// What was measured to choose the sides; nil where they were given.
    package internal(set) var placementReport: PlacementReport?
    /// No device can be used any more.
    var hasLostDevices = false
    /// Failures since the last success.
    var failuresInSequence = 0
    /// Whether a failure was reported: nil for not, true for the loss of all devices.
    var hasTold: Bool?
    private let memory: ActivationMemory
    private let activations: PageMemory
    private let preparedMemory: PageMemory
    /// Room for a batch of prepared activations of the widest product.
    var quantized: UnsafeMutableRawPointer { preparedMemory.start }
    /// Where the time of prompts and of generations went.
    package private(set) var profiles: [Phase: ExecutionProfile] = [:]
    /// What the current evaluation adds to one of them.
    private var profile = ExecutionProfile()
    /// What a DSP sent in place of the last step's logits.
    var candidates: [Candidate]?
    /// What `quantized` holds, until the tensor is overwritten.
    var preparedRows: PreparedRows?

    /// Places a model, see ``init(_:_:devices:)``.
    package convenience init(_ graph: Graph, file: GGUFFile, devices: [HTPDevice], options: Options) throws {
        let planner = try Planner(graph, file: file, options: options)
        try self.init(planner, planner.plan(on: devices), devices: devices)
    }

    /// Places a model: loads the weights of offloaded products into the DSPs' memory and reserves the cache.
    ///
    /// - Parameter planned: the planner's plan on these devices.
    package init(
        _ planner: Planner, _ planned: (plan: Plan, memory: MemoryPlan), devices: [HTPDevice]
    ) throws {
        let (graph, options, kernels, weights) = (
            planner.graph, planner.options, planner.kernels, planner.weights
        )
        (self.graph, self.devices, self.options) = (graph, devices, options)
        (self.kernels, self.weights) = (kernels, weights)
        guard let attention = cpu_attention_kernels_get(options.kernelLevel)?.pointee,
            let activation = cpu_activation_kernels_get(options.kernelLevel)?.pointee
        else {
            throw RuntimeError("this processor has no kernels of level \(options.kernelLevel)")
        }
        (attentionKernels, activationKernels) = (attention, activation)
        scratch = AttentionScratch(graph.shape, batch: options.batch, threads: options.threads)
        sides = Sides(
            promptOnDevices: options.placement != .none,
            generationOnDevices: options.placement == .all || options.placement == .auto)
        pool = ThreadPool(threads: options.threads, cpus: options.cpus)
        let plan = planned.plan
        (self.plan, memoryPlan) = planned
        memory = ActivationMemory(
            graph, rows: options.batch, outputRows: options.outputRows, fused: graph.loopsWithNext)
        guard PhysicalMemory.bytes(MemoryLayout<Float>.size, memory.count) != nil else {
            throw RuntimeError(
                "\(weights.path): the activations of \(options.batch) tokens do not fit into memory; "
                    + "choose a smaller batch (-b)")
        }
        deviceGraphs = try devices.enumerated().map { [pool] index, device in
            do {
                return try DeviceGraph(
                    device, index: index, graph, plan, weights, planner.cacheLayout, pool, options,
                    changesSides: options.placement.changesSides)
            } catch  where HTPDevice.isAboutTheDevice(error) {
                throw DeviceFailure(device: index, error: error)
            }
        }
        memoryGenerations = devices.map(\.memoryGeneration)
        cache = try KeyValueCache(
            planner.cacheLayout,
            shared: try deviceGraphs.reduce(into: [:]) { layers, device in
                layers.merge(try device.cacheLayers()) { $1 }
            })
        let widest = graph.weights.map(\.columns).max() ?? 0
        let preparedBytes = (CPUActivations.float + 1..<CPUActivations.end).map {
            cpu_activation_bytes($0, (widest + 31) / 32 * 32) * options.batch
        }
        guard let activations = PageMemory(byteCount: memory.count * MemoryLayout<Float>.size),
            let preparedMemory = PageMemory(byteCount: preparedBytes.max() ?? 0)
        else {
            throw RuntimeError("no memory for the activations of \(options.batch) tokens")
        }
        (self.activations, self.preparedMemory) = (activations, preparedMemory)
    }

    /// Computes the next tokens.
    ///
    /// - Parameters:
    ///   - tokens: 1 to `options.batch` ids below the vocabulary's size.
    ///   - outputs: whose logits are wanted; of all only where there are at most `options.outputRows` tokens.
    ///   - phase: decides where it runs, see ``Placement``.
    /// - Returns: a row of `shape.vocabulary` floats per wanted token, valid until the next call.
    package func evaluate(
        _ tokens: some RandomAccessCollection<Int32>, outputs: Outputs, _ phase: Phase = .prompt
    ) throws -> UnsafeBufferPointer<Float> {
        try check(tokens)
        guard outputs != .all || tokens.count <= options.outputRows else {
            throw RuntimeError("logits of \(tokens.count) tokens at once; \(options.outputRows) are possible")
        }
        let step = try advance(Array(tokens), outputs, phase, wantsCandidates: false)
        return UnsafeBufferPointer(
            start: pointer(graph.logits), count: step.outputRows * graph.shape.vocabulary)
    }

    /// Computes the next tokens, of which the most likely ``Candidate/count`` are enough: a DSP that has computed all
    /// logits sends no others.
    package func evaluateCandidates(
        _ tokens: some RandomAccessCollection<Int32>, _ phase: Phase = .prompt
    ) throws -> NextToken {
        try check(tokens)
        _ = try advance(Array(tokens), .last, phase, wantsCandidates: true)
        if let candidates { return .candidates(candidates) }
        return .logits(UnsafeBufferPointer(start: pointer(graph.logits), count: graph.shape.vocabulary))
    }

    /// Computes tokens on the side of their phase, again where a device failed at them.
    private func advance(
        _ tokens: [Int32], _ outputs: Outputs, _ phase: Phase, wantsCandidates: Bool
    ) throws -> Step {
        while true {
            let onDevices = usesDevices(in: phase, tokens: tokens.count)
            do {
                try restoreCache()
                let step = try measure(phase, tokens: tokens.count, onDevices: onDevices) {
                    try compute(
                        tokens, at: position, outputs: outputs, onDevices: onDevices,
                        wantsCandidates: wantsCandidates)
                }
                if let delay = options.delay { usleep(UInt32(delay(onDevices, tokens.count).seconds * 1e6)) }
                failuresInSequence = 0
                cached += tokens.map { CachedToken(id: $0, isOnDevices: onDevices) }
                return step
            } catch let failure as DeviceFailure {
                try recover(from: failure)
            }
        }
    }

    /// Adds the time of an evaluation to the profile of its phase.
    private func measure(
        _ phase: Phase, tokens: Int, onDevices: Bool, _ evaluation: () throws -> Step
    ) rethrows -> Step {
        profile = profiles[phase] ?? ExecutionProfile()
        let before = pool.times, start = ContinuousClock.now
        let step = try pool.withCPUs(evaluation)
        let seconds = (ContinuousClock.now - start).seconds
        profile.tokens += tokens
        profile.seconds += seconds
        if !onDevices {
            profile.cpuSeconds += seconds
            profile.waitSeconds += pool.times.waiting(since: before, seconds: seconds)
        }
        profiles[phase] = profile
        return step
    }

    /// Measures an operation, where that is wanted.
    private func profiled(_ name: @autoclosure () -> String, _ body: () throws -> Void) rethrows {
        guard options.profiles else { return try body() }
        let start = ContinuousClock.now
        try body()
        profile.add((ContinuousClock.now - start).seconds, to: name())
    }

    /// Forgets the profiles.
    package func restartProfiles() { profiles = [:] }

    private func check(_ tokens: some RandomAccessCollection<Int32>) throws {
        guard (1...options.batch).contains(tokens.count) else {
            throw RuntimeError("\(tokens.count) tokens at once; the batch holds \(options.batch)")
        }
        guard position + tokens.count <= options.contextLength else {
            throw RuntimeError("the context of \(options.contextLength) tokens is full")
        }
        guard tokens.allSatisfy({ 0 <= $0 && $0 < graph.shape.vocabulary }) else {
            throw RuntimeError("a token id is outside the vocabulary of \(graph.shape.vocabulary)")
        }
    }

    /// Calls `body` while the CPU may use what of the cache is in the memory of devices.
    func withCaches(of devices: ArraySlice<DeviceGraph>, _ body: () throws -> Void) throws {
        guard let first = devices.first else { return try body() }
        try first.withCache { try withCaches(of: devices.dropFirst(), body) }
    }

    private func usesDevices(in phase: Phase, tokens: Int) -> Bool {
        guard !devices.isEmpty, !hasLostDevices else { return false }
        return sides.usesDevices(in: phase, tokens: tokens)
    }

    /// Computes tokens at a position; their keys and values go into the cache.
    @discardableResult
    func compute(
        _ tokens: [Int32], at position: Int, outputs: Outputs, onDevices: Bool, wantsCandidates: Bool = false
    ) throws -> Step {
        let firstOutput =
            switch outputs {
            case .none: tokens.count
            case .last: tokens.count - 1
            case .all: 0
            }
        let step = Step(
            tokens: tokens, position: position, firstOutput: firstOutput, wantsCandidates: wantsCandidates,
            rotations: graph.shape.rotations.map {
                RotationTable(
                    $0, positions: position..<position + tokens.count, contextLength: options.contextLength)
            })
        preparedRows = nil
        candidates = nil
        cache.willStore(before: position + tokens.count)
        guard onDevices else {
            try withCaches(of: deviceGraphs[...]) { try runOnCPU(graph.operations[...], step) }
            return step
        }
        for (index, device) in deviceGraphs.enumerated() {
            do {
                counters.bytesToDSP += try device.begin(step)
            } catch {
                throw DeviceFailure(device: index, error: error)
            }
        }
        for (number, segment) in plan.segments.enumerated() {
            try checkInterruption()
            switch segment.place {
            case .cpu:
                try runOnCPU(graph.operations[segment.operations], step)
            case .htp(let device):
                guard let prepared = deviceGraphs[device].segments[number] else { continue }
                try profiled("devices") { try run(prepared, onDevice: device, step) }
            }
        }
        return step
    }

    /// Runs operations on the CPU in their order; neighbours that one loop can compute run as one.
    private func runOnCPU(_ operations: ArraySlice<Operation>, _ step: Step) throws {
        var rest = operations
        while let operation = rest.popFirst() {
            try checkInterruption()
            let others = rest.prefix { isTogether(operation, $0, step) }
            profiled((others.last ?? operation).profileName) { runOnCPU(operation, with: others, step) }
            rest.removeFirst(others.count)
        }
    }

    private func checkInterruption() throws {
        if options.isInterrupted?() == true { throw Interruption() }
    }

    /// Whether the tokens from `position` on can be forgotten, and others take their place: a layer that holds no more
    /// than its window may have lost what a token there sees.
    package func canRewind(to position: Int) -> Bool {
        (0...self.position).contains(position) && cache.canGoOn(at: position)
    }

    /// Forgets all tokens from `position` on; ``canRewind(to:)`` says whether it can be done. To 0 it always can.
    package func rewind(to position: Int) {
        precondition(canRewind(to: position))
        cached.removeLast(self.position - position)
        if position == 0 { cache.restart() }
    }

    /// Forgets what does not begin `tokens`, and of them at least the last one, so that there is something to compute.
    ///
    /// - Returns: how many of the tokens are in the cache.
    package func rewind(toPrefixOf tokens: [Int32]) -> Int {
        let common = zip(cached, tokens).prefix { $0.id == $1 }.count
        let length = min(common, max(tokens.count - 1, 0))
        rewind(to: canRewind(to: length) ? length : 0)
        return position
    }

    /// Where a tensor's rows begin.
    func pointer(_ tensor: Int) -> UnsafeMutablePointer<Float> {
        activations.start.assumingMemoryBound(to: Float.self) + memory.offsets[tensor]
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
    /// The most likely tokens are enough.
    var wantsCandidates: Bool
    /// In the order of the shape's rotations.
    var rotations: [RotationTable]
    var outputRows: Int { tokens.count - firstOutput }
}
