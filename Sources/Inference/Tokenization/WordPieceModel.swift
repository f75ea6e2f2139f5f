import Foundation

/// WordPiece as BERT has it: lower-case words without accents, each cut into the longest tokens there are.
struct WordPieceModel: Sendable {
    let unknown: Int32?

    /// Appends the tokens of a text. A token that begins a word begins with a space in the vocabulary.
    func encode(_ text: UnsafeBufferPointer<UInt8>, _ vocabulary: Vocabulary, into tokens: inout [Int32]) {
        var cache = WordCache(text)
        var word: [UInt8] = []
        forEachStretch(of: text) { stretch in
            guard let hash = cache.replay(stretch, into: &tokens) else { return }
            let first = tokens.count
            word.removeAll(keepingCapacity: true)
            func finish() {
                guard !word.isEmpty else { return }
                word.withUnsafeBufferPointer { append($0, vocabulary, &tokens) }
                word.removeAll(keepingCapacity: true)
            }
            func add(_ bytes: some Sequence<UInt8>, _ isWordByItself: Bool) {
                if isWordByItself { finish() }
                if word.isEmpty { word.append(UInt8(ascii: " ")) }
                word.append(contentsOf: bytes)
                if isWordByItself { finish() }
            }
            let bytes = UnsafeBufferPointer(rebasing: text[stretch])
            if bytes.allSatisfy({ $0 < 0x80 }) {
                for byte in bytes where byte > 0x20 && byte < 0x7f {
                    let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    let isWordByItself = ScalarClass.ascii[Int(byte)].intersects([.punctuation, .symbol])
                    add(CollectionOfOne(isCapital ? byte | 0x20 : byte), isWordByItself)
                }
            } else {
                addCharacters(of: String(decoding: bytes, as: UTF8.self), { add($0, $1) }, finish)
            }
            finish()
            cache.record(stretch, hash, tokens: first..<tokens.count)
        }
    }

    /// The text between ASCII white space, and each common ideograph by itself: what lies on one side of these does not
    /// matter to the other.
    private func forEachStretch(of text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
        var start = 0
        var offset = 0
        func finish() { if start < offset { body(start..<offset) } }
        while offset < text.count {
            let byte = text[offset]
            if byte == 0x20 || (0x09...0x0d).contains(byte) {
                finish()
                offset += 1
                start = offset
            } else if (0xe4...0xe9).contains(byte), offset + 3 <= text.count,
                // U+4E00 to U+9FFF
                byte > 0xe4 || text[offset + 1] >= 0xb8, text[offset + 1] & 0xc0 == 0x80,
                text[offset + 2] & 0xc0 == 0x80
            {
                finish()
                start = offset
                offset += 3
                finish()
                start = offset
            } else {
                offset += 1
            }
        }
        finish()
    }

    /// Lower-case characters without accents; punctuation and Chinese characters are words of their own.
    private func addCharacters(
        of text: String, _ add: (String.UTF8View, Bool) -> Void, _ finish: () -> Void
    ) {
        for scalar in text.decomposedStringWithCanonicalMapping.unicodeScalars {
            let properties = scalar.properties
            if properties.isWhitespace {
                finish()
                continue
            }
            if scalar == "\0" || scalar == "\u{fffd}" { continue }
            switch properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .nonspacingMark: continue
            default: break
            }
            let lower = properties.changesWhenLowercased ? properties.lowercaseMapping : String(scalar)
            add(lower.utf8, isWordByItself(scalar))
        }
    }

    /// Appends the tokens of a word with a space before it.
    private func append(
        _ word: UnsafeBufferPointer<UInt8>, _ vocabulary: Vocabulary, _ tokens: inout [Int32]
    ) {
        let before = tokens.count
        var start = 0
        while start < word.count {
            var longest: (token: Int32, end: Int)?
            var hash = ByteHash()
            for end in start..<min(word.count, start + vocabulary.longestToken) {
                hash.add(word[end])
                let piece = UnsafeBufferPointer(rebasing: word[start...end])
                if let token = vocabulary.find(piece, hash) { longest = (token, end + 1) }
            }
            // A word that is not all tokens is unknown as a whole.
            guard let longest else {
                tokens.removeLast(tokens.count - before)
                if let unknown { tokens.append(unknown) }
                return
            }
            tokens.append(longest.token)
            start = longest.end
        }
    }

    private func isWordByItself(_ scalar: Unicode.Scalar) -> Bool {
        let found = ScalarClass(scalar)
        return found.intersects(.punctuation) || scalar.isASCII && found.intersects(.symbol)
            || Self.chinese.contains { $0.contains(scalar.value) }
    }

    /// The ideograph blocks of BERT's tokenizer.
    private static let chinese: [ClosedRange<UInt32>] = [
        0x4e00...0x9fff, 0x3400...0x4dbf, 0x20000...0x2a6df, 0x2a700...0x2b73f, 0x2b740...0x2b81f,
        0x2b920...0x2ceaf, 0xf900...0xfaff, 0x2f800...0x2fa1f,
    ]
}
