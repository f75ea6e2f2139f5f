import GGUF
import HTPDevice
import Runtime

/// A measurement of ``LanguageModel/measure(_:repetitions:)``.
public struct BenchmarkTest: Hashable, Sendable {
    /// Tokens of the prompt; none measures a generation.
    public var promptTokens: Int
    /// Tokens that are generated one by one after the prompt.
    public var generatedTokens: Int
    /// Tokens in the cache before.
    public var depth: Int

    /// Measures prompt, generation, or both after another.
    public init(promptTokens: Int, generatedTokens: Int, depth: Int = 0) {
        self.promptTokens = promptTokens
        self.generatedTokens = generatedTokens
        self.depth = depth
    }

    /// Tokens that the context must hold.
    public var contextLength: Int { depth + promptTokens + generatedTokens }

    /// `pp512`, `tg128`, `pp512+tg128`, with ` @ d2048` at a depth.
    public var name: String {
        var parts: [String] = []
        if promptTokens > 0 { parts.append("pp\(promptTokens)") }
        if generatedTokens > 0 { parts.append("tg\(generatedTokens)") }
        return parts.joined(separator: "+") + (depth > 0 ? " @ d\(depth)" : "")
    }
}

extension LanguageModel {
    /// Measures how long it takes to compute tokens: seconds of each repetition, after one that does not count. Profiles
    /// are then those of this measurement.
    ///
    /// Neither tokenizing nor sampling is part of it. What is in the cache before is not computed; to read it takes as
    /// long.
    ///
    /// - Parameter shouldStop: asked before every token; `true` ends the measurement with what there is.
    public func measure(
        _ test: BenchmarkTest, repetitions: Int, shouldStop: () -> Bool = { false }
    ) throws -> [Double] {
        guard test.contextLength <= contextLength, test.contextLength > test.depth else {
            throw EngineError(
                .badInput, "\(test.contextLength) tokens to measure in a context of \(contextLength)")
        }
        try executor.fillCache(to: test.depth)
        var seconds: [Double] = []
        for repetition in 0...repetitions {
            // A cache that holds no more than windows may have lost what was before.
            if executor.canRewind(to: test.depth) {
                executor.rewind(to: test.depth)
            } else {
                try executor.fillCache(to: test.depth)
            }
            var clock = ContinuousClock.now
            do {
                guard try compute(test, shouldStop) else { break }
            } catch is Interruption {
                break
            }
            if repetition > 0 {
                seconds.append(clock.lap())
            } else {
                executor.restartProfiles()
            }
        }
        return seconds
    }

    /// Computes the tokens of a test; false where it was stopped.
    private func compute(_ test: BenchmarkTest, _ shouldStop: () -> Bool) throws -> Bool {
        let vocabulary = executor.graph.shape.vocabulary
        // Tokens that differ, as those of a text do: experts are not all the same.
        func token(_ index: Int) -> Int32 { Int32((index &* 7919 + 13) % vocabulary) }
        for first in stride(from: 0, to: test.promptTokens, by: executor.options.batch) {
            guard !shouldStop() else { return false }
            let end = min(first + executor.options.batch, test.promptTokens)
            _ = try executor.evaluate(
                (first..<end).map(token), outputs: end == test.promptTokens ? .last : .none)
        }
        for index in 0..<test.generatedTokens {
            guard !shouldStop() else { return false }
            _ = try executor.evaluateCandidates(CollectionOfOne(token(index)), .generation)
        }
        return true
    }

    /// What the model is, for tables.
    public var summary: ModelSummary { ModelSummary(file) }
}

/// What a model is, for tables.
public struct ModelSummary: Sendable {
    /// Architecture, parameters and format, such as `llama 1.24 B Q4_0`.
    public var type: String
    /// Bytes of its tensors.
    public var byteCount: Int
    /// Elements of its tensors.
    public var parameterCount: Int

    init(_ file: GGUFFile) {
        byteCount = file.tensors.reduce(0) { $0 + $1.byteCount }
        parameterCount = file.tensors.reduce(0) { $0 + $1.elementCount }
        // Most of a file's elements have the type that it is named after.
        var elements: [TensorType: Int] = [:]
        for tensor in file.tensors { elements[tensor.type, default: 0] += tensor.elementCount }
        let main = elements.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key
        let architecture = (try? file.metadata.string("general.architecture")) ?? "?"
        type = "\(architecture) \(Self.shortened(parameterCount)) \(main?.name ?? "?")"
    }

    /// `1.24 B`, `4.5 M`, `260 K`.
    private static func shortened(_ count: Int) -> String {
        for (unit, size) in [("B", 1_000_000_000), ("M", 1_000_000), ("K", 1000)] where count >= size {
            let hundredths = count * 100 / size
            return hundredths < 10000
                ? "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10) \(unit)"
                : "\(hundredths / 100) \(unit)"
        }
        return "\(count)"
    }
}
