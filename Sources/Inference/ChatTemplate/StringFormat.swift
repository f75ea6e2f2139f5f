/// Python's two ways to put values into a string: `"%s" % value` and `"{}".format(value)`.
enum StringFormat {
    /// How a value is laid out.
    struct Specification {
        var fill = CodePoint(" ")
        /// `<`, `>`, `^` or `=`; nil for the type's own.
        var alignment: Unicode.Scalar?
        var sign: Unicode.Scalar = "-"
        var isAlternate = false
        var width = 0
        var grouping: Unicode.Scalar?
        var precision: Int?
        var type: Unicode.Scalar?
    }

    static let greatestWidth = 10_000

    // MARK: %

    static func percent(_ format: Text, _ value: Value, _ interpreter: Interpreter) throws -> Text {
        var result: [CodePoint] = []
        var values: [Value] = [value]
        if case .tuple(let array) = value { values = array.elements }
        var used = 0
        func next() throws -> Value {
            guard used < values.count else { throw Failure("there are not enough values for the format") }
            used += 1
            return values[used - 1]
        }
        let points = format.points
        var index = 0
        func peek() -> Unicode.Scalar? { index < points.count ? points[index].scalar : nil }
        while index < points.count {
            guard peek() == "%" else {
                result.append(points[index])
                index += 1
                continue
            }
            index += 1
            var specification = Specification()
            var named: Value?
            if peek() == "(" {
                let start = index + 1
                var level = 0
                while let scalar = peek() {
                    if scalar == "(" { level += 1 }
                    if scalar == ")" { level -= 1 }
                    index += 1
                    if level == 0 { break }
                }
                guard level == 0 else { throw Failure("a name in the format does not end") }
                guard case .dictionary(let dictionary) = value else {
                    throw Failure("the format needs a dictionary")
                }
                let name = Value.string(Text(points[start..<index - 1]))
                guard let value = dictionary[name] else {
                    throw Failure("the format's '\(name.text?.string ?? "")' is not in the dictionary")
                }
                named = value
            }
            while let flag = peek(), "-+ #0".unicodeScalars.contains(flag) {
                switch flag {
                case "-": specification.alignment = "<"
                case "+": specification.sign = "+"
                case " ": if specification.sign == "-" { specification.sign = " " }
                case "#": specification.isAlternate = true
                default: specification.fill = CodePoint("0")
                }
                index += 1
            }
            func number() throws -> Int? {
                if peek() == "*" {
                    index += 1
                    return try next().integer(for: "a width")
                }
                var number: Int?
                while let scalar = peek(), scalar.isDigit {
                    number = min((number ?? 0) * 10 + Int(scalar.value - 0x30), greatestWidth + 1)
                    index += 1
                }
                return number
            }
            let width = try number() ?? 0
            if width < 0 { specification.alignment = "<" }
            specification.width = width.magnitude > greatestWidth ? greatestWidth + 1 : abs(width)
            if peek() == "." {
                index += 1
                specification.precision = max(try number() ?? 0, 0)
            }
            while let scalar = peek(), "hlL".unicodeScalars.contains(scalar) { index += 1 }
            guard let type = peek() else { throw Failure("the format is incomplete") }
            index += 1
            if type == "%" {
                result.append(CodePoint("%"))
                continue
            }
            if specification.alignment == "<" { specification.fill = CodePoint(" ") }
            if specification.fill.scalar == "0", !"sracr".unicodeScalars.contains(type) {
                specification.alignment = "="
            } else {
                specification.fill = CodePoint(" ")
                specification.alignment = specification.alignment ?? ">"
            }
            let value = try named ?? next()
            result += try percent(value, type, specification, interpreter).points
        }
        if used < values.count, !isMapping(value) { throw Failure("not all values were used by the format") }
        try interpreter.charge(result.count / 2 + 1)
        return Text(result, isSafe: format.isSafe)
    }

    /// Whether a format without places for it is no error: Python takes whatever has items by key for a mapping.
    private static func isMapping(_ value: Value) -> Bool {
        switch value {
        case .dictionary, .list, .range, .undefined: true
        default: false
        }
    }

