extension Interpreter {
    /// Python's `str`: what an expression writes.
    func string(of value: Value) throws -> Text {
        if case .string(let text) = value { return text }
        var writer = Representation(interpreter: self)
        if case .undefined = value { return "" }
        try writer.write(value)
        return Text(writer.result)
    }
}

/// Python's `repr`.
struct Representation {
    let interpreter: Interpreter
    private(set) var result: [CodePoint] = []
    private var depth = 0

    init(interpreter: Interpreter) { self.interpreter = interpreter }

    /// For messages.
    static func short(_ value: Value) -> String {
        switch value {
        case .integer(let value): "\(value)"
        case .string(let text): text.string
        default: value.typeName
        }
    }

    private mutating func write(_ text: String) {
        result += text.unicodeScalars.map { CodePoint($0) }
    }

    mutating func write(_ value: Value) throws {
        try interpreter.charge(1)
        depth += 1
        defer { depth -= 1 }
        guard depth <= 2 * Extent.greatest.depth else { throw Failure.limit("a value holds itself") }
        switch value {
        case .undefined: write("Undefined")
        case .none: write("None")
        case .boolean(let value): write(value ? "True" : "False")
        case .integer(let value): write(String(value))
        case .float(let value): write(Self.text(of: value))
        case .string(let text):
            try interpreter.charge(text.count / 2)
            if text.isSafe { write("Markup(") }
            write(text)
            if text.isSafe { write(")") }
        case .list(let array): try write(array.elements, "[", "]")
        case .tuple(let array): try write(array.elements, "(", array.elements.count == 1 ? ",)" : ")")
        case .dictionary(let dictionary): try write(dictionary)
        case .range(let range):
            write("range(\(range.start), \(range.stop)\(range.step == 1 ? "" : ", \(range.step)"))")
        case .view(let view):
            write(view.kind.rawValue + "(")
            try write(try view.elements(), "[", "]")
            write(")")
        case .iterator: write("<generator object>")
        case .namespace(let namespace):
            let pairs = namespace.names.map { (key: Value($0), value: namespace[$0] ?? .none) }
            write("<Namespace ")
            try write(try ValueDictionary(pairs))
            write(">")
        case .loop(let loop): write("<LoopContext \(loop.index + 1)/\(loop.items.count)>")
        case .function(let function):
            write(function.parameters == nil ? "<function \(function.name)>" : "<Macro '\(function.name)'>")
        }
    }

    private mutating func write(_ elements: [Value], _ open: String, _ close: String) throws {
        write(open)
        for (index, element) in elements.enumerated() {
            if index > 0 { write(", ") }
            try write(element)
        }
        write(close)
    }

    private mutating func write(_ dictionary: ValueDictionary) throws {
        write("{")
        for (index, pair) in dictionary.pairs.enumerated() {
            if index > 0 { write(", ") }
            try write(pair.key)
            write(": ")
            try write(pair.value)
        }
        write("}")
    }

    private mutating func write(_ text: Text) {
        let hasSingle = text.points.contains { $0.scalar == "'" }
        let quote: Unicode.Scalar = hasSingle && !text.points.contains { $0.scalar == "\"" } ? "\"" : "'"
        result.append(CodePoint(quote))
        for point in text.points {
            func append(_ string: String) {
                result += string.unicodeScalars.map { point.replaced(by: $0) }
            }
            switch point.scalar {
            case "\n": append("\\n")
            case "\r": append("\\r")
            case "\t": append("\\t")
            case "\\": append("\\\\")
            case quote: append("\\" + String(quote))
            default:
                if point.isPrintable {
                    result.append(point)
                } else {
                    let digits = String(point.value, radix: 16)
                    let (letter, width) =
                        point.value < 0x100 ? ("x", 2) : point.value < 0x10000 ? ("u", 4) : ("U", 8)
                    append("\\" + letter + String(repeating: "0", count: width - digits.count) + digits)
                }
            }
        }
        result.append(CodePoint(quote))
    }

    /// The shortest decimal number that is this one, as Python writes it.
    static func text(of value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
        // Swift's digits are the shortest too; where the exponent begins is another matter.
        let text = value.magnitude.description
        let parts = text.split(separator: "e")
        var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let halves = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        var digits = halves.joined()
        exponent += halves[0].count - 1
        while digits.hasPrefix("0") {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        let sign = value < 0 ? "-" : ""
        guard (-4..<16).contains(exponent) else {
            let rest = digits.dropFirst()
            let size = exponent.magnitude
            return sign + digits.prefix(1) + (rest.isEmpty ? "" : "." + rest) + (exponent < 0 ? "e-" : "e+")
                + (size < 10 ? "0" : "") + String(size)
        }
        if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count <= exponent + 1 {
            return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
        }
        return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
    }
}
