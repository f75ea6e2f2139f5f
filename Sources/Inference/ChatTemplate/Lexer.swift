/// Cuts a template into tokens as Jinja does with `trim_blocks` and `lstrip_blocks`: one line end after a tag is dropped,
/// and white space before a tag that is alone on its line's beginning; `-` and `+` at a tag decide otherwise.
struct Lexer {
    private let source: [CodePoint]
    private var position = 0
    private var line = 1
    private var tokens: [Token] = []
    /// Whether what was read last ended a line.
    private var startsLine = true

    static func tokens(of source: String) throws(ChatTemplateError) -> [Token] {
        var lexer = Lexer(source)
        try lexer.readTemplate()
        return lexer.tokens
    }

    private init(_ source: String) {
        // Line ends are all the same, and the last one does not count.
        var points: [CodePoint] = []
        points.reserveCapacity(source.utf8.count)
        var isAfterReturn = false
        for scalar in source.unicodeScalars {
            if scalar != "\n" || !isAfterReturn { points.append(CodePoint(scalar == "\r" ? "\n" : scalar)) }
            isAfterReturn = scalar == "\r"
        }
        if points.last?.scalar == "\n" { points.removeLast() }
        self.source = points
    }

    private func failure(_ problem: String, line: Int? = nil) -> ChatTemplateError {
        ChatTemplateError(line: line ?? self.line, problem)
    }

    private func scalar(at offset: Int) -> Unicode.Scalar? {
        position + offset < source.count ? source[position + offset].scalar : nil
    }

    private func isNext(_ text: StaticString, at index: Int? = nil) -> Bool {
        let index = index ?? position
        guard index + text.utf8CodeUnitCount <= source.count else { return false }
        return (0..<text.utf8CodeUnitCount).allSatisfy {
            source[index + $0].value == UInt32(text.utf8Start[$0])
        }
    }

    private mutating func append(_ kind: Token.Kind, line: Int? = nil) {
        tokens.append(Token(kind: kind, line: line ?? self.line))
    }

    private mutating func advance(to end: Int) {
        for point in source[position..<end] where point.scalar == "\n" { line += 1 }
        if end > position { startsLine = source[end - 1].scalar == "\n" }
        position = end
    }

    // MARK: Text

    private mutating func readTemplate() throws(ChatTemplateError) {
        while position < source.count {
            var index = position
            while index < source.count,
                !isNext("{{", at: index), !isNext("{%", at: index), !isNext("{#", at: index)
            {
                index += 1
            }
            guard index < source.count else {
                let text = Text(source[position...])
                append(.data(text))
                advance(to: source.count)
                break
            }
            try readTag(at: index)
        }
        append(.end)
    }

    private mutating func readTag(at start: Int) throws(ChatTemplateError) {
        let opening = source[start + 1].scalar
        if opening == "%", let raw = rawTag(at: start) {
            addData(before: start, sign: raw.sign, isVariable: false)
            advance(to: raw.end)
            try readRaw()
            return
        }
        let sign = start + 2 < source.count ? source[start + 2].scalar : nil
        let hasSign = sign == "-" || sign == "+"
        addData(before: start, sign: hasSign ? sign : nil, isVariable: opening == "{")
        switch opening {
        case "#":
            advance(to: start + (hasSign ? 3 : 2))
            try readComment()
        case "{":
            append(.variableBegin)
            advance(to: start + (hasSign ? 3 : 2))
            try readTokens(untilBlockEnd: false)
        default:
            append(.blockBegin)
            advance(to: start + (hasSign ? 3 : 2))
            try readTokens(untilBlockEnd: true)
        }
    }

    /// Adds the text before a tag, without the white space that the tag takes away.
    private mutating func addData(before end: Int, sign: Unicode.Scalar?, isVariable: Bool) {
        var text = source[position..<end]
        if sign == "-" {
            while let last = text.last, last.isSpace { text.removeLast() }
        } else if sign != "+", !isVariable {
            let lineStart = text.lastIndex { $0.scalar == "\n" }.map { $0 + 1 } ?? position
            if lineStart > position || startsLine, text[lineStart...].allSatisfy(\.isSpace) {
                text = text[..<lineStart]
            }
        }
        if !text.isEmpty { append(.data(Text(text))) }
        advance(to: end)
    }

