/// The escapes of string literals, which are those of Python's byte strings decoded as `unicode-escape`.
enum StringEscapes {
    static func decode(_ literal: ArraySlice<CodePoint>) throws(Failure) -> Text {
        guard literal.contains(where: { $0.scalar == "\\" }) else { return Text(literal) }
        // What is not ASCII is spelt out first, as Jinja does it: after a backslash this changes the meaning.
        var source: [Unicode.Scalar] = []
        for point in literal {
            if point.scalar.isASCII {
                source.append(point.scalar)
            } else {
                let (letter, width) =
                    point.value < 0x100 ? ("x", 2) : point.value < 0x10000 ? ("u", 4) : ("U", 8)
                let digits = String(point.value, radix: 16)
                source +=
                    "\\\(letter)\(String(repeating: "0", count: width - digits.count))\(digits)"
                    .unicodeScalars
            }
        }
        var result: [CodePoint] = []
        var index = 0
        while index < source.count {
            guard source[index] == "\\" else {
                result.append(CodePoint(source[index]))
                index += 1
                continue
            }
            guard index + 1 < source.count else { throw Failure("\\ at end of string") }
            let letter = source[index + 1]
            index += 2
            if let scalar = simple[letter] {
                result.append(CodePoint(scalar))
            } else if letter == "\n" {
                continue
            } else if ("0"..."7").contains(letter) {
                var end = index
                while end < source.count, end < index + 2, ("0"..."7").contains(source[end]) { end += 1 }
                result.append(try point(source[(index - 1)..<end], radix: 8))
                index = end
            } else if let width = widths[letter] {
                let digits = source[index...].prefix(width).prefix { $0.digitValue.map { $0 < 16 } ?? false }
                guard digits.count == width else { throw Failure("truncated \\\(letter) escape") }
                result.append(try point(digits, radix: 16))
                index += width
            } else if letter == "N" {
                throw Failure("\\N{…} is not supported; write the character itself, or \\u")
            } else {
                result += [CodePoint("\\"), CodePoint(letter)]
            }
        }
        return Text(result)
    }

    private static let simple: [Unicode.Scalar: Unicode.Scalar] = [
        "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "a": "\u{7}", "b": "\u{8}",
        "f": "\u{c}", "v": "\u{b}",
    ]
    private static let widths: [Unicode.Scalar: Int] = ["x": 2, "u": 4, "U": 8]

    private static func point(
        _ digits: ArraySlice<Unicode.Scalar>, radix: Int
    ) throws(Failure) -> CodePoint {
        let text = String(String.UnicodeScalarView(digits))
        guard let value = UInt32(text, radix: radix), let scalar = Unicode.Scalar(value) else {
            throw Failure("U+\(text) is no character")
        }
        return CodePoint(scalar)
    }
}
