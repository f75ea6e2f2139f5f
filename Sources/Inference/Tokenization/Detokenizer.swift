extension Tokenizer {
    /// A token's bytes, special tokens' written out; they need not be whole characters. None for a number that
    /// is no token.
    public func bytes(of token: Int32) -> [UInt8] {
        Array(vocabulary.bytes(of: token))
    }

    /// The text of tokens that are a whole text; numbers that are no tokens count for nothing.
    ///
    /// - Parameter renderSpecial: whether control tokens are written out or left away.
    public func decode(_ tokens: [Int32], renderSpecial: Bool = false) -> String {
        var detokenizer = Detokenizer(self, renderSpecial: renderSpecial, isStartOfText: true)
        var text = ""
        for token in tokens { text += detokenizer.append(token) }
        return text + detokenizer.finish()
    }
}

/// Turns tokens into text as they come, and holds back what is not a whole character yet.
public struct Detokenizer: Sendable {
    private let tokenizer: Tokenizer
    private let renderSpecial: Bool
    /// Whether the space is still to come that the tokenizer has put before the text.
    private var dropsSpace: Bool
    private var pending: [UInt8] = []

    /// - Parameters:
    ///   - renderSpecial: whether control tokens are written out or left away.
    ///   - isStartOfText: whether the first token begins a text, so that a space the tokenizer has put before
    ///     it is dropped; false where tokens go on from a prompt.
    public init(_ tokenizer: Tokenizer, renderSpecial: Bool = false, isStartOfText: Bool = false) {
        self.tokenizer = tokenizer
        self.renderSpecial = renderSpecial
        dropsSpace = isStartOfText && tokenizer.addsSpacePrefix
    }

    /// The text that this token completes, possibly none.
    public mutating func append(_ token: Int32) -> String {
        let isControl = tokenizer.isControl(token)
        guard renderSpecial || !isControl else { return "" }
        var bytes = tokenizer.vocabulary.bytes(of: token)
        if dropsSpace, !isControl, let first = bytes.first {
            if first == UInt8(ascii: " ") { bytes.removeFirst() }
            dropsSpace = false
        }
        pending.append(contentsOf: bytes)
        let complete = pending.count - unfinishedCount
        let text = String(decoding: pending[..<complete], as: UTF8.self)
        pending.removeFirst(complete)
        return text
    }

    /// What is left when no token follows; an unfinished character becomes U+FFFD.
    public mutating func finish() -> String {
        defer { pending.removeAll() }
        return String(decoding: pending, as: UTF8.self)
    }

    /// How many bytes at the end begin a character that more bytes could complete.
    private var unfinishedCount: Int {
        for count in 1...3 where count <= pending.count {
            let start = pending.count - count
            let first = pending[start]
            if first & 0xc0 == 0x80 { continue }
            let length = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1
            guard length > count else { return 0 }
            // Where the second byte cannot follow, the character is broken already.
            if count > 1 {
                let second = pending[start + 1]
                switch first {
                case 0xe0 where second < 0xa0, 0xed where second > 0x9f, 0xf0 where second < 0x90,
                    0xf4 where second > 0x8f:
                    return 0
                default: break
                }
            }
            return count
        }
        return 0
    }
}
