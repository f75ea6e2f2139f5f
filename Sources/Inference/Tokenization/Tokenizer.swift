import GGUF

/// Turns text into a model's tokens and back, as the model's GGUF file describes it.
///
/// Three kinds: SentencePiece BPE (`llama`), byte-level BPE (`gpt2`, with one of ``supportedPreTokenizers``)
/// and WordPiece (`bert`). The results are llama.cpp's but for a few things that `references/tokenization.md`
/// names; the one that matters most: text that only looks like a control token never becomes one unless
/// `parseSpecial` is set.
public final class Tokenizer: Sendable {
    /// How text becomes tokens.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// SentencePiece BPE with scores and byte fallback.
        case sentencePiece = "llama"
        /// Byte-level BPE with merges.
        case bytePair = "gpt2"
        /// WordPiece, uncased.
        case wordPiece = "bert"
    }

    enum Model: Sendable {
        case sentencePiece(SentencePieceModel)
        case bytePair(BytePairModel)
        case wordPiece(WordPieceModel)
    }

    /// How text becomes tokens.
    public let kind: Kind
    /// The token a text begins with, if the model has one.
    public let bosToken: Int32?
    /// The token a text ends with, if the model has one.
    public let eosToken: Int32?
    /// What stands for text that no token says, if the model has one.
    public let unknownToken: Int32?
    /// Whether the model wants its BOS token first.
    public let addsBOS: Bool
    /// Whether the model wants its EOS token (for WordPiece, its separator) last.
    public let addsEOS: Bool
    /// Whether a text's first word gets a space before it (SentencePiece).
    public let addsSpacePrefix: Bool
    /// Every token at which generation ends.
    public let endOfGenerationTokens: Set<Int32>
    /// How byte-level BPE cuts text into words before merging, by its name in the file (`tokenizer.ggml.pre`).
    public let preTokenizer: String?
    /// What a user should know before trusting the tokens, a line: the file does not name its pre-tokenizer.
    public let notice: String?

    let vocabulary: Vocabulary
    let model: Model
    let specials: SpecialTokenMatcher
    /// Special tokens that swallow the space behind them (Phi-3).
    let stripsRight: Set<Int32>
    let separator: Int32?

    /// The names of pre-tokenizers (`tokenizer.ggml.pre`) that byte-level BPE is supported with.
    public static var supportedPreTokenizers: [String] { PreTokenizer.names }

    /// Builds the tokenizer of a file, which need not stay open.
    public init(_ file: GGUFFile) throws(TokenizerError) {
        let metadata: TokenizerMetadata
        do throws(GGUFError) {
            metadata = try TokenizerMetadata(file)
        } catch {
            throw TokenizerError(error)
        }
        guard let kind = Kind(rawValue: metadata.model) else {
            let supported = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw TokenizerError(
                metadata.path,
                "tokenizer model \(quoted(metadata.model)) is not supported; supported: \(supported)")
        }
        self.kind = kind
        try metadata.check()
        var builder = try VocabularyBuilder(metadata, kind)
        endOfGenerationTokens = builder.markEndsOfGeneration(metadata)
        builder.vocabulary.buildIndex(of: [.normal, .userDefined, .unused, .undefined])
        vocabulary = builder.vocabulary
        specials = builder.makeSpecials()
        stripsRight = builder.tokensStrippingRight(metadata, specials)

        func token(_ id: Int?) -> Int32? { id.map(Int32.init) }
        func orDefault(_ id: Int?, _ standard: Int) -> Int32? {
            token(id) ?? (standard < metadata.tokens.count ? Int32(standard) : nil)
        }
        switch kind {
        case .sentencePiece:
            (preTokenizer, notice) = (nil, nil)
            let unknown = orDefault(metadata.unknown, 0)
            bosToken = orDefault(metadata.bos, 1)
            eosToken = orDefault(metadata.eos, 2)
            unknownToken = unknown
            separator = token(metadata.separator)
            addsBOS = metadata.addsBOS ?? true
            addsEOS = metadata.addsEOS ?? false
            addsSpacePrefix = metadata.addsSpacePrefix ?? true
            guard let scores = metadata.scores else {
                throw TokenizerError(metadata.path, "key \"tokenizer.ggml.scores\" is missing")
            }
            model = .sentencePiece(
                SentencePieceModel(
                    builder.vocabulary, scores: scores, byteTokens: builder.byteTokens, unknown: unknown))
        case .bytePair:
            // A file without the name is from before there were any.
            let name = metadata.preTokenizer ?? "default"
            notice =
                metadata.preTokenizer != nil
                ? nil
                : "\(metadata.path): key \"tokenizer.ggml.pre\" is missing, so text may be cut into other tokens than "
                    + "the model was trained with; convert the model anew"
            guard let rules = PreTokenizer(name: name) else {
                throw TokenizerError(
                    metadata.path,
                    "pre-tokenizer \(quoted(name)) is not supported; supported: "
                        + PreTokenizer.names.joined(separator: ", "))
            }
            guard let merges = metadata.merges, merges.elementType == .string else {
                throw TokenizerError(metadata.path, "tokenizer.ggml.merges is missing or no array of strings")
            }
            preTokenizer = name
            let unknown = token(metadata.unknown)
            bosToken = token(metadata.bos)
            eosToken = token(metadata.eos)
            unknownToken = unknown
            separator = token(metadata.separator)
            addsBOS = metadata.addsBOS ?? rules.addsBOS
            addsEOS = metadata.addsEOS ?? false
            addsSpacePrefix = false
            model = .bytePair(
                try BytePairModel(
                    merges, vocabulary: builder.vocabulary, preTokenizer: rules, unknown: unknown,
                    path: metadata.path))
        case .wordPiece:
            (preTokenizer, notice) = (nil, nil)
            let unknown = orDefault(metadata.unknown, 100)
            bosToken = orDefault(metadata.bos, 101)
            separator = orDefault(metadata.separator, 102)
            eosToken = token(metadata.eos)
            unknownToken = unknown
            addsBOS = true
            addsEOS = true
            addsSpacePrefix = false
            model = .wordPiece(WordPieceModel(unknown: unknown))
        }
    }

    /// How many tokens there are.
    public var vocabularySize: Int { vocabulary.count }

    /// Whether generation ends at this token.
    public func isEndOfGeneration(_ token: Int32) -> Bool {
        endOfGenerationTokens.contains(token)
    }

    /// Whether this token is a mark of the model's rather than text: control tokens and the unknown token.
    public func isControl(_ token: Int32) -> Bool {
        vocabulary.kinds.indices.contains(Int(token)) && vocabulary.kinds[Int(token)].isSpecial
    }

    /// The token with this text: a special one such as `<|im_end|>`, or a word such as ` the`.
    public func token(named text: String) -> Int32? {
        var text = text
        return specials.find(text.utf8)
            ?? text.withUTF8 { vocabulary.find($0) }
    }
}