    /// The `{% raw %}` that begins here: its sign and where its text begins.
    private func rawTag(at start: Int) -> (sign: Unicode.Scalar?, end: Int)? {
        let sign = sign(at: start + 2)
        var index = skippingSpace(start + (sign == nil ? 2 : 3))
        guard isNext("raw", at: index) else { return nil }
        index = skippingSpace(index + 3)
        if isNext("-%}", at: index) { return (sign, skippingSpace(index + 3)) }
        return isNext("%}", at: index) ? (sign, index + 2) : nil
    }

    /// The sign that may stand behind the beginning of a tag.
    private func sign(at index: Int) -> Unicode.Scalar? {
        guard index < source.count, ["-", "+"].contains(source[index].scalar) else { return nil }
        return source[index].scalar
    }

    private func skippingSpace(_ index: Int) -> Int {
        var index = index
        while index < source.count, source[index].isSpace { index += 1 }
        return index
    }

    private mutating func readRaw() throws(ChatTemplateError) {
        for start in position..<source.count where isNext("{%", at: start) {
            let sign = sign(at: start + 2)
            let index = skippingSpace(start + (sign == nil ? 2 : 3))
            guard isNext("endraw", at: index) else { continue }
            guard let end = endOfBlock(at: skippingSpace(index + 6)) else { continue }
            addData(before: start, sign: sign, isVariable: false)
            advance(to: end)
            return
        }
        throw failure("{% raw %} has no {% endraw %}")
    }

    /// Behind a `%}` at an index, with what it takes away; nil where there is none.
    private func endOfBlock(at index: Int) -> Int? {
        if isNext("-%}", at: index) { return skippingSpace(index + 3) }
        let end: Int
        if isNext("+%}", at: index) { return index + 3 }
        guard isNext("%}", at: index) else { return nil }
        end = index + 2
        return end < source.count && source[end].scalar == "\n" ? end + 1 : end
    }

    private mutating func readComment() throws(ChatTemplateError) {
        var index = position
        while index < source.count {
            if isNext("-#}", at: index) { return advance(to: skippingSpace(index + 3)) }
            if isNext("+#}", at: index) { return advance(to: index + 3) }
            if isNext("#}", at: index) {
                index += 2
                return advance(to: index < source.count && source[index].scalar == "\n" ? index + 1 : index)
            }
            index += 1
        }
        throw failure("a comment does not end: '#}' is missing")
    }

    // MARK: Inside tags

    private static let longSymbols: [StaticString] = ["//", "**", "==", "!=", ">=", "<="]
    private static let symbols = Set("+-*/%~[](){}><=.:|,;".unicodeScalars)

    private mutating func readTokens(untilBlockEnd isBlock: Bool) throws(ChatTemplateError) {
        var closers: [Unicode.Scalar] = []
        while let scalar = scalar(at: 0) {
            if closers.isEmpty, try readEnd(isBlock) { return }
            if source[position].isSpace {
                advance(to: skippingSpace(position))
            } else if scalar.isDigit {
                try readNumber()
            } else if source[position].isWord || !scalar.isASCII {
                try readName()
            } else if scalar == "\"" || scalar == "'" {
                try readString(scalar)
            } else if let symbol = Self.longSymbols.first(where: { isNext($0) }) {
                append(.symbol("\(symbol)"))
                advance(to: position + 2)
            } else if Self.symbols.contains(scalar) {
                switch scalar {
                case "{": closers.append("}")
                case "(": closers.append(")")
                case "[": closers.append("]")
                case "}", ")", "]":
                    guard let expected = closers.popLast() else { throw failure("unexpected '\(scalar)'") }
                    guard expected == scalar else {
                        throw failure("unexpected '\(scalar)', expected '\(expected)'")
                    }
                default: break
                }
                append(.symbol(String(scalar)))
                advance(to: position + 1)
            } else {
                throw failure("unexpected character '\(scalar)'")
            }
        }
    }

