import GGUF
import Glibc
import HTPDevice
import HexagonRPC
import Models
import Runtime
import Tokenization

/// A model that is loaded, placed on its devices and ready to generate.
///
/// ```swift
/// let model = try LanguageModel(path: "model.gguf")
/// let prompt = try model.tokens(of: "Once upon a time")
/// let generation = try model.generate(from: prompt) { text in print(text, terminator: "") }
/// ```
///
/// One generation at a time.
public final class LanguageModel {
    /// How a model is loaded.
    public struct Options: Sendable {
        /// DSPs to place it on; layers are spread over them. None: everything runs on the CPU.
        public var devices: [InferenceDevice] = []
        /// Opens no more devices, in their order, than the model needs to find room. Otherwise all are used.
        public var opensFewestDevices = false
        /// CPU threads; 0 for one per core.
        public var threads = 0
        /// CPUs that the threads run on: one for each thread, or all for all where there are more threads. None for
        /// wherever the system puts them. With ``threads`` 0 there are as many threads as CPUs here.
        public var cpus: [Int] = []
        /// The instruction set that the CPU computes with; nil for the fastest.
        public var instructionSet: InstructionSet?
        /// Measures the time of each operation, for ``LanguageModel/profile(of:)``.
        public var profiles = false
        /// Tokens that prompt and generation may have together, the last one not counted as nothing follows it; 0 for
        /// the model's own, at most 4096.
        public var contextLength = 0
        /// Tokens of a prompt that are computed at once.
        public var batch = 512

        /// How the keys of the cache are kept.
        public var keyCacheType = CacheType.standard
        /// How its values are kept.
        public var valueCacheType = CacheType.standard

        /// Which phases run on the devices; nil for both on simulated ones, whose speed says nothing, and for the faster
        /// side on hardware.
        public var placement: Placement?
        /// Where it is remembered what was measured for ``Placement/auto``; nil for nowhere.
        public var placementFolder: String?
        /// Does not trust what is remembered.
        public var measuresAgain = false
        /// A folder in which the devices' repacked weights are kept from one run to the next, nil for none. A file there
        /// is about as large as the model's; whatever is wrong with it is a notice, and the weights are repacked.
        public var repackCache: String?
        /// Gets what the user should know while the model is at work, a line each: a DSP that failed.
        public var onNotice: (@Sendable (String) -> Void)?
        /// Gets the plan, in lines, before any weights are loaded: what will run where, and what memory that takes.
        public var onPlan: (@Sendable (String) -> Void)?

        /// Is asked now and then, from any thread, whether nobody wants the model or the text any more. Loading then
        /// throws an error of the kind ``EngineError/Kind/interrupted``, and a generation ends.
        public var isInterrupted: (@Sendable () -> Bool)?

        /// The CPU, all its cores, and the model's context.
        public init() {}
    }

    /// The model's vocabulary.
    public let tokenizer: Tokenizer
    /// Tokens that prompt and generation may have together, the last one not counted as nothing follows it.
    public let contextLength: Int
    /// CPU threads in use.
    public let threads: Int
    /// Which phases run on the devices.
    public let placement: Placement
    /// Time it took to load, in seconds.
    public let loadSeconds: Double

    let executor: Executor
    let file: GGUFFile

    /// Loads a GGUF file.
    public init(path: String, options: Options = Options()) throws {
        let start = ContinuousClock.now
        try options.instructionSet?.require()
        file = try GGUFFile(path: path)
        Self.readAhead(file)
        let graph = try Architecture.graph(of: file)
        tokenizer = try Tokenizer(file)
        if let notice = tokenizer.notice { options.onNotice?(notice) }
        guard tokenizer.vocabularySize <= graph.shape.vocabulary else {
            throw EngineError(
                .badInput,
                "\(path): the vocabulary has \(tokenizer.vocabularySize) tokens, but the embedding rows for "
                    + "\(graph.shape.vocabulary)")
        }
        let cpus = options.cpus.isEmpty ? sysconf(CInt(_SC_NPROCESSORS_ONLN)) : options.cpus.count
        threads = options.threads > 0 ? options.threads : max(cpus, 1)
        contextLength =
            options.contextLength > 0 ? options.contextLength : min(graph.shape.contextLength, 4096)
        let isHardware = options.devices.allSatisfy { $0.kind == "hardware" }
        placement = options.placement ?? (isHardware ? .auto : .all)
        var executorOptions = Executor.Options(
            threads: threads, contextLength: contextLength,
            batch: max(1, min(options.batch, contextLength, 4096)))
        (executorOptions.keyType, executorOptions.valueType) = (options.keyCacheType, options.valueCacheType)
        executorOptions.placement = placement
        (executorOptions.cpus, executorOptions.profiles) = (options.cpus, options.profiles)
        if let set = options.instructionSet { executorOptions.kernelLevel = set.level }
        executorOptions.repackCache = options.repackCache
        executorOptions.onNotice = options.onNotice
        executorOptions.isInterrupted = options.isInterrupted
        let planner = try Planner(graph, file: file, options: executorOptions)
        let devices = try Self.open(options, planner)
        executor = try Self.place(planner, file, on: devices, options)
        loadSeconds = (ContinuousClock.now - start).seconds
    }

    /// Has the system read the weights while the tokenizer is built; those of a model that memory cannot hold beside
    /// everything else would only drive each other out.
    private static func readAhead(_ file: GGUFFile) {
        let size = file.tensors.reduce(0) { $0 + $1.byteCount }
        guard size < sysconf(CInt(_SC_PAGESIZE)) * sysconf(CInt(_SC_PHYS_PAGES)) / 2 else { return }
        for tensor in file.tensors { file.advise(.willNeed, tensor) }
    }

    /// The ids of a text, the beginning-of-text token in front where the model wants it.
    ///
    /// Special tokens written in the text are taken as such.
    public func tokens(of text: String) throws -> [Int32] {
        tokenizer.encode(text, parseSpecial: true)
    }
}
