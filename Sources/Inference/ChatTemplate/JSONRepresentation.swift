/// The filter `tojson`: Python's `json.dumps`, characters that are not ASCII as they are.
struct JSONRepresentation {
    var interpreter: Interpreter
    /// What a level is indented by; nil for everything on one line.
    var indent: Text?
    var itemSeparator: Text
    var keySeparator: Text = ": "
    var sortsKeys = false
    var escapesNonASCII = false
    private(set) var result: [CodePoint] = []

    static func apply(_ interpreter: Interpreter, _ value: Value, _ arguments: Arguments) throws -> Value {
        let values = try arguments.bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys")
        var indent: Text?
        switch values[1] {
        case nil, .some(.none): break
        case .string(let text)?: indent = text
        case let width?:
            let width = try width.integer(for: "the indent")
            try interpreter.charge(max(width, 0))
            indent = Text(repeatElement(CodePoint(" "), count: max(width, 0)))
        }
        var writer = JSONRepresentation(
            interpreter: interpreter, indent: indent, itemSeparator: indent == nil ? ", " : ",")
        if let separators = values[2], !separators.isNone {
            let texts = try separators.elements().map(\.text)
            guard texts.count == 2, let item = texts[0], let key = texts[1] else {
                throw Failure("'separators' are two strings")
            }
            (writer.itemSeparator, writer.keySeparator) = (item, key)
        }
        writer.escapesNonASCII = values[0]?.isTrue ?? false
        writer.sortsKeys = values[3]?.isTrue ?? false
        try writer.write(value, level: 0)
        return .string(Text(writer.result))
    }

    init(interpreter: Interpreter, indent: Text?, itemSeparator: Text) {
        (self.interpreter, self.indent, self.itemSeparator) = (interpreter, indent, itemSeparator)
    }

    private mutating func write(_ text: Text) { result += text.points }

    private mutating func write(_ value: Value, level: Int) throws {
        try interpreter.charge(2)
        switch value {
        case .none: write("null")
        case .boolean(let value): write(value ? "true" : "false")
        case .integer(let value): write(Text(String(value)))
        case .float(let value): write(Text(Self.text(of: value)))
        case .string(let text): try write(quoted: text)
        case .list(let array), .tuple(let array):
            try write(array.elements, "[", "]", level) { writer, element in
                try writer.write(element, level: level + 1)
            }
        case .dictionary(let dictionary):
            var pairs = dictionary.pairs
            if sortsKeys { pairs = try Filters.sorted(pairs, reversed: false) { $0.key } }
            try write(pairs, "{", "}", level) { writer, pair in
                try writer.write(quoted: try Self.key(pair.key))
                writer.write(writer.keySeparator)
                try writer.write(pair.value, level: level + 1)
            }
        default: throw Failure("a value of type '\(value.typeName)' cannot be written as JSON")
        }
    }

    private mutating func write<Element>(
        _ elements: [Element], _ open: Text, _ close: Text, _ level: Int,
        _ body: (inout Self, Element) throws -> Void
    ) throws {
        write(open)
        for (index, element) in elements.enumerated() {
            if index > 0 { write(itemSeparator) }
            try writeLine(level + 1)
            try body(&self, element)
        }
        if !elements.isEmpty { try writeLine(level) }
        write(close)
    }

    private mutating func writeLine(_ level: Int) throws {
        guard let indent else { return }
        write("\n")
        try interpreter.charge(level * indent.count / 2)
        for _ in 0..<level { write(indent) }
    }

    private static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return Representation.text(of: value)
    }

    private static func key(_ key: Value) throws -> Text {
        switch key {
        case .string(let text): text
        case .none: "null"
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): Text(String(value))
        case .float(let value): Text(text(of: value))
        default: throw Failure("a key of type '\(key.typeName)' cannot be written as JSON")
        }
    }

    private mutating func write(quoted text: Text) throws {
        try interpreter.charge(text.count / 2)
        result.append(CodePoint("\""))
        for point in text.points {
            func append(_ string: String) {
                result += string.unicodeScalars.map { point.replaced(by: $0) }
            }
            switch point.scalar {
            case "\"": append("\\\"")
            case "\\": append("\\\\")
            case "\n": append("\\n")
            case "\r": append("\\r")
            case "\t": append("\\t")
            case "\u{8}": append("\\b")
            case "\u{c}": append("\\f")
            default:
                if point.value < 0x20 || (escapesNonASCII && point.value > 0x7e) {
                    for unit in String(point.scalar).utf16 {
                        let digits = String(unit, radix: 16)
                        append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
                    }
                } else {
                    result.append(point)
                }
            }
        }
        result.append(CodePoint("\""))
    }
}
