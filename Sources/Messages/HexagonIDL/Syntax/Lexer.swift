/// Splits one file into tokens and collects its doc comments.
struct Lexer {
    private let bytes: [UInt8]
    private var file: String
    private var position = 0
    private var line: Int
    private var column: Int
    private var atLineStart = true
    private static let marks = Set("{}()[]<>;,:=-~*/%+&^|?!".utf8)
    private var leadingDoc: [String] = []
    private var trailingDoc: [String] = []

    /// A lexer for a file's text, or for a piece of it that begins at `start`.
    init(_ bytes: [UInt8], file: String, line: Int = 1, column: Int = 1) {
        self.bytes = bytes
        self.file = file
        self.line = line
        self.column = column
        // A byte order mark is no text.
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
    }

    /// Where a file ends with `#line 1`, the line that it asks for never begins.
    private var location: Location { Location(file: file, line: max(1, line), column: column) }
    private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func peek(_ distance: Int) -> UInt8? {
        position + distance < bytes.count ? bytes[position + distance] : nil
    }

    private mutating func advance() {
        if bytes[position] == UInt8(ascii: "\n") {
            line += 1
            column = 1
            atLineStart = true
        } else {
            column += 1
        }
        position += 1
    }

    private mutating func advance(_ count: Int) {
        for _ in 0..<count where position < bytes.count { advance() }
    }

    /// Goes on as if the next line were this one, as `#line` asks.
    mutating func relocate(file: String, line: Int) {
        self.file = file
        // The directive's own line break is still to come.
        self.line = line - 1
    }

    /// The next token. After the end of the file: `endOfFile`, for ever.
    mutating func next() -> Token {
        let broken = skipSpaceAndComments()
        var token = Token(kind: .endOfFile, location: broken ?? location)
        token.leadingDoc = leadingDoc
        token.trailingDoc = trailingDoc
        leadingDoc = []
        trailingDoc = []
        if broken != nil {
            token.kind = .invalid("a comment that is never closed")
            return token
        }
        guard let byte else { return token }
        if byte == UInt8(ascii: "#"), atLineStart {
            token.kind = directive()
            return token
        }
        atLineStart = false
        token.kind = lexeme(byte)
        return token
    }

    private mutating func lexeme(_ byte: UInt8) -> Token.Kind {
        switch byte {
        case UInt8(ascii: "L") where peek(1) == UInt8(ascii: "\"") || peek(1) == UInt8(ascii: "'"):
            advance()
            return bytes[position] == UInt8(ascii: "\"") ? string(wide: true) : character(wide: true)
        case _ where byte.isLetter:
            return word()
        case _ where byte.isDigit, UInt8(ascii: ".") where peek(1)?.isDigit == true:
            return number()
        case UInt8(ascii: "\""):
            return string(wide: false)
        case UInt8(ascii: "'"):
            return character(wide: false)
        case UInt8(ascii: ":") where peek(1) == UInt8(ascii: ":"):
            advance(2)
            return .punctuator("::")
        default:
            advance()
            let mark = Unicode.Scalar(byte)
            if Self.marks.contains(byte) { return .punctuator(String(mark)) }
            let shown = (0x21...0x7e).contains(byte) ? "'\(mark)'" : "byte 0x\(String(byte, radix: 16))"
            return .invalid("\(shown), which no IDL token begins with")
        }
    }

    // MARK: Space, comments, directives