    private static func percent(
        _ value: Value, _ type: Unicode.Scalar, _ specification: Specification, _ interpreter: Interpreter
    ) throws -> Text {
        var specification = specification
        switch type {
        case "s", "r", "a":
            var text = try interpreter.string(of: value)
            if type != "s" {
                var writer = Representation(interpreter: interpreter)
                try writer.write(value)
                text = Text(writer.result)
            }
            if let precision = specification.precision { text = Text(text.points.prefix(precision)) }
            return try padded(text, specification, isNumber: false)
        case "c":
            if case .string(let text) = value, text.count == 1 {
                return try padded(text, specification, isNumber: false)
            }
            guard let code = value.integer.flatMap(UInt32.init(exactly:)), let scalar = Unicode.Scalar(code)
            else {
                throw Failure("%c needs a character")
            }
            return try padded(Text(CollectionOfOne(CodePoint(scalar))), specification, isNumber: false)
        case "d", "i", "u", "x", "X", "o":
            if case .undefined(let undefined) = value { throw Failure(undefined.problem) }
            var integer = value.integer
            if integer == nil, case .float(let number) = value, "diu".unicodeScalars.contains(type) {
                integer = Int(exactly: number.rounded(.towardZero))
            }
            guard let integer else { throw Failure("%\(type) needs a number, not '\(value.typeName)'") }
            let minimum = specification.precision
            specification.precision = nil
            specification.type = "iu".unicodeScalars.contains(type) ? "d" : type
            return try formatted(integer, specification, digits: minimum ?? 0)
        case "e", "E", "f", "F", "g", "G":
            if case .undefined(let undefined) = value { throw Failure(undefined.problem) }
            guard let number = value.number else {
                throw Failure("%\(type) needs a number, not '\(value.typeName)'")
            }
            specification.type = type
            return try formatted(number, specification)
        default: throw Failure("the format '%\(type)' does not exist")
        }
    }

    // MARK: {}

    static func braces(_ format: Text, _ arguments: Arguments, _ interpreter: Interpreter) throws -> Text {
        var automatic = 0
        let result = try braces(format.points[...], arguments, interpreter, &automatic, level: 0)
        try interpreter.charge(result.count / 2 + 1)
        return Text(result, isSafe: format.isSafe)
    }

    private static func braces(
        _ points: ArraySlice<CodePoint>, _ arguments: Arguments, _ interpreter: Interpreter,
        _ automatic: inout Int, level: Int
    ) throws -> [CodePoint] {
        guard level < 2 else { throw Failure("the format's braces are nested too deeply") }
        var result: [CodePoint] = []
        var rest = points
        while let point = rest.popFirst() {
            switch point.scalar {
            case "{" where rest.first?.scalar == "{", "}" where rest.first?.scalar == "}":
                result.append(point)
                rest.removeFirst()
            case "}": throw Failure("a single '}' in the format")
            case "{":
                var depth = 1
                let field = rest.prefix { point in
                    if point.scalar == "{" { depth += 1 }
                    if point.scalar == "}" { depth -= 1 }
                    return depth > 0
                }
                guard depth == 0 else { throw Failure("a '{' in the format does not end") }
                rest = rest.dropFirst(field.count + 1)
                result += try replacement(field, arguments, interpreter, &automatic, level: level)
            default: result.append(point)
            }
        }
        return result
    }

    private static func replacement(
        _ field: ArraySlice<CodePoint>, _ arguments: Arguments, _ interpreter: Interpreter,
        _ automatic: inout Int, level: Int
    ) throws -> [CodePoint] {
        var brackets = 0
        let name = field.prefix { point in
            if point.scalar == "[" { brackets += 1 }
            if point.scalar == "]" { brackets -= 1 }
            return brackets > 0 || (point.scalar != ":" && point.scalar != "!")
        }
        var rest = field.dropFirst(name.count)
        var value = try argument(Text(name), arguments, &automatic)
        if rest.first?.scalar == "!" {
            guard let conversion = rest.dropFirst().first?.scalar, "rsa".unicodeScalars.contains(conversion),
                rest.dropFirst(2).first.map({ $0.scalar == ":" }) ?? true
            else { throw Failure("the format has a wrong conversion") }
            if conversion == "s" {
                value = .string(try interpreter.string(of: value))
            } else {
                var writer = Representation(interpreter: interpreter)
                try writer.write(value)
                value = .string(Text(writer.result))
            }
            rest = rest.dropFirst(2)
        }
        let specification = try braces(rest.dropFirst(), arguments, interpreter, &automatic, level: level + 1)
        return try formatted(value, Text(specification), interpreter).points
    }

