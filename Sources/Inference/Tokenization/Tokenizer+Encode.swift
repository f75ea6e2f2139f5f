extension Tokenizer {
    /// The tokens of a text.
    ///
    /// - Parameters:
    ///   - addBOS: nil does what the model wants at both ends; true puts the BOS token first in any case; false
    ///     adds nothing at either end.
    ///   - parseSpecial: whether control tokens written out in the text (`<|eot_id|>`) are those tokens, as in a
    ///     chat template, or mere text, as in what a user says. User-defined tokens are found either way.
    public func encode(_ text: String, addBOS: Bool? = nil, parseSpecial: Bool) -> [Int32] {
        var text = text
        return text.withUTF8 {
            encode(utf8: UnsafeRawBufferPointer($0), addBOS: addBOS, parseSpecial: parseSpecial)
        }
    }

    /// The tokens of a text that may not be all UTF-8: a byte that is none counts as a character of its own.
    public func encode(utf8 bytes: UnsafeRawBufferPointer, addBOS: Bool? = nil, parseSpecial: Bool) -> [Int32]
    {
        var tokens: [Int32] = []
        if addBOS ?? addsBOS, let bosToken { tokens.append(bosToken) }
        bytes.withMemoryRebound(to: UInt8.self) { text in
            switch model {
            case .bytePair(let model):
                var encoder = BytePairEncoder(model, vocabulary, text)
                forEachFragment(of: text, parseSpecial, &tokens) { range, tokens in
                    encoder.encode(range, into: &tokens)
                }
            case .sentencePiece(let model):
                forEachFragment(of: text, parseSpecial, &tokens) { range, tokens in
                    var piece: [UInt8] = []
                    piece.reserveCapacity(range.count + 1)
                    if addsSpacePrefix { piece.append(UInt8(ascii: " ")) }
                    VocabularyBuilder.unescape(UnsafeBufferPointer(rebasing: text[range]), into: &piece)
                    piece.withUnsafeBufferPointer { model.encode($0, vocabulary, into: &tokens) }
                }
            case .wordPiece(let model):
                forEachFragment(of: text, parseSpecial, &tokens) { range, tokens in
                    model.encode(UnsafeBufferPointer(rebasing: text[range]), vocabulary, into: &tokens)
                }
            }
        }
        if addBOS ?? true, addsEOS, let last = kind == .wordPiece ? separator : eosToken {
            tokens.append(last)
        }
        return tokens
    }

    /// Takes the special tokens out and calls `body` with what lies between them.
    private func forEachFragment(
        of text: UnsafeBufferPointer<UInt8>, _ parseSpecial: Bool, _ tokens: inout [Int32],
        _ body: (Range<Int>, inout [Int32]) -> Void
    ) {
        var offset = 0
        while offset < text.count {
            let found = specials.next(in: text, from: offset) { token in
                parseSpecial || !vocabulary.kinds[Int(token)].isSpecial
            }
            let end = found?.range.lowerBound ?? text.count
            if offset < end { body(offset..<end, &tokens) }
            guard let found else { return }
            tokens.append(found.token)
            offset = found.range.upperBound
            if stripsRight.contains(found.token) {
                while offset < text.count, text[offset] == 0x20 || (0x09...0x0d).contains(text[offset]) {
                    offset += 1
                }
            }
        }
    }
}
