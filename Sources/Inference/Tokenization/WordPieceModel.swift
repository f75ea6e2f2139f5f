import Foundation

/// WordPiece as BERT has it: lower-case words without accents, each cut into the longest tokens there are.
struct WordPieceModel: Sendable {
    let unknown: Int32?

    /// Appends the tokens of a text. A token that begins a word begins with a space in the vocabulary.
    func encode(_ text: UnsafeBufferPointer<UInt8>, _ vocabulary: Vocabulary, into tokens: inout [Int32]) {
        for word in words(of: text) {
            let spaced = [UInt8(ascii: " ")] + Array(word.utf8)
            let before = tokens.count
            var start = 0
            spaced.withUnsafeBufferPointer { spaced in
                while start < spaced.count {
                    var end = min(spaced.count, start + vocabulary.longestToken)
                    while end > start {
                        if let token = vocabulary.find(UnsafeBufferPointer(rebasing: spaced[start..<end])) {
                            tokens.append(token)
                            break
                        }
                        end -= 1
                    }
                    // A word that is not all tokens is unknown as a whole.
                    guard end > start else { return tokens.removeLast(tokens.count - before) }
                    start = end
                }
            }
            if tokens.count == before, let unknown { tokens.append(unknown) }
        }
    }

    /// Lower-case words without accents; punctuation and Chinese characters are words of their own.
    private func words(of text: UnsafeBufferPointer<UInt8>) -> [String] {
        var words = [""]
        func finish() { if words.last?.isEmpty == false { words.append("") } }
        let normal = String(decoding: text, as: UTF8.self).decomposedStringWithCanonicalMapping
        for scalar in normal.unicodeScalars {
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
            let lower = properties.lowercaseMapping
            if isWordByItself(scalar) {
                finish()
                words[words.count - 1] = lower
                finish()
            } else {
                words[words.count - 1] += lower
            }
        }
        if words.last?.isEmpty == true { words.removeLast() }
        return words
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
