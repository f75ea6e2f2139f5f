import GGUF
import HTPDevice
import Runtime
import Tokenization

/// A text as perplexity is measured on: chunks of the same number of tokens.
///
/// The first half of a chunk is what the model has read when it predicts the second, token by token; the token at a
/// chunk's start is replaced by the model's beginning-of-text token where it wants one. This is llama.cpp's method, so
/// that figures compare.
public struct PerplexityText: Sendable {
    /// Tokens of a chunk.
    public let contextLength: Int
    /// The tokens of all chunks.
    public let tokens: ArraySlice<Int32>
    /// Tokens of the whole text.
    public let totalTokens: Int

    /// How many chunks there are.
    public var chunks: Int { tokens.count / contextLength }
    /// Tokens of a chunk that are predicted.
    public var predictions: Int { Self.predictions(contextLength) }

    static func predictions(_ contextLength: Int) -> Int { contextLength - 1 - contextLength / 2 }

    /// Cuts a text.
    ///
    /// - Parameter maximum: no more chunks than that.
    public init(
        _ text: String, _ tokenizer: Tokenizer, contextLength: Int, atMost maximum: Int? = nil
    ) throws {
        var text = text
        // As llama.cpp reads files.
        if text.utf8.last == UInt8(ascii: "\n") { text.unicodeScalars.removeLast() }
        var tokens = tokenizer.encode(text, addBOS: false, parseSpecial: false)
        if tokenizer.addsBOS, let bos = tokenizer.bosToken { tokens.insert(bos, at: 0) }
        guard contextLength >= 4 else {
            throw EngineError(.badInput, "a context of \(contextLength) tokens is too small to measure in")
        }
        guard tokens.count >= 2 * contextLength else {
            throw EngineError(
                .badInput,
                "the text has \(tokens.count) tokens; a context of \(contextLength) needs \(2 * contextLength), "
                    + "-c makes it smaller")
        }
        self.contextLength = contextLength
        totalTokens = tokens.count
        self.tokens = tokens[..<(min(tokens.count / contextLength, maximum ?? .max) * contextLength)]
    }

    /// The text that a base's predictions are of, for a model of the same vocabulary.
    ///
    /// - Parameter maximum: no more chunks than that.
    public init(_ base: LogProbabilityFile, for model: LanguageModel, atMost maximum: Int? = nil) throws {
        try model.check(base)
        contextLength = base.contextLength
        totalTokens = base.tokens.count
        tokens = base.tokens[..<(min(base.chunks, maximum ?? .max) * base.contextLength)]
    }

    func chunk(_ index: Int, bos: Int32?) -> [Int32] {
        var chunk = Array(tokens[index * contextLength..<(index + 1) * contextLength])
        if let bos { chunk[0] = bos }
        return chunk
    }
}

extension LanguageModel {
    /// Measures how well the model predicts a text.
    ///
    /// - Parameters:
    ///   - basePath: where the predictions are written as a ``LogProbabilityFile``, if anywhere.
    ///   - shouldStop: asked before every batch; `true` ends the measurement with what there is, and writes no file.
    ///   - onChunk: gets what was measured until then, after every chunk.
    /// - Returns: what was measured, and in how many chunks.
    public func perplexity(
        of text: PerplexityText, writingTo basePath: String? = nil, shouldStop: () -> Bool = { false },
        onChunk: (Int, Perplexity) -> Void = { _, _ in }
    ) throws -> (perplexity: Perplexity, chunks: Int) {
        try check(text)
        guard let basePath else {
            return try measure(text, shouldStop, onChunk) { _ in }
        }
        var writer = try LogProbabilityWriter(
            path: basePath, tokens: text.tokens, contextLength: text.contextLength,
            vocabulary: executor.graph.shape.vocabulary)
        let found = try measure(text, shouldStop, onChunk) { try writer.append($0) }
        if found.chunks == text.chunks { try writer.commit() }
        return found
    }