    /// Returns where a comment begins that is never closed, or nil.
    private mutating func skipSpaceAndComments() -> Location? {
        while let byte {
            if byte.isSpace {
                advance()
            } else if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "/") {
                let start = position + 2
                while let byte = self.byte, byte != UInt8(ascii: "\n") { advance() }
                collectDoc(bytes[start..<position], lineComment: true)
            } else if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "*") {
                let opening = location
                let wasAtLineStart = atLineStart
                advance(2)
                let start = position
                while position < bytes.count,
                    !(bytes[position] == UInt8(ascii: "*") && peek(1) == UInt8(ascii: "/"))
                {
                    advance()
                }
                guard position < bytes.count else { return opening }
                collectDoc(bytes[start..<position], lineComment: false)
                advance(2)
                atLineStart = wasAtLineStart || atLineStart
            } else {
                break
            }
        }
        return nil
    }

    /// Keeps Doxygen's comments: `///`, `//!`, `/** */`, `/*! */`, and with `<` those that follow.
    private mutating func collectDoc(_ text: ArraySlice<UInt8>, lineComment: Bool) {
        let marker = lineComment ? UInt8(ascii: "/") : UInt8(ascii: "*")
        guard let first = text.first, first == marker || first == UInt8(ascii: "!") else { return }
        var body = text.dropFirst()
        if body.first == marker { return }  // A rule of slashes or stars.
        let follows = body.first == UInt8(ascii: "<")
        if follows { body = body.dropFirst() }
        let lines = body.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
            Self.docLine($0, lineComment: lineComment)
        }
        var kept = lines[...]
        if !lineComment {
            while kept.first?.isEmpty == true { kept.removeFirst() }
            while kept.last?.isEmpty == true { kept.removeLast() }
        }
        if follows { trailingDoc += kept } else { leadingDoc += kept }
    }

    /// One comment line without its decoration and outer spaces.
    private static func docLine(_ line: ArraySlice<UInt8>, lineComment: Bool) -> String {
        var rest = line
        if !lineComment {
            let trimmed = rest.drop { $0.isSpace }
            if trimmed.first == UInt8(ascii: "*") { rest = trimmed.dropFirst() } else { rest = trimmed }
        }
        if rest.first == UInt8(ascii: " ") { rest = rest.dropFirst() }
        while let last = rest.last, last.isSpace { rest = rest.dropLast() }
        return String(decoding: rest, as: UTF8.self)
    }

    /// A whole line, continued by backslashes, comments removed.
    private mutating func directive() -> Token.Kind {
        advance()
        var text: [UInt8] = []
        var quoted = false
        while let byte, byte != UInt8(ascii: "\n") {
            if byte == UInt8(ascii: "\\"), peek(1) == UInt8(ascii: "\n") {
                advance(2)
                text.append(UInt8(ascii: " "))
                continue
            }
            if byte == UInt8(ascii: "\"") { quoted.toggle() }
            if !quoted, byte == UInt8(ascii: "/"),
                peek(1) == UInt8(ascii: "/") || peek(1) == UInt8(ascii: "*")
            {
                // `skipSpaceAndComments` takes the comment; its doc text belongs to nobody.
                break
            }
            text.append(byte)
            advance()
        }
        while let last = text.last, last.isSpace { text.removeLast() }
        atLineStart = true
        return .directive(String(decoding: text, as: UTF8.self))
    }

    // MARK: Words and literals

    private mutating func word() -> Token.Kind {
        let start = position
        // The language allows apostrophes in names; no C or Swift identifier has one.
        while let byte, byte.isLetter || byte.isDigit || byte == UInt8(ascii: "'") { advance() }
        let name = String(decoding: bytes[start..<position], as: UTF8.self)
        if name.contains("'") {
            return .invalid("the name \(name), whose apostrophe no target language allows")
        }
        return .identifier(name)
    }

    private mutating func number() -> Token.Kind {
        let start = position
        var radix: UInt64 = 10
        if byte == UInt8(ascii: "0"), peek(1) == UInt8(ascii: "x") || peek(1) == UInt8(ascii: "X") {
            advance(2)
            radix = 16
        } else if byte == UInt8(ascii: "0"), peek(1)?.isDigit == true {
            radix = 8
        }
        let digits = position
        var isFloat = false
        while let byte {
            if byte == UInt8(ascii: ".") || (radix != 16 && (byte | 0x20) == UInt8(ascii: "e")) {
                isFloat = true
                advance()
                if (bytes[position - 1] | 0x20) == UInt8(ascii: "e"), self.byte == UInt8(ascii: "-") {
                    advance()
                }
            } else if byte.isLetter || byte.isDigit {
                advance()
            } else {
                break
            }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isFloat {
            guard radix != 16, text.last != ".", Double(text.first == "." ? "0" + text : text) != nil else {
                return .invalid("'\(text)', which is no number")
            }
            return .float(text.first == "." ? "0" + text : text)
        }
        var value: UInt64 = 0
        for byte in bytes[digits..<position] {
            guard let digit = byte.digit, digit < radix else {
                return .invalid("'\(text)', which is no number")
            }
            let (product, overflow) = value.multipliedReportingOverflow(by: radix)
            let (sum, carry) = product.addingReportingOverflow(digit)
            guard !overflow, !carry else { return .invalid("'\(text)', which does not fit 64 bits") }
            value = sum
        }
        guard digits < position else { return .invalid("'\(text)', which is no number") }
        return .integer(value, isDecimal: radix == 10)
    }

    private mutating func string(wide: Bool) -> Token.Kind {
        advance()
        var text = String.UnicodeScalarView()
        var narrow: [UInt8] = []
        while let byte, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\n") {
            if byte == UInt8(ascii: "\\") {
                guard let value = escape(wide: wide), let scalar = Unicode.Scalar(value) else {
                    return .invalid("an escape sequence that is not known")
                }
                text.append(contentsOf: String(decoding: narrow, as: UTF8.self).unicodeScalars)
                narrow = []
                text.append(scalar)
            } else {
                narrow.append(byte)
                advance()
            }
        }
        guard byte == UInt8(ascii: "\"") else { return .invalid("a string that is not closed on its line") }
        advance()
        text.append(contentsOf: String(decoding: narrow, as: UTF8.self).unicodeScalars)
        return .string(String(text), wide: wide)
    }

    private mutating func character(wide: Bool) -> Token.Kind {
        advance()
        guard let first = byte, first != UInt8(ascii: "\n"), first != UInt8(ascii: "'") else {
            return .invalid("an empty character literal")
        }
        var value = UInt32(first)
        if first == UInt8(ascii: "\\") {
            guard let escaped = escape(wide: wide) else {
                return .invalid("an escape sequence that is not known")
            }
            value = escaped
        } else {
            guard first < 0x80 else { return .invalid("a character literal that is not ASCII") }
            advance()
        }
        guard byte == UInt8(ascii: "'") else { return .invalid("a character literal that is not closed") }
        advance()
        return .character(value, wide: wide)
    }

    /// An escape sequence from its backslash on.
    private mutating func escape(wide: Bool) -> UInt32? {
        advance()
        guard let byte else { return nil }
        let simple: [Character: UInt32] = [
            "\\": 0x5c, "'": 0x27, "\"": 0x22, "r": 13, "n": 10, "a": 7, "b": 8, "f": 12, "t": 9, "v": 11,
            "?": 0x3f,
        ]
        if let value = simple[Character(Unicode.Scalar(byte))] {
            advance()
            return value
        }
        switch byte {
        case UInt8(ascii: "x"):
            advance()
            return digits(radix: 16, atMost: 2)
        case UInt8(ascii: "u") where wide:
            advance()
            return digits(radix: 16, atMost: 4)
        default:
            return digits(radix: 8, atMost: 3)
        }
    }

    private mutating func digits(radix: UInt64, atMost limit: Int) -> UInt32? {
        var value: UInt64 = 0
        var count = 0
        while count < limit, let digit = byte?.digit, digit < radix {
            value = value * radix + digit
            count += 1
            advance()
        }
        return count == 0 ? nil : UInt32(value)
    }
}

extension UInt8 {
    var isSpace: Bool { self == 0x20 || (0x09...0x0d).contains(self) }
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    var isLetter: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) || self == UInt8(ascii: "_")
    }

    /// The value of a digit in a base up to 36.
    var digit: UInt64? {
        if isDigit { return UInt64(self - UInt8(ascii: "0")) }
        let letter = self | 0x20
        guard (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) else { return nil }
        return UInt64(letter - UInt8(ascii: "a")) + 10
    }
}
