/// A code point, which remembers whether it is the conversation's or the template's.
///
/// Strings of templates are Python's: lengths and slices count code points, and nothing is normalized.
struct CodePoint: Hashable, Comparable, Sendable {
    private var bits: UInt32
    private static let mark: UInt32 = 1 << 31

    init(_ scalar: Unicode.Scalar, isContent: Bool = false) {
        bits = scalar.value | (isContent ? Self.mark : 0)
    }

    /// Whether it came with the messages: what it looks like is no token of the model's.
    var isContent: Bool { bits & Self.mark != 0 }
    var value: UInt32 { bits & ~Self.mark }
    var scalar: Unicode.Scalar { Unicode.Scalar(value) ?? "\u{fffd}" }

    /// The same origin, another character.
    func replaced(by scalar: Unicode.Scalar) -> CodePoint { CodePoint(scalar, isContent: isContent) }

    static func == (a: CodePoint, b: CodePoint) -> Bool { a.value == b.value }
    static func < (a: CodePoint, b: CodePoint) -> Bool { a.value < b.value }
    func hash(into hasher: inout Hasher) { hasher.combine(value) }
}

/// A string of a template.
struct Text: Hashable, Sendable, ExpressibleByStringLiteral {
    var points: [CodePoint]
    /// Whether it is marked as safe HTML (`|safe`, `|escape`); what is added to it by `+` gets escaped then.
    var isSafe = false

    init(_ points: some Sequence<CodePoint>, isSafe: Bool = false) {
        self.points = Array(points)
        self.isSafe = isSafe
    }

    init(_ string: some StringProtocol, isContent: Bool = false) {
        points = string.unicodeScalars.map { CodePoint($0, isContent: isContent) }
    }

    init(stringLiteral value: String) { self.init(value) }

    var count: Int { points.count }
    var isEmpty: Bool { points.isEmpty }

    var string: String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: points.lazy.map(\.scalar))
        return String(view)
    }

    static func == (a: Text, b: Text) -> Bool { a.points == b.points }
    func hash(into hasher: inout Hasher) { hasher.combine(points) }

    static func + (a: Text, b: Text) -> Text { Text(a.points + b.points) }
    static func += (a: inout Text, b: Text) { a.points += b.points }

    /// The places where `needle` begins, left to right and not overlapping, in linear time (Knuth, Morris and Pratt).
    func occurrences(of needle: Text, limit: Int = .max) -> [Int] {
        guard limit > 0, needle.count <= count else { return [] }
        guard let first = needle.points.first else { return Array((0...count).prefix(limit)) }
        var found: [Int] = []
        if needle.count == 1 {
            for index in points.indices where points[index] == first {
                found.append(index)
                if found.count == limit { break }
            }
            return found
        }
        let needle = needle.points
        var borders = [Int](repeating: 0, count: needle.count)
        var matched = 0
        for index in 1..<needle.count {
            while matched > 0, needle[index] != needle[matched] { matched = borders[matched - 1] }
            if needle[index] == needle[matched] { matched += 1 }
            borders[index] = matched
        }
        matched = 0
        for (index, point) in points.enumerated() {
            while matched > 0, point != needle[matched] { matched = borders[matched - 1] }
            if point == needle[matched] { matched += 1 }
            if matched == needle.count {
                found.append(index + 1 - matched)
                if found.count == limit { break }
                matched = 0
            }
        }
        return found
    }

    func contains(_ needle: Text) -> Bool { !occurrences(of: needle, limit: 1).isEmpty }

    /// Without what `isDropped` says at either end.
    func trimmed(
        left: Bool = true, right: Bool = true, _ isDropped: (CodePoint) -> Bool = \.isSpace
    ) -> Text {
        var slice = points[...]
        if left { slice = slice.drop(while: isDropped) }
        if right {
            while let last = slice.last, isDropped(last) { slice.removeLast() }
        }
        return Text(slice, isSafe: isSafe)
    }

    /// Lines at Python's line ends, which are left away.
    func lines(keepingEnds: Bool = false) -> [Text] {
        var lines: [Text] = []
        var start = 0
        var index = 0
        while index < count {
            guard points[index].isLineEnd else {
                index += 1
                continue
            }
            var end = index + 1
            if points[index].value == 0x0d, end < count, points[end].value == 0x0a { end += 1 }
            lines.append(Text(points[start..<(keepingEnds ? end : index)], isSafe: isSafe))
            start = end
            index = end
        }
        if start < count { lines.append(Text(points[start...], isSafe: isSafe)) }
        return lines
    }
}

extension CodePoint {
    /// What Python's `str.isspace` and the `\s` of its patterns take for white space.
    var isSpace: Bool {
        switch value {
        case 0x09...0x0d, 0x1c...0x20, 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f,
            0x3000:
            true
        default: false
        }
    }

    /// Where `str.splitlines` ends a line.
    var isLineEnd: Bool {
        switch value {
        case 0x0a...0x0d, 0x1c...0x1e, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    /// The character class, as far as Python's predicates ask.
    var category: Unicode.GeneralCategory { scalar.properties.generalCategory }

    var isLetter: Bool {
        switch category {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    /// What a pattern's `\w` matches.
    var isWord: Bool { isLetter || value == 0x5f || scalar.properties.numericType != nil }

    /// Whether `repr` shows it as it is.
    var isPrintable: Bool {
        switch category {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            false
        case .spaceSeparator: value == 0x20
        default: true
        }
    }
}