    private func measure(
        _ text: PerplexityText, _ shouldStop: () -> Bool, _ onChunk: (Int, Perplexity) -> Void,
        _ onRow: (LogitRow) throws -> Void
    ) throws -> (perplexity: Perplexity, chunks: Int) {
        var result = Perplexity()
        for chunk in 0..<text.chunks {
            let isDone = try predict(text, chunk, shouldStop) { _, token, row in
                result.add(negativeLogProbability: -row.logProbability(token))
                try onRow(row)
            }
            guard isDone else { return (result, chunk) }
            onChunk(chunk, result)
        }
        return (result, text.chunks)
    }

    /// Compares the model's predictions with a base's.
    ///
    /// - Parameters:
    ///   - text: the base's text, or its first chunks.
    ///   - shouldStop: asked before every batch; `true` ends the comparison with what there is.
    ///   - onChunk: gets what was compared until then, after every chunk.
    /// - Returns: what was compared, and in how many chunks.
    public func divergence(
        from base: LogProbabilityFile, over text: PerplexityText, shouldStop: () -> Bool = { false },
        onChunk: (Int, Divergence) -> Void = { _, _ in }
    ) throws -> (divergence: Divergence, chunks: Int) {
        try check(base)
        try check(text)
        var result = Divergence()
        for chunk in 0..<text.chunks {
            let isDone = try predict(text, chunk, shouldStop) { index, token, row in
                result.add(row, try base.row(index, ofChunk: chunk), token: token)
            }
            guard isDone else { return (result, chunk) }
            onChunk(chunk, result)
        }
        return (result, text.chunks)
    }

    fileprivate func check(_ base: LogProbabilityFile) throws {
        let vocabulary = executor.graph.shape.vocabulary
        guard base.vocabulary == vocabulary else {
            throw EngineError(
                .badInput,
                "the base's predictions are of a vocabulary of \(base.vocabulary) tokens, \(file.path) has "
                    + "\(vocabulary)")
        }
    }

    private func check(_ text: PerplexityText) throws {
        guard text.contextLength <= contextLength else {
            throw EngineError(
                .badInput,
                "chunks of \(text.contextLength) tokens in a context of \(contextLength); -c makes it larger")
        }
        let vocabulary = executor.graph.shape.vocabulary
        if let bad = text.tokens.first(where: { $0 < 0 || $0 >= vocabulary }) {
            throw EngineError(
                .badInput, "token \(bad) of the text is outside the vocabulary of \(vocabulary) tokens")
        }
    }

    /// Computes a chunk and gives the number, the token and the logits of each prediction; false where it was stopped.
    private func predict(
        _ text: PerplexityText, _ chunk: Int, _ shouldStop: () -> Bool,
        _ body: (_ index: Int, _ token: Int, _ row: LogitRow) throws -> Void
    ) throws -> Bool {
        let tokens = text.chunk(chunk, bos: tokenizer.addsBOS ? tokenizer.bosToken : nil)
        let vocabulary = executor.graph.shape.vocabulary
        let options = executor.options
        let first = tokens.count / 2
        executor.rewind(to: 0)
        var start = 0
        // Nothing is predicted behind the last token.
        while start < tokens.count - 1 {
            guard !shouldStop() else { return false }
            let isScored = start >= first
            let end =
                isScored
                ? min(start + options.outputRows, tokens.count - 1) : min(start + options.batch, first)
            do {
                let logits = try executor.evaluate(tokens[start..<end], outputs: isScored ? .all : .none)
                for index in isScored ? start..<end : 0..<0 {
                    let row = UnsafeBufferPointer(
                        rebasing: logits[(index - start) * vocabulary..<(index - start + 1) * vocabulary])
                    guard let row = LogitRow(row) else {
                        throw EngineError(
                            .failed,
                            "\(file.path): the model's logits are not numbers; the file is damaged or not supported"
                        )
                    }
                    try body(index - first, Int(tokens[index + 1]), row)
                }
            } catch is Interruption {
                return false
            }
            start = end
        }
        return true
    }
}
