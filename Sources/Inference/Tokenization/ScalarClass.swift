/// What pre-tokenizers ask of a character: its general category, coarsely.
struct ScalarClass: OptionSet, Sendable {
    let rawValue: UInt16

    /// Lu and Lt.
    static let upper = ScalarClass(rawValue: 1)
    /// Ll.
    static let lower = ScalarClass(rawValue: 2)
    /// Lm and Lo.
    static let caseless = ScalarClass(rawValue: 4)
    /// N: decimal, letter-like and other numbers.
    static let number = ScalarClass(rawValue: 8)
    /// White_Space.
    static let space = ScalarClass(rawValue: 16)
    /// Carriage return and line feed; they are spaces too.
    static let newline = ScalarClass(rawValue: 32)
    /// P.
    static let punctuation = ScalarClass(rawValue: 64)
    /// S.
    static let symbol = ScalarClass(rawValue: 128)
    /// M.
    static let mark = ScalarClass(rawValue: 256)
    /// Everything else, bytes that are no UTF-8 included.
    static let other = ScalarClass(rawValue: 512)

    /// The classes of ASCII.
    static let ascii = (0..<128).map { ScalarClass(Unicode.Scalar(UInt8($0))) }

    /// L.
    static let letter: ScalarClass = [.upper, .lower, .caseless]

    @inline(__always)
    func intersects(_ other: ScalarClass) -> Bool { rawValue & other.rawValue != 0 }

    init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    init(_ scalar: Unicode.Scalar) {
        let properties = scalar.properties
        if properties.isWhitespace {
            self = scalar == "\n" || scalar == "\r" ? [.space, .newline] : .space
            return
        }
        switch properties.generalCategory {
        case .uppercaseLetter, .titlecaseLetter: self = .upper
        case .lowercaseLetter: self = .lower
        case .modifierLetter, .otherLetter: self = .caseless
        case .decimalNumber, .letterNumber, .otherNumber: self = .number
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            self = .punctuation
        case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: self = .symbol
        case .nonspacingMark, .spacingMark, .enclosingMark: self = .mark
        default: self = .other
        }
    }
}

/// UTF-8 read scalar by scalar, from any bytes.
struct ScalarReader {
    let text: UnsafeBufferPointer<UInt8>
    private let ascii = ScalarClass.ascii

    init(_ text: UnsafeBufferPointer<UInt8>) {
        self.text = text
    }

    /// The class of the character at `offset` and the offset behind it; no class at all at `end`.
    @inline(__always)
    func character(at offset: Int, _ end: Int) -> (ScalarClass, next: Int) {
        guard offset < end else { return ([], end) }
        let byte = text[offset]
        if byte < 0x80 { return (ascii[Int(byte)], offset + 1) }
        guard let (scalar, next) = scalar(at: offset, end) else { return (.other, offset + 1) }
        return (ScalarClass(scalar), next)
    }

    /// The character at `offset` and the offset behind it, or nil where the bytes are no UTF-8.
    @inline(__always)
    func scalar(at offset: Int, _ end: Int) -> (Unicode.Scalar, next: Int)? {
        let first = UInt32(text[offset])
        let count =
            first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
        guard count > 0, count <= end - offset else { return nil }
        if count == 1 { return (Unicode.Scalar(UInt8(first)), offset + 1) }
        var value = first & (0x7f >> UInt32(count))
        for index in offset + 1..<offset + count {
            guard text[index] & 0xc0 == 0x80 else { return nil }
            value = value << 6 | UInt32(text[index] & 0x3f)
        }
        // Surrogates and what lies past U+10FFFF are refused by the scalar, overlong forms here.
        guard value >= (count == 2 ? 0x80 : count == 3 ? 0x800 : 0x10000), let scalar = Unicode.Scalar(value)
        else { return nil }
        return (scalar, offset + count)
    }
}
