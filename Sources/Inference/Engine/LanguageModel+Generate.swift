import Models
import Runtime
import Tokenization

extension LanguageModel {
    /// Generates text from a prompt.
    ///
    /// - Parameters:
    ///   - prompt: token ids; without any, the beginning-of-text token.
    ///   - onText: gets the text as it comes, never part of a character.
    ///   - shouldStop: asked before every token; `true` ends the generation with what is there.
    public func generate(
        from prompt: [Int32], _ parameters: GenerationParameters = GenerationParameters(),
        shouldStop: () -> Bool = { false }, onText: (String) -> Void = { _ in }
    ) throws -> Generation {
        let prompt = prompt.isEmpty ? [tokenizer.bosToken].compactMap { $0 } : prompt
        guard !prompt.isEmpty else { throw EngineError(.badInput, "the prompt is empty") }
        guard prompt.count <= contextLength else {
            throw EngineError(
                .badInput,
                "the prompt has \(prompt.count) tokens, the context holds \(contextLength); -c makes it larger")
        }
        if let bad = prompt.first(where: { $0 < 0 || $0 >= executor.graph.shape.vocabulary }) {
            throw EngineError(
                .badInput, "token \(bad) is outside the vocabulary of \(executor.graph.shape.vocabulary)")
        }
        executor.rewind(to: 0)
        var result = Generation()
        result.promptTokens = prompt.count

        var clock = ContinuousClock.now
        guard var logits = try computePrompt(prompt, parameters, into: &result, shouldStop: shouldStop) else {
            result.end = .interrupted
            return result
        }
        result.promptSeconds = clock.lap()

        var sampler = Sampler(parameters.sampling)
        var detokenizer = Detokenizer(tokenizer)
        var history = prompt
        func emit(_ text: String) {
            guard !text.isEmpty else { return }
            result.text += text
            onText(text)
        }
        while result.tokens.count < parameters.maxTokens ?? .max {
            guard !shouldStop() else {
                result.end = .interrupted
                break
            }
            guard let token = sampler.sample(logits, history: history) else {
                throw EngineError(
                    .failed,
                    "\(file.path): the model's logits are not numbers; the file is damaged or not supported")
            }
            if tokenizer.isEndOfGeneration(token), !parameters.ignoresEndOfText {
                result.end = .endOfText
                break
            }
            result.tokens.append(token)
            history.append(token)
            emit(detokenizer.append(token))
            guard result.tokens.count < parameters.maxTokens ?? .max else { break }
            guard executor.position < contextLength else {
                result.end = .contextFull
                break
            }
            logits = try executor.evaluate(CollectionOfOne(token), outputs: .last)
        }
        emit(detokenizer.finish())
        result.generateSeconds = clock.lap()
        return result
    }

    /// Computes a prompt batch by batch; `nil` where it was interrupted.
    private func computePrompt(
        _ prompt: [Int32], _ parameters: GenerationParameters, into result: inout Generation,
        shouldStop: () -> Bool
    ) throws -> UnsafeBufferPointer<Float>? {
        let vocabulary = executor.graph.shape.vocabulary
        var logits = UnsafeBufferPointer<Float>(start: nil, count: 0)
        for first in stride(from: 0, to: prompt.count, by: executor.options.batch) {
            guard !shouldStop() else { return nil }
            let end = min(first + executor.options.batch, prompt.count)
            let outputs: Executor.Outputs =
                parameters.keepsPromptLogits ? .all : end == prompt.count ? .last : .none
            logits = try executor.evaluate(prompt[first..<end], outputs: outputs)
            if parameters.keepsPromptLogits { result.promptLogits += logits }
        }
        return UnsafeBufferPointer(rebasing: logits.suffix(vocabulary))
    }
}

extension ContinuousClock.Instant {
    /// Seconds since this moment, which becomes now.
    mutating func lap() -> Double {
        let now = ContinuousClock.now
        defer { self = now }
        return (now - self).seconds
    }
}

extension LanguageModel {
    /// Writes logits as NumPy's `.npy`, a row of the vocabulary's size per token.
    public func writeLogits(_ logits: [Float], to path: String) throws {
        try NumPyFile.write(logits, columns: executor.graph.shape.vocabulary, to: path)
    }
}
