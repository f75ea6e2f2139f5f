import GGUF

/// Turns text into a model's tokens and back, as the model's GGUF file describes it.
///
/// Three kinds: SentencePiece BPE (`llama`), byte-level BPE (`gpt2`, with one of ``supportedPreTokenizers``)
/// and WordPiece (`bert`). The results are llama.cpp's, but for one thing: text that only looks like a control
/// token never becomes one unless `parseSpecial` is set, by no merge either.
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
            guard let preTokenizer = PreTokenizer(name: name) else {
                throw TokenizerError(
                    metadata.path,
                    "pre-tokenizer \(quoted(name)) is not supported; supported: "
                        + PreTokenizer.names.joined(separator: ", "))
            }
            guard let merges = metadata.merges, merges.elementType == .string else {
                throw TokenizerError(metadata.path, "tokenizer.ggml.merges is missing or no array of strings")
            }
            let unknown = token(metadata.unknown)
            bosToken = token(metadata.bos)
            eosToken = token(metadata.eos)
            unknownToken = unknown
            separator = token(metadata.separator)
            addsBOS = metadata.addsBOS ?? preTokenizer.addsBOS
            addsEOS = metadata.addsEOS ?? false
            addsSpacePrefix = false
            model = .bytePair(
                try BytePairModel(
                    merges, vocabulary: builder.vocabulary, preTokenizer: preTokenizer, unknown: unknown,
                    path: metadata.path))
        case .wordPiece:
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

/// Reads the tokens' texts and decides what they are for.
struct VocabularyBuilder {
    var vocabulary: Vocabulary
    /// The tokens of single bytes (`<0x0A>`), or -1.
    private(set) var byteTokens = [Int32](repeating: -1, count: 256)
    /// Those of ``KnownTokens`` that there are, by their text.
    private var known: [[UInt8]: Int32] = [:]

    init(_ metadata: TokenizerMetadata, _ kind: Tokenizer.Kind) throws(TokenizerError) {
        vocabulary = Vocabulary(capacity: metadata.tokens.count)
        var badByteToken: String?
        metadata.tokens.forEachString { text in
            let token = Int32(vocabulary.count)
            // Numbers that mean nothing are llama.cpp's "undefined", too.
            let number = metadata.kinds?[vocabulary.count] ?? 1
            let tokenKind = UInt8(exactly: number).flatMap(TokenKind.init(rawValue:)) ?? .undefined
            if let first = text.first, KnownTokens.firstBytes.contains(first), text.count < 32,
                KnownTokens.all.contains(Array(text))
            {
                known[Array(text)] = token
            }
            if tokenKind == .byte, let byte = Self.byte(named: text) {
                byteTokens[Int(byte)] = token
                vocabulary.append(.byte) { $0.append(byte) }
                return
            }
            if tokenKind == .byte { badByteToken = badByteToken ?? String(decoding: text, as: UTF8.self) }
            switch (tokenKind, kind) {
            case (.control, _), (.unknown, _), (.userDefined, _):
                vocabulary.append(tokenKind) { $0.append(contentsOf: text) }
            case (_, .bytePair):
                vocabulary.append(tokenKind) { ByteAlphabet.decode(text, into: &$0) }
            default:
                vocabulary.append(tokenKind) { Self.unescape(text, into: &$0) }
            }
        }
        if let badByteToken {
            throw TokenizerError(
                metadata.path,
                "token \(quoted(badByteToken)) is a byte by its type, but not of the form <0x0A>")
        }
    }

    /// The byte that `<0x0A>` stands for.
    private static func byte(named text: UnsafeRawBufferPointer) -> UInt8? {
        guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16)
    }

    /// Copies a text with its ▁ (U+2581) turned to spaces.
    static func unescape(_ text: some RandomAccessCollection<UInt8>, into bytes: inout [UInt8]) {
        var rest = text[...]
        while let byte = rest.first {
            if byte == 0xe2, rest.prefix(3).elementsEqual([0xe2, 0x96, 0x81]) {
                bytes.append(UInt8(ascii: " "))
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
                rest = rest.dropFirst()
            }
        }
    }

    /// Collects the tokens that end generation, and makes those known by text control tokens.
    mutating func markEndsOfGeneration(_ metadata: TokenizerMetadata) -> Set<Int32> {
        let known = known.filter { !isMergedText($0.value, $0.key, metadata.merges) }
        func token(_ name: String) -> Int32? { known[Array(name.utf8)] }
        var marked = KnownTokens.endsOfGeneration.compactMap(token)
        marked += KnownTokens.fillInTheMiddle.compactMap { $0.compactMap(token).first }
        for token in marked { vocabulary.setKind(.control, of: token) }
        var ends = Set(marked + metadata.endsOfGeneration.map(Int32.init))
        if let eos = metadata.eos { ends.insert(Int32(eos)) }
        for group in KnownTokens.exceptions {
            let tokens = group.compactMap(token)
            if tokens.count == group.count, let last = tokens.last { ends.remove(last) }
        }
        return ends
    }

    /// Whether a token that looks like a mark is ordinary text for the model: Qwen's merges make `</s>`.
    private func isMergedText(_ token: Int32, _ text: [UInt8], _ merges: MetadataArray?) -> Bool {
        guard vocabulary.kinds[Int(token)] == .normal, let merges else { return false }
        var isMade = false
        merges.forEachString { merge in
            guard !isMade, merge.count == text.count + 1,
                let space = merge.dropFirst().firstIndex(of: UInt8(ascii: " "))
            else { return }
            isMade =
                text[..<space].elementsEqual(merge[..<space])
                && text[space...].elementsEqual(merge[(space + 1)...])
        }
        return isMade
    }

    /// The tokens that are looked for before the text is tokenized.
    func makeSpecials() -> SpecialTokenMatcher {
        var specials = SpecialTokenMatcher()
        for token in 0..<Int32(vocabulary.count) {
            switch vocabulary.kinds[Int(token)] {
            case .control, .unknown, .userDefined: specials.insert(vocabulary.bytes(of: token), token)
            default: break
            }
        }
        return specials
    }

    /// Phi-3's special tokens swallow space; nothing in the file says so but the model's name.
    func tokensStrippingRight(_ metadata: TokenizerMetadata, _ specials: SpecialTokenMatcher) -> Set<Int32> {
        let name = metadata.modelName?.lowercased() ?? ""
        guard name.contains("phi-3") || name.contains("phi3") else { return [] }
        var tokens = Set<Int32>()
        for token in 0..<Int32(vocabulary.count) {
            switch vocabulary.kinds[Int(token)] {
            case .control, .unknown, .userDefined: tokens.insert(token)
            default: break
            }
        }
        for name in ["<unk>", "<s>", "<|endoftext|>"] {
            if let token = specials.find(name.utf8) { tokens.remove(token) }
        }
        return tokens
    }
}
