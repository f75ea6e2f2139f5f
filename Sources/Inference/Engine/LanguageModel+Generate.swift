import GGUF
import HTPDevice
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
        try check(prompt)
        let prompt = prompt.isEmpty ? [tokenizer.bosToken].compactMap { $0 } : prompt
        var result = Generation()
        result.promptTokens = prompt.count
        if parameters.reusesCache, !parameters.keepsPromptLogits {
            result.reusedTokens = executor.rewind(toPrefixOf: prompt)
        } else {
            executor.rewind(to: 0)
        }

        var clock = ContinuousClock.now
        var sampler = Sampler(parameters.sampling)
        guard var next = try computePrompt(prompt, parameters, sampler, into: &result, shouldStop: shouldStop)
        else {
            result.end = .interrupted
            result.promptLogits = []
            return result
        }
        result.promptSeconds = clock.lap()

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
            guard let token = sampler.sample(next, history: history) else {
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
            do {
                next = try evaluate([token], sampler, history: history, .generation)
            } catch is Interruption {
                result.end = .interrupted
                break
            }
        }
        emit(detokenizer.finish())
        result.generateSeconds = clock.lap()
        return result
    }

    /// Fails where nothing can be generated from a prompt: a token is none of the model's, or there are too many.
    public func check(_ prompt: [Int32]) throws {
        guard !prompt.isEmpty || tokenizer.bosToken != nil else {
            throw EngineError(.badInput, "the prompt is empty")
        }
        guard prompt.count <= contextLength else {
            throw EngineError(
                .badInput,
                "the prompt has \(prompt.count) tokens, the context holds \(contextLength); -c makes it larger"
            )
        }
        let vocabulary = executor.graph.shape.vocabulary
        if let bad = prompt.first(where: { $0 < 0 || $0 >= vocabulary }) {
            throw EngineError(
                .badInput,
                "token \(bad) of the prompt is outside the vocabulary; its tokens are 0 to \(vocabulary - 1)")
        }
    }

    /// Computes tokens; what is known of the next is enough for a sampler.
    private func evaluate(
        _ tokens: ArraySlice<Int32>, _ sampler: Sampler, history: [Int32], _ phase: Executor.Phase
    ) throws -> NextToken {
        if let needed = sampler.candidatesNeeded(history: history), needed <= Candidate.count {
            return try executor.evaluateCandidates(tokens, phase)
        }
        return .logits(try executor.evaluate(tokens, outputs: .last, phase))
    }

    /// Computes a prompt batch by batch; `nil` where it was interrupted.
    private func computePrompt(
        _ prompt: [Int32], _ parameters: GenerationParameters, _ sampler: Sampler,
        into result: inout Generation, shouldStop: () -> Bool
    ) throws -> NextToken? {
        let vocabulary = executor.graph.shape.vocabulary
        let options = executor.options
        let batch = parameters.keepsPromptLogits ? options.outputRows : options.batch
        var next: NextToken?
        for first in stride(from: executor.position, to: prompt.count, by: batch) {
            guard !shouldStop() else { return nil }
            let end = min(first + batch, prompt.count)
            do {
                if parameters.keepsPromptLogits {
                    let logits = try executor.evaluate(prompt[first..<end], outputs: .all)
                    result.promptLogits += logits
                    next = .logits(UnsafeBufferPointer(rebasing: logits.suffix(vocabulary)))
                } else if end == prompt.count {
                    next = try evaluate(prompt[first..<end], sampler, history: prompt, .prompt)
                } else {
                    _ = try executor.evaluate(prompt[first..<end], outputs: .none)
                }
            } catch is Interruption {
                return nil
            }
        }
        return next
    }
}

extension Sampler {
    fileprivate mutating func sample(_ next: NextToken, history: [Int32]) -> Int32? {
        switch next {
        case .logits(let logits): sample(logits, history: history)
        case .candidates(let candidates): sample(candidates, history: history)
        }
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
    /// Fails where ``writeLogits(_:to:)`` could not write: better before the work than after it.
    public static func checkLogitsPath(_ path: String) throws {
        try ReplacementFile.check(path)
    }

    /// Writes logits as NumPy's `.npy`, a row of the vocabulary's size per token.
    public func writeLogits(_ logits: [Float], to path: String) throws {
        try NumPyFile.write(logits, columns: executor.graph.shape.vocabulary, to: path)
    }
}