    private static func argument(
        _ name: Text, _ arguments: Arguments, _ automatic: inout Int
    ) throws -> Value {
        let string = name.string
        let head = string.prefix { $0 != "." && $0 != "[" }
        var value: Value
        if head.isEmpty || Int(head) != nil {
            guard (automatic < 0) == !head.isEmpty || automatic == 0 else {
                throw Failure("a format numbers all its values or none")
            }
            let index = head.isEmpty ? automatic : Int(head) ?? 0
            automatic = head.isEmpty ? automatic + 1 : -1
            guard arguments.positional.indices.contains(index) else {
                throw Failure("there is no value \(index) for the format")
            }
            value = arguments.positional[index]
        } else {
            guard let named = arguments.keyword.first(where: { $0.name == head }) else {
                throw Failure("there is no value '\(head)' for the format")
            }
            value = named.value
        }
        var path = string.dropFirst(head.count)
        while let first = path.popFirst() {
            if first == "." {
                let part = path.prefix { $0 != "." && $0 != "[" }
                path = path.dropFirst(part.count)
                value = try Attributes.attribute(String(part), of: value)
            } else {
                let part = path.prefix { $0 != "]" }
                path = path.dropFirst(part.count + 1)
                value = try Attributes.item(Int(part).map { .integer($0) } ?? Value(String(part)), of: value)
            }
        }
        return value
    }

    /// Python's `format(value, specification)`.
    private static func formatted(
        _ value: Value, _ text: Text, _ interpreter: Interpreter
    ) throws -> Text {
        guard !text.isEmpty else { return try interpreter.string(of: value) }
        let specification = try parse(text)
        switch value {
        case .string(let text):
            guard specification.type == nil || specification.type == "s" else { break }
            guard specification.alignment != "=" else { break }
            return try padded(
                specification.precision.map { Text(text.points.prefix($0)) } ?? text, specification,
                isNumber: false)
        case .integer, .boolean:
            guard let integer = value.integer else { break }
            switch specification.type {
            case nil, "d", "x", "X", "o", "b", "n":
                guard specification.precision == nil else { break }
                return try formatted(integer, specification, digits: 0)
            case "c":
                guard let code = UInt32(exactly: integer), let scalar = Unicode.Scalar(code) else { break }
                return try padded(Text(CollectionOfOne(CodePoint(scalar))), specification, isNumber: true)
            case "e", "E", "f", "F", "g", "G", "%": return try formatted(Double(integer), specification)
            default: break
            }
        case .float(let number):
            switch specification.type {
            case nil, "e", "E", "f", "F", "g", "G", "%": return try formatted(number, specification)
            default: break
            }
        default: break
        }
        throw Failure("the format '\(text.string)' is not for '\(value.typeName)'")
    }

    private static func parse(_ text: Text) throws -> Specification {
        var specification = Specification()
        var rest = text.points[...]
        func isAlignment(_ point: CodePoint) -> Bool { "<>^=".unicodeScalars.contains(point.scalar) }
        if rest.count > 1, isAlignment(rest[rest.startIndex + 1]) {
            specification.fill = rest.removeFirst()
            specification.alignment = rest.removeFirst().scalar
        } else if let first = rest.first, isAlignment(first) {
            specification.alignment = rest.removeFirst().scalar
        }
        if let sign = rest.first, "+- ".unicodeScalars.contains(sign.scalar) {
            specification.sign = rest.removeFirst().scalar
        }
        if rest.first?.scalar == "#" {
            specification.isAlternate = true
            rest.removeFirst()
        }
        if rest.first?.scalar == "0" {
            rest.removeFirst()
            if specification.alignment == nil {
                (specification.fill, specification.alignment) = (CodePoint("0"), "=")
            }
        }
        func number() -> Int? {
            var number: Int?
            while let scalar = rest.first?.scalar, scalar.isDigit {
                number = min((number ?? 0) * 10 + Int(scalar.value - 0x30), greatestWidth + 1)
                rest.removeFirst()
            }
            return number
        }
        specification.width = number() ?? 0
        if let scalar = rest.first?.scalar, scalar == "," || scalar == "_" {
            specification.grouping = scalar
            rest.removeFirst()
        }
        if rest.first?.scalar == "." {
            rest.removeFirst()
            guard let precision = number() else { throw Failure("the format lacks its precision") }
            specification.precision = precision
        }
        specification.type = rest.popFirst()?.scalar
        guard rest.isEmpty else { throw Failure("the format '\(text.string)' is wrong") }
        return specification
    }

