/// The pre-tokenizers' patterns as scanners: each says where a match that begins at an offset ends.
struct PatternScanner {
    let reader: ScalarReader

    init(_ reader: ScalarReader) {
        self.reader = reader
    }

    /// The end of the match at `offset`, or `offset` where there is none. `end` is the end of the piece, which
    /// patterns take for the end of the text.
    func match(_ pattern: PreTokenizer.Pattern, _ offset: Int, _ end: Int) -> Int {
        switch pattern {
        case .gpt2: matchGPT2(offset, end)
        case .words(let digits, let marks, let lineEnds):
            matchWord(offset, end, digits: digits, marks: marks, lineEnds: lineEnds)
        case .casedWords(let digits, let contractions):
            matchCasedWord(offset, end, digits: digits, contractions: contractions)
        case .eachNumber: run(.number, offset, end, atMost: 1)
        case .prefixedWords: matchPrefixedWord(offset, end)
        case .numbers(let limit): run(.number, offset, end, atMost: limit)
        case .threeDigits: matchThreeDigits(offset, end)
        case .punctuation(let backtick): matchPunctuation(offset, end, backtick: backtick)
        case .eachNewline: run(.newline, offset, end, atMost: 1)
        case .letters: afterSpace(offset, end) { run(.letter, $0, end) }
        case .spacedPunctuation: afterSpace(offset, end) { run(.punctuation, $0, end) }
        case .casedLetters: afterSpace(offset, end) { run(in: ScalarRanges.casedLetters, $0, end) }
        case .listedPunctuation: afterSpace(offset, end) { run(in: ScalarRanges.punctuation, $0, end) }
        case .trailingSpace: run(.space, offset, end) == end ? end : offset
        case .eastAsian: run(in: ScalarRanges.eastAsian, offset, end)
        case .chineseAndKana: run(in: ScalarRanges.chineseAndKana, offset, end)
        }
    }
}

// MARK: Parts of patterns

extension PatternScanner {
    /// Goes on over characters of these classes.
    @inline(__always)
    private func run(_ classes: ScalarClass, _ offset: Int, _ end: Int, atMost limit: Int = .max) -> Int {
        var offset = offset
        var count = 0
        while count < limit {
            let (found, next) = reader.character(at: offset, end)
            guard found.intersects(classes) else { break }
            offset = next
            count += 1
        }
        return offset
    }

    private func run(in ranges: ScalarRanges, _ offset: Int, _ end: Int) -> Int {
        var offset = offset
        while offset < end, let (scalar, next) = reader.scalar(at: offset, end), ranges.contains(scalar.value)
        {
            offset = next
        }
        return offset
    }

    /// `\s?` before something that must match.
    private func afterSpace(_ offset: Int, _ end: Int, _ match: (Int) -> Int) -> Int {
        let (found, next) = reader.character(at: offset, end)
        if found.intersects(.space) {
            let matched = match(next)
            if matched > next { return matched }
        }
        return match(offset)
    }

    private func byte(_ offset: Int, _ end: Int) -> UInt8 {
        offset < end ? reader.text[offset] : 0
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d`, in capitals too where `ignoringCase`.
    private func contraction(_ offset: Int, _ end: Int, ignoringCase: Bool) -> Int {
        guard byte(offset, end) == UInt8(ascii: "'") else { return offset }
        let fold: UInt8 = ignoringCase ? 0x20 : 0
        let first = byte(offset + 1, end) | fold
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
            return offset + 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
            let second = byte(offset + 2, end) | fold
            return second == (first == UInt8(ascii: "l") ? first : UInt8(ascii: "e")) ? offset + 3 : offset
        default:
            return offset
        }
    }

    /// `\s+(?!\S)|\s+`: leaves the last space of several to what follows.
    private func spaces(_ offset: Int, _ end: Int) -> Int {
        var offset = offset
        var last = offset
        let start = offset
        while true {
            let (found, next) = reader.character(at: offset, end)
            guard found.intersects(.space) else { break }
            last = offset
            offset = next
        }
        return offset == end || last == start ? offset : last
    }

    /// `\s*[\r\n]+`: through the last line end of a run of space.
    private func spacesThroughNewline(_ offset: Int, _ end: Int) -> Int {
        var matched = offset
        var offset = offset
        while true {
            let (found, next) = reader.character(at: offset, end)
            guard found.intersects(.space) else { return matched }
            offset = next
            if found.intersects(.newline) { matched = offset }
        }
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`
    private func lineEndsOrSpaces(_ offset: Int, _ end: Int) -> Int {
        let matched = spacesThroughNewline(offset, end)
        return matched > offset ? matched : spaces(offset, end)
    }

    /// ` ?[^\s\p{L}\p{N}]+`, where `words` are the classes excluded beside space.
    private func symbols(_ offset: Int, _ end: Int, notIn words: ScalarClass) -> Int {
        let start = byte(offset, end) == UInt8(ascii: " ") ? offset + 1 : offset
        let classes: ScalarClass = [
            .upper, .lower, .caseless, .number, .punctuation, .symbol, .mark, .other,
        ]
        let matched = run(classes.subtracting(words), start, end)
        return matched > start ? matched : offset
    }
}

// MARK: Patterns

extension PatternScanner {
    private func matchGPT2(_ offset: Int, _ end: Int) -> Int {
        let contracted = contraction(offset, end, ignoringCase: false)
        if contracted > offset { return contracted }
        let start = byte(offset, end) == UInt8(ascii: " ") ? offset + 1 : offset
        let found = reader.character(at: start, end).0
        if found.intersects(.letter) { return run(.letter, start, end) }
        if found.intersects(.number) { return run(.number, start, end) }
        let matched = symbols(offset, end, notIn: [.upper, .lower, .caseless, .number])
        return matched > offset ? matched : spaces(offset, end)
    }

