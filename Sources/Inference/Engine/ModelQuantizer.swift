import GGUF
import Quantization
import Runtime

/// Writes a model's matrices in another format.
public struct ModelQuantizer {
    /// What is wanted.
    public struct Options {
        /// The format.
        public var mix: QuantizationMix
        /// Whether matrices that are quantised already may lose by being quantised again.
        public var allowsRequantizing = false
        /// Types for tensors by parts of their names, as regular expressions; the first that matches counts.
        public var overrides: [(pattern: Regex<AnyRegexOutput>, type: TensorType)] = []
        /// The type of the output matrix, where it is not the mix's.
        public var outputType: TensorType?
        /// The type of the embedding, where it is not the mix's.
        public var embeddingType: TensorType?
        /// Whether `output.weight` stays as it is.
        public var leavesOutput = false
        /// Whether all matrices get the same type.
        public var isPure = false
        /// CPU threads.
        public var threads = 1
        /// Asked now and then; with true, work ends with ``EngineError/Kind/interrupted``.
        public var isInterrupted: @Sendable () -> Bool = { false }

        /// Everything as it is usual.
        public init(_ mix: QuantizationMix) {
            self.mix = mix
        }
    }

    /// What is done with a tensor.
    public struct Step: Sendable {
        /// The tensor's name.
        public var name: String
        /// Its extents, the innermost first.
        public var dimensions: [Int]
        /// Its type before.
        public var from: TensorType
        /// Its type in the new file.
        public var to: TensorType
        /// Its bytes before and in the new file.
        public var (bytesBefore, bytesAfter): (Int, Int)
        /// Whether its rows do not fit the type that the mix has for it.
        public var isFallback: Bool
        /// Its number, from 1, and how many there are.
        public var (index, count): (Int, Int)
        /// How much of it is done, from 0 to 1.
        public var progress: Double = 0

        /// Its weights.
        public var weights: Int { dimensions.reduce(1, *) }
    }

    let options: Options
    let pool: ThreadPool

    /// Starts the threads.
    public init(_ options: Options) {
        self.options = options
        pool = ThreadPool(threads: options.threads)
    }

    /// The types that tensors can be given.
    public static var tensorTypes: [TensorType] { TensorType.writableRows }

    /// What ``quantize(_:to:progress:)`` would do.
    public func plan(_ input: String) throws -> [Step] {
        try plan(GGUFFile(path: input))
    }

    /// Reads `input`, or a model of which it is a part, and writes `output`, which appears whole or not at all.
    ///
    /// - Parameter progress: called before, while and after a tensor is written.
    /// - Returns: what was done with each tensor.
    @discardableResult
    public func quantize(
        _ input: String, to output: String, progress: (Step) -> Void = { _ in }
    ) throws -> [Step] {
        let file = try GGUFFile(path: input)
        guard !file.isStored(at: output) else {
            throw EngineError(.badInput, "\(output): is the input; choose another name for the output")
        }
        let steps = try plan(file)
        // The writer's closures hold `progress`: it lives inside, so that they are gone on every way out.
        try withoutActuallyEscaping(progress) { progress in
            var writer = GGUFWriter()
            for key in file.metadata.keys where !GGUFFile.splitKeys.contains(key) {
                if let value = file.metadata[key] { writer.set(key, value) }
            }
            if let fileType = options.mix.fileType {
                writer.set("general.file_type", .uint32(fileType))
                writer.set("general.quantization_version", .uint32(2))
            }
            for (step, tensor) in zip(steps, file.tensors) {
                writer.addTensor(step.name, dimensions: step.dimensions, type: step.to) { append in
                    try convert(tensor, of: file, to: step.to, append) { fraction in
                        var step = step
                        step.progress = fraction
                        progress(step)
                    }
                }
            }
            try writer.write(to: output)
        }
        return steps
    }

    private func plan(_ file: GGUFFile) throws -> [Step] {
        var choice = try TensorTypeChoice(file, options)
        var targets: [String: (type: TensorType, isFallback: Bool)] = [:]
        for tensor in file.tensors.sorted(by: TensorTypeChoice.comesFirst) {
            let wanted = wantedType(of: tensor, &choice)
            let type =
                wanted == tensor.type
                ? wanted : TensorTypeChoice.fitting(wanted, rowLength: tensor.rowLength)
            try check(tensor, of: file, to: type)
            targets[tensor.name] = (type, type != wanted)
        }
        return try file.tensors.enumerated().map { index, tensor in
            guard let target = targets[tensor.name], let layout = target.type.layout,
                let bytes = layout.byteCount(tensor.dimensions)
            else { throw EngineError(.failed, "\(file.path): tensor \(quoted(tensor.name)) has no type") }
            return Step(
                name: tensor.name, dimensions: tensor.dimensions, from: tensor.type, to: target.type,
                bytesBefore: tensor.byteCount, bytesAfter: bytes, isFallback: target.isFallback,
                index: index + 1, count: file.tensors.count)
        }
    }

    private func wantedType(of tensor: TensorInfo, _ choice: inout TensorTypeChoice) -> TensorType {
        guard let type = options.mix.type, TensorTypeChoice.isQuantizable(tensor),
            !options.leavesOutput || tensor.name != "output.weight"
        else { return tensor.type }
        if options.embeddingType == nil || tensor.name != "token_embd.weight",
            options.outputType == nil || tensor.name != "output.weight",
            let override = options.overrides.first(where: {
                (try? $0.pattern.firstMatch(in: tensor.name)) ?? nil != nil
            })
        {
            return override.type
        }
        return choice.type(of: tensor, default: type)
    }

    /// Whether a tensor may be given that type.
    private func check(_ tensor: TensorInfo, of file: GGUFFile, to type: TensorType) throws {
        guard type != tensor.type else { return }
        guard tensor.type.hasReadableRows, tensor.rowLength.isMultiple(of: tensor.type.rowMultiple) else {
            throw EngineError(
                .badInput, "\(file.path): tensor \(quoted(tensor.name)) of type \(tensor.type) cannot be read"
            )
        }
        guard tensor.type.isFloat || options.allowsRequantizing || type.isTernary && tensor.type.isTernary
        else {
            throw EngineError(
                .badInput,
                "\(file.path): tensor \(quoted(tensor.name)) is \(tensor.type) already; quantising it again loses "
                    + "quality, --allow-requantize does it all the same")
        }
    }
}

extension TensorType {
    var isFloat: Bool { [.f32, .f16, .bf16].contains(self) }
    /// Formats that can hold the same weights, where their scales allow it.
    var isTernary: Bool { [.i2_S, .iq2_BN, .tq1_0, .tq2_0].contains(self) }
}
