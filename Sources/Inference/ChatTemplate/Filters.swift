/// What `|` does to a value. Sequences are in `Filters+Sequences.swift`, numbers in `Filters+Numbers.swift`.
enum Filters {
    typealias Filter = @Sendable (Interpreter, Value, Arguments) throws -> Value

    static let all: [String: Filter] = strings.merging(sequences) { $1 }.merging(numbers) { $1 }

    /// Those that take no longer for a larger value.
    static let ofConstantTime: Set<String> = ["default", "d", "length", "count"]

    private static let strings: [String: Filter] = [
        "capitalize": text { $0.capitalized },
        "lower": text { $0.lowercased },
        "upper": text { $0.uppercased },
        "title": text { $0.titleByWord },
        "string": text { $0 },
        "safe": { interpreter, value, arguments in
            _ = try arguments.bind("safe")
            return .string(Text(try interpreter.string(of: value).points, isSafe: true))
        },
        "escape": escape, "e": escape,
        "forceescape": { interpreter, value, arguments in
            _ = try arguments.bind("forceescape")
            return .string(try interpreter.string(of: value).escaped)
        },
        "trim": { interpreter, value, arguments in
            let characters = try arguments.bind("trim", "chars")[0]
            return .string(try StringMethods.trim(try interpreter.string(of: value), characters, "trim"))
        },
        "replace": replace,
        "center": { interpreter, value, arguments in
            let width = try arguments.bind("center", "width")[0]?.integer(for: "the width") ?? 80
            return .string(
                try StringMethods.justified(
                    try interpreter.string(of: value), [.integer(width), nil], interpreter, "center"))
        },
        "indent": indent,
        "truncate": truncate,
        "wordcount": { interpreter, value, arguments in
            _ = try arguments.bind("wordcount")
            let points = try interpreter.string(of: value).points
            return .integer(
                points.indices.count { points[$0].isWord && ($0 == 0 || !points[$0 - 1].isWord) })
        },
        "format": { interpreter, value, arguments in
            guard arguments.keyword.isEmpty || arguments.positional.isEmpty else {
                throw Failure("'format' takes arguments with names or without, not both")
            }
            let values: Value =
                arguments.keyword.isEmpty
                ? try .tuple(of: arguments.positional)
                : .dictionary(
                    try ValueDictionary(arguments.keyword.map { (Value($0.name), $0.value) }))
            return .string(
                try StringFormat.percent(try interpreter.string(of: value), values, interpreter))
        },
        "urlencode": urlencode,
        "tojson": { try JSONRepresentation.apply($0, $1, $2) },
    ]

    /// A filter of a string without arguments.
    private static func text(_ body: @escaping @Sendable (Text) throws -> Text) -> Filter {
        { interpreter, value, arguments in
            _ = try arguments.bind("the filter")
            let text = try interpreter.string(of: value)
            try interpreter.charge(text.count)
            return .string(try body(text))
        }
    }

    private static let escape: Filter = { interpreter, value, arguments in
        _ = try arguments.bind("escape")
        let text = try interpreter.string(of: value)
        try interpreter.charge(text.count)
        return .string(text.isSafe ? text : text.escaped)
    }

    private static let replace: Filter = { interpreter, value, arguments in
        let values = try arguments.bind("replace", "old", "new", "count", required: 2)
        let old = try interpreter.string(of: values[0] ?? .none)
        let new = try interpreter.string(of: values[1] ?? .none)
        var count = -1
        if let limit = values[2], !limit.isNone { count = try limit.integer(for: "the count") }
        let text = try interpreter.string(of: value)
        return .string(
            try StringMethods.replaced(Text(text.points), old, new, count: count, interpreter))
    }

    private static let indent: Filter = { interpreter, value, arguments in
        let values = try arguments.bind("indent", "width", "first", "blank")
        guard case .string(var text) = value else {
            if case .undefined(let undefined) = value { throw Failure(undefined.problem) }
            throw Failure("'indent' needs a string, not '\(value.typeName)'")
        }
        let isSafe = text.isSafe
        let indention: Text
        if case .string(let given)? = values[0] {
            indention = given
        } else {
            let width = max(try (values[0] ?? .integer(4)).integer(for: "the width"), 0)
            try interpreter.charge(width)
            indention = Text(repeatElement(CodePoint(" "), count: width))
        }
        let (indentsFirst, indentsBlank) = (values[1]?.isTrue ?? false, values[2]?.isTrue ?? false)
        text += "\n"
        var result: [CodePoint] = []
        for (index, line) in text.lines().enumerated() {
            try interpreter.charge((line.count + indention.count) / 2 + 1)
            if index > 0 { result.append(CodePoint("\n")) }
            if index == 0 ? indentsFirst : indentsBlank || !line.isEmpty { result += indention.points }
            result += line.points
        }
        return .string(Text(result, isSafe: isSafe))
    }

    private static let truncate: Filter = { interpreter, value, arguments in
        let values = try arguments.bind("truncate", "length", "killwords", "end", "leeway")
        guard case .string(let text) = value else {
            if case .undefined = value { return Value("") }
            throw Failure("'truncate' needs a string, not '\(value.typeName)'")
        }
        let length = try values[0]?.integer(for: "the length") ?? 255
        let end = values[2]?.text ?? "..."
        let leeway = try values[3].flatMap { $0.isNone ? nil : try $0.integer(for: "the leeway") } ?? 5
        guard length >= end.count, leeway >= 0 else { throw Failure("'truncate' has no room for its end") }
        guard text.count - leeway > length else { return value }
        let kept = text.points.prefix(length - end.count)
        if values[1]?.isTrue ?? false { return .string(Text(kept) + end) }
        let lastSpace = kept.lastIndex { $0.scalar == " " }
        return .string(Text(lastSpace.map { kept[..<$0] } ?? kept) + end)
    }

    private static let urlencode: Filter = { interpreter, value, arguments in
        _ = try arguments.bind("urlencode")
        func quoted(_ value: Value, keeping kept: String, spaceIsPlus: Bool) throws -> String {
            let text = try interpreter.string(of: value)
            try interpreter.charge(text.count)
            return text.string.utf8.reduce(into: "") { result, byte in
                let scalar = Unicode.Scalar(byte)
                if scalar.isASCII,
                    Character(scalar).isLetter || scalar.isDigit || kept.unicodeScalars.contains(scalar)
                {
                    result.unicodeScalars.append(scalar)
                } else if spaceIsPlus, byte == 0x20 {
                    result += "+"
                } else {
                    result += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
                }
            }
        }
        if value.text != nil || !value.isIterable {
            return Value(try quoted(value, keeping: "_.-~/", spaceIsPlus: false))
        }
        var pairs = try value.elements()
        if case .dictionary(let dictionary) = value { pairs = try dictionary.items() }
        let parts = try pairs.map { pair in
            let parts = try pair.elements()
            guard parts.count == 2 else { throw Failure("'urlencode' needs pairs") }
            return try parts.map { try quoted($0, keeping: "_.-~", spaceIsPlus: true) }.joined(separator: "=")
        }
        return Value(parts.joined(separator: "&"))
    }
}