    private mutating func readEnd(_ isBlock: Bool) throws(ChatTemplateError) -> Bool {
        if isBlock {
            guard let end = endOfBlock(at: position) else { return false }
            append(.blockEnd)
            advance(to: end)
            return true
        }
        if isNext("-}}") {
            append(.variableEnd)
            advance(to: skippingSpace(position + 3))
            return true
        }
        guard isNext("}}") else { return false }
        append(.variableEnd)
        advance(to: position + 2)
        return true
    }

    private mutating func readName() throws(ChatTemplateError) {
        var end = position
        var isIdentifier = true
        while end < source.count {
            let properties = source[end].scalar.properties
            let isStart = properties.isXIDStart || source[end].scalar == "_"
            guard source[end].isWord || properties.isXIDContinue else { break }
            if end == position ? !isStart : !properties.isXIDContinue { isIdentifier = false }
            end += 1
        }
        guard end > position else {
            throw failure("unexpected character '\(source[position].scalar)'")
        }
        guard isIdentifier else { throw failure("invalid character in an identifier") }
        append(.name(Text(source[position..<end]).string))
        advance(to: end)
    }

    /// Digits from an index, single underscores between them.
    private func digits(from start: Int, _ isDigit: (Unicode.Scalar) -> Bool) -> Int {
        var end = start
        while end < source.count {
            if isDigit(source[end].scalar) {
                end += 1
            } else if end > start, source[end].scalar == "_", end + 1 < source.count,
                isDigit(source[end + 1].scalar)
            {
                end += 2
            } else {
                break
            }
        }
        return end
    }

    private mutating func readNumber() throws(ChatTemplateError) {
        if try readFloat() { return }
        var radix = 10
        var start = position
        var end = position
        if source[position].scalar == "0" {
            let letter = scalar(at: 1).map { String($0).lowercased() }
            for (name, base) in [("b", 2), ("o", 8), ("x", 16)] where letter == name {
                let first = scalar(at: 2) == "_" ? position + 3 : position + 2
                let last = digits(from: first) { $0.digitValue.map { $0 < base } ?? false }
                if last > first { (radix, start, end) = (base, first, last) }
            }
            if radix == 10 { end = digits(from: position) { $0 == "0" } }
        } else {
            end = digits(from: position, \.isDigit)
        }
        let text = String(String.UnicodeScalarView(source[start..<end].map(\.scalar).filter { $0 != "_" }))
        guard let value = Int(text, radix: radix) else { throw failure("the number \(text) is too large") }
        append(.integer(value))
        advance(to: end)
    }

    private mutating func readFloat() throws(ChatTemplateError) -> Bool {
        // A point before makes it an index, such as `a.1.2`.
        if position > 0, source[position - 1].scalar == "." { return false }
        var end = digits(from: position, \.isDigit)
        var isFloat = false
        if end + 1 < source.count, source[end].scalar == ".", source[end + 1].scalar.isDigit {
            end = digits(from: end + 1, \.isDigit)
            isFloat = true
        }
        if end < source.count, source[end].scalar == "e" || source[end].scalar == "E" {
            var first = end + 1
            if first < source.count, source[first].scalar == "+" || source[first].scalar == "-" { first += 1 }
            let last = digits(from: first, \.isDigit)
            if last > first { (end, isFloat) = (last, true) }
        }
        guard isFloat else { return false }
        let text = String(String.UnicodeScalarView(source[position..<end].map(\.scalar).filter { $0 != "_" }))
        append(.float(Double(text) ?? .infinity))
        advance(to: end)
        return true
    }

    private mutating func readString(_ quote: Unicode.Scalar) throws(ChatTemplateError) {
        var end = position + 1
        while end < source.count, source[end].scalar != quote {
            end += source[end].scalar == "\\" ? 2 : 1
        }
        guard end < source.count else {
            throw failure("unexpected character '\(quote)': a string does not end")
        }
        let value: Text
        do throws(Failure) {
            value = try StringEscapes.decode(source[position + 1..<end])
        } catch {
            throw failure(error.problem)
        }
        append(.string(value))
        advance(to: end + 1)
    }
}

extension Unicode.Scalar {
    /// 0 to 9.
    var isDigit: Bool { ("0"..."9").contains(self) }

    /// The value of a digit of a base up to 36.
    var digitValue: Int? {
        isASCII ? Character(self).isLetter || isDigit ? Int(String(self), radix: 36) : nil : nil
    }
}
