import GGUF

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
            if let first = text.first, KnownTokens.firstBytes.contains(first),
                text.count <= KnownTokens.longest,
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

    private var tokensTakenFromText: some Sequence<Int32> {
        (0..<Int32(vocabulary.count)).lazy.filter { vocabulary.kinds[Int($0)].isTakenFromText }
    }

    /// The tokens that are looked for before the text is tokenized.
    func makeSpecials() -> SpecialTokenMatcher {
        var specials = SpecialTokenMatcher()
        for token in tokensTakenFromText { specials.insert(vocabulary.bytes(of: token), token) }
        return specials
    }

    /// Phi-3's special tokens swallow space; nothing in the file says so but the model's name.
    func tokensStrippingRight(_ metadata: TokenizerMetadata, _ specials: SpecialTokenMatcher) -> Set<Int32> {
        let name = metadata.modelName?.lowercased() ?? ""
        guard name.contains("phi-3") || name.contains("phi3") else { return [] }
        var tokens = Set(tokensTakenFromText)
        for name in ["<unk>", "<s>", "<|endoftext|>"] {
            if let token = specials.find(name.utf8) { tokens.remove(token) }
        }
        return tokens
    }
}
