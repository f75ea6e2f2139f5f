/// A part of a text that is tokenized as a whole.
public struct TextPiece: Hashable, Sendable {
    /// The part's text.
    public var text: String
    /// Whether control tokens written out in it are those tokens.
    public var parsesSpecial: Bool

    /// A part of a text.
    public init(_ text: String, parsesSpecial: Bool) {
        (self.text, self.parsesSpecial) = (text, parsesSpecial)
    }
}

extension Tokenizer {
    /// The tokens of a text whose parts are of different origin, as of a chat, in which only the template may write control
    /// tokens. Where no other part spells one out, they are those of the whole text.
    ///
    /// - Parameter addBOS: whether the BOS token comes first, unless the text has it there itself; nil does what the model
    ///   wants. Nothing is put last.
    public func encode(_ pieces: [TextPiece], addBOS: Bool? = nil) -> [Int32] {
        var bytes: [UInt8] = []
        var found: [(token: Int32, range: Range<Int>)] = []
        for piece in pieces {
            let start = bytes.count
            bytes += piece.text.utf8
            guard piece.parsesSpecial else { continue }
            bytes.withUnsafeBufferPointer { bytes in
                // A token must lie in the part as a whole.
                let part = UnsafeBufferPointer(rebasing: bytes[start...])
                var offset = 0
                while let next = specials.next(in: part, from: offset, accepts: isControl) {
                    found.append((next.token, start + next.range.lowerBound..<start + next.range.upperBound))
                    offset = next.range.upperBound
                }
            }
        }
        var tokens: [Int32] = []
        func append(_ range: Range<Int>) {
            guard !range.isEmpty else { return }
            bytes[range].withUnsafeBytes { tokens += encode(utf8: $0, addBOS: false, parseSpecial: false) }
        }
        var offset = 0
        for (token, range) in found where range.lowerBound >= offset {
            append(offset..<range.lowerBound)
            tokens.append(token)
            offset = range.upperBound
            while stripsRight.contains(token), offset < bytes.count,
                bytes[offset] == 0x20 || (0x09...0x0d).contains(bytes[offset])
            {
                offset += 1
            }
        }
        append(offset..<bytes.count)
        if addBOS ?? addsBOS, let bosToken, tokens.first != bosToken { tokens.insert(bosToken, at: 0) }
        return tokens
    }
}