    private func matchWord(_ offset: Int, _ end: Int, digits: Int, marks: Bool, lineEnds: Bool) -> Int {
        let contracted = contraction(offset, end, ignoringCase: true)
        if contracted > offset { return contracted }
        let letters: ScalarClass = marks ? [.upper, .lower, .caseless, .mark] : .letter
        let (found, next) = reader.character(at: offset, end)
        if found.intersects(letters) { return run(letters, next, end) }
        if found.intersects(.number) { return run(.number, offset, end, atMost: digits) }
        if !found.intersects(.newline) {
            let matched = run(letters, next, end)
            if matched > next { return matched }
        }
        let matched = symbols(offset, end, notIn: letters.union(.number))
        if matched > offset { return lineEnds ? run(.newline, matched, end) : matched }
        return lineEndsOrSpaces(offset, end)
    }

    private func matchPrefixedWord(_ offset: Int, _ end: Int) -> Int {
        func isASCIILetter(_ offset: Int) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte(offset, end) | 0x20)
        }
        let (found, next) = reader.character(at: offset, end)
        let isSymbol = found.intersects([.punctuation, .symbol])
        if isSymbol, byte(offset, end) < 0x80, isASCIILetter(next) {
            var matched = next + 1
            while isASCIILetter(matched) { matched += 1 }
            return matched
        }
        let words: ScalarClass = [.upper, .lower, .caseless, .mark]
        if !found.isEmpty, !isSymbol, !found.intersects(.newline) {
            let matched = run(words, next, end)
            if matched > next || found.intersects(words) { return matched }
        }
        let start = byte(offset, end) == UInt8(ascii: " ") ? next : offset
        let matched = run([.punctuation, .symbol], start, end)
        if matched > start { return run(.newline, matched, end) }
        return lineEndsOrSpaces(offset, end)
    }

    private func matchCasedWord(_ offset: Int, _ end: Int, digits: Int, contractions: Bool) -> Int {
        let (found, next) = reader.character(at: offset, end)
        let mayPrefix = !found.isEmpty && !found.intersects(.letter.union([.number, .newline]))
        for start in mayPrefix ? [next, offset] : [offset] {
            let matched = lowerEnding(start, end)
            if matched > start {
                return contractions ? contraction(matched, end, ignoringCase: true) : matched
            }
        }
        for start in mayPrefix ? [next, offset] : [offset] {
            let capitals = run([.upper, .caseless, .mark], start, end)
            guard capitals > start else { continue }
            let matched = run([.lower, .caseless, .mark], capitals, end)
            return contractions ? contraction(matched, end, ignoringCase: true) : matched
        }
        if found.intersects(.number) { return run(.number, offset, end, atMost: digits) }
        let matched = symbols(offset, end, notIn: [.upper, .lower, .caseless, .number])
        if matched > offset {
            var offset = matched
            while [UInt8(ascii: "\r"), UInt8(ascii: "\n"), UInt8(ascii: "/")].contains(byte(offset, end)) {
                offset += 1
            }
            return offset
        }
        return lineEndsOrSpaces(offset, end)
    }

    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`: caseless letters are in both sets, so the
    /// first part gives back what the second needs.
    private func lowerEnding(_ start: Int, _ end: Int) -> Int {
        var offset = start
        var shared = start
        while true {
            let (found, next) = reader.character(at: offset, end)
            if found.intersects(.lower) { return run([.lower, .caseless, .mark], offset, end) }
            guard found.intersects([.upper, .caseless, .mark]) else { return shared }
            offset = next
            if !found.intersects(.upper) { shared = next }
        }
    }

    private func matchThreeDigits(_ offset: Int, _ end: Int) -> Int {
        guard offset + 3 <= end else { return offset }
        let digits = reader.text[offset..<offset + 3]
        return digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ? offset + 3 : offset
    }

    private func matchPunctuation(_ offset: Int, _ end: Int, backtick: Bool) -> Int {
        var offset = offset
        while true {
            let (found, next) = reader.character(at: offset, end)
            guard found.intersects(.punctuation) || isListedSymbol(byte(offset, end), backtick) else {
                return offset
            }
            offset = next
        }
    }

    private func isListedSymbol(_ byte: UInt8, _ backtick: Bool) -> Bool {
        switch Character(Unicode.Scalar(byte)) {
        case "$", "+", "<", "=", ">", "^", "~", "|": true
        case "`": backtick
        default: false
        }
    }
}