    // MARK: Numbers

    private static func formatted(
        _ value: Int, _ specification: Specification, digits minimum: Int
    ) throws -> Text {
        let (radix, prefix, isUppercase): (Int, String, Bool) =
            switch specification.type {
            case "x": (16, "0x", false)
            case "X": (16, "0X", true)
            case "o": (8, "0o", false)
            case "b": (2, "0b", false)
            default: (10, "", false)
            }
        guard minimum <= greatestWidth else { throw Failure("a width of more than \(greatestWidth)") }
        var digits = String(value.magnitude, radix: radix, uppercase: isUppercase)
        digits = String(repeating: "0", count: max(minimum - digits.count, 0)) + digits
        let start = sign(value < 0, specification) + (specification.isAlternate ? prefix : "")
        return try padded(
            number: start, digits, groupSize: radix == 10 ? 3 : 4, specification)
    }

    private static func formatted(_ value: Double, _ specification: Specification) throws -> Text {
        guard specification.precision ?? 6 <= 1000 else { throw Failure("a precision of more than 1000") }
        let magnitude = value.magnitude
        var digits: String
        switch specification.type {
        case "f", "F": digits = NumberText.text(magnitude, places: specification.precision ?? 6)
        case "e", "E":
            digits = NumberText.text(magnitude, places: specification.precision ?? 6, conversion: "e")
        case "%": digits = NumberText.text(magnitude * 100, places: specification.precision ?? 6) + "%"
        case nil where specification.precision == nil: digits = Representation.text(of: magnitude)
        default:
            digits = NumberText.text(magnitude, places: specification.precision ?? 6, conversion: "g")
            if specification.type == nil, !digits.contains("."), !digits.contains("e"), magnitude.isFinite {
                digits += ".0"
            }
        }
        if !magnitude.isFinite { digits = magnitude.isNaN ? "nan" : "inf" }
        if "EFG".unicodeScalars.contains(specification.type ?? " ") { digits = digits.uppercased() }
        return try padded(
            number: sign(value.sign == .minus && !value.isNaN, specification), digits, groupSize: 3,
            specification)
    }

    private static func sign(_ isNegative: Bool, _ specification: Specification) -> String {
        isNegative ? "-" : specification.sign == "-" ? "" : String(specification.sign)
    }

    private static func padded(
        number start: String, _ digits: String, groupSize: Int, _ specification: Specification
    ) throws -> Text {
        var digits = digits
        if let grouping = specification.grouping {
            let whole = digits.prefix { $0.isHexDigit && $0.isASCII }
            var groups = ""
            for (index, digit) in whole.enumerated() {
                if index > 0, (whole.count - index) % groupSize == 0 {
                    groups.unicodeScalars.append(grouping)
                }
                groups.append(digit)
            }
            digits = groups + digits.dropFirst(whole.count)
        }
        guard specification.alignment == "=" else {
            return try padded(Text(start + digits), specification, isNumber: true)
        }
        var inner = specification
        inner.alignment = ">"
        inner.width = max(specification.width - start.count, 0)
        return Text(start) + (try padded(Text(digits), inner, isNumber: true))
    }

    private static func padded(
        _ text: Text, _ specification: Specification, isNumber: Bool
    ) throws -> Text {
        guard specification.width <= greatestWidth else {
            throw Failure("a width of more than \(greatestWidth)")
        }
        let space = max(specification.width - text.count, 0)
        guard space > 0 else { return text }
        let left =
            switch specification.alignment ?? (isNumber ? ">" : "<") {
            case "<": 0
            case "^": space / 2
            default: space
            }
        return Text(
            repeatElement(specification.fill, count: left) + text.points
                + repeatElement(specification.fill, count: space - left))
    }
}