/// Ascending ranges of code points.
struct ScalarRanges: Sendable {
    private let ranges: [ClosedRange<UInt32>]

    func contains(_ value: UInt32) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < value { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(value)
    }

    /// `[ࠀ-一一-龥가-퟿]`
    static let eastAsian = ScalarRanges(ranges: [0x800...0x9fa5, 0xac00...0xd7ff])

    /// `[一-龥぀-ゟ゠-ヿ]`
    static let chineseAndKana = ScalarRanges(ranges: [0x3040...0x30ff, 0x4e00...0x9fa5])

    /// ``[!-/:-~！-／：-～‘-‟　-。]``
    static let punctuation = ScalarRanges(ranges: [
        0x21...0x2f, 0x3a...0x7e, 0x2018...0x201f, 0x3000...0x3002, 0xff01...0xff0f, 0xff1a...0xff5e,
    ])

    /// The letters that DeepSeek LLM's `tokenizer.json` lists.
    static let casedLetters = ScalarRanges(ranges: [
        0x41...0x5a, 0x61...0x7a, 0xb5...0xb5, 0xc0...0xd6, 0xd8...0xf6, 0xf8...0x1ba, 0x1bc...0x1bf,
        0x1c4...0x293, 0x295...0x2af, 0x370...0x373, 0x376...0x377, 0x37b...0x37d, 0x37f...0x37f,
        0x386...0x386, 0x388...0x38a, 0x38c...0x38c, 0x38e...0x3a1, 0x3a3...0x3f5, 0x3f7...0x481,
        0x48a...0x52f, 0x531...0x556, 0x10a0...0x10c5, 0x13a0...0x13f5, 0x13f8...0x13fd, 0x1c90...0x1cba,
        0x1cbd...0x1cbf, 0x1d00...0x1d2b, 0x1d6b...0x1d77, 0x1d79...0x1d9a, 0x1e00...0x1f15,
        0x1f18...0x1f1d, 0x1f20...0x1f45, 0x1f48...0x1f4d, 0x1f50...0x1f57, 0x1f59...0x1f59,
        0x1f5b...0x1f5b, 0x1f5d...0x1f5d, 0x1f5f...0x1f7d, 0x1f80...0x1fb4, 0x1fb6...0x1fbc,
        0x1fbe...0x1fbe, 0x1fc2...0x1fc4, 0x1fc6...0x1fcc, 0x1fd0...0x1fd3, 0x1fd6...0x1fdb,
        0x1fe0...0x1fec, 0x1ff2...0x1ff4, 0x1ff6...0x1ffc, 0x2102...0x2102, 0x2107...0x2107,
        0x210a...0x2113, 0x2115...0x2115, 0x2119...0x211d, 0x2124...0x2124, 0x2126...0x2126,
        0x2128...0x2128, 0x212a...0x212d, 0x212f...0x2134, 0x2139...0x2139, 0x213c...0x213f,
        0x2145...0x2149, 0x214e...0x214e, 0x2183...0x2184, 0x2c00...0x2c7b, 0x2c7e...0x2ce4,
        0x2ceb...0x2cee, 0x2cf2...0x2cf3, 0xa640...0xa66d, 0xa680...0xa69b, 0xa722...0xa76f,
        0xa771...0xa787, 0xa78b...0xa78e, 0xab70...0xabbf, 0xfb00...0xfb06, 0xfb13...0xfb17,
        0xff21...0xff3a, 0xff41...0xff5a, 0x10400...0x1044f, 0x104b0...0x104d3, 0x104d8...0x104fb,
        0x10c80...0x10cb2, 0x10cc0...0x10cf2, 0x118a0...0x118df, 0x1e900...0x1e943,
    ])
}
