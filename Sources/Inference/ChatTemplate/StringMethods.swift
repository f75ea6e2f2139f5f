/// The methods of strings, which are Python's.
enum StringMethods {
    typealias Method = @Sendable (Interpreter, Text, Arguments) throws -> Value

    static let all: [String: Method] = [
        "lower": text("lower") { $0.lowercased },
        "casefold": text("casefold") { $0.lowercased },
        "upper": text("upper") { $0.uppercased },
        "capitalize": text("capitalize") { $0.capitalized },
        "title": text("title") { $0.titlecased },
        "swapcase": text("swapcase") { $0.swappedCase },
        "strip": strip("strip", left: true, right: true),
        "lstrip": strip("lstrip", left: true, right: false),
        "rstrip": strip("rstrip", left: false, right: true),
        "removeprefix": { _, text, arguments in
            let prefix = try string(
                try arguments.bind("removeprefix", "prefix", required: 1)[0], "the prefix")
            return .string(
                text.points.starts(with: prefix.points)
                    ? Text(text.points.dropFirst(prefix.count), isSafe: text.isSafe) : text)
        },
        "removesuffix": { _, text, arguments in
            let suffix = try string(
                try arguments.bind("removesuffix", "suffix", required: 1)[0], "the suffix")
            return .string(
                text.points.reversed().starts(with: suffix.points.reversed())
                    ? Text(text.points.dropLast(suffix.count), isSafe: text.isSafe) : text)
        },
        "startswith": affix("startswith") { $0.starts(with: $1) },
        "endswith": affix("endswith") { $0.reversed().starts(with: $1.reversed()) },
        "find": search("find", isLast: false, isRequired: false),
        "rfind": search("rfind", isLast: true, isRequired: false),
        "index": search("index", isLast: false, isRequired: true),
        "rindex": search("rindex", isLast: true, isRequired: true),
        "count": { interpreter, text, arguments in
            let values = try arguments.bind("count", "sub", "start", "end", required: 1)
            let part = try string(values[0], "the part")
            guard let range = try range(values[1], values[2], text) else { return .integer(0) }
            try interpreter.charge(text.count / 2)
            return .integer(Text(text.points[range]).occurrences(of: part).count)
        },
        "replace": { interpreter, text, arguments in
            guard arguments.keyword.isEmpty else { throw Failure("'replace' takes no named arguments") }
            let values = try arguments.bind("replace", "old", "new", "count", required: 2)
            var new = try string(values[1], "the replacement")
            if text.isSafe, !new.isSafe { new = new.escaped }
            return .string(
                try replaced(
                    text, try string(values[0], "what is replaced"), new,
                    count: try values[2]?.integer(for: "the count") ?? -1, interpreter))
        },
        "split": { interpreter, text, arguments in
            try split("split", text, arguments, fromRight: false, interpreter)
        },
        "rsplit": { interpreter, text, arguments in
            try split("rsplit", text, arguments, fromRight: true, interpreter)
        },
        "splitlines": { interpreter, text, arguments in
            let values = try arguments.bind("splitlines", "keepends")
            try interpreter.charge(text.count)
            return try .list(of: text.lines(keepingEnds: values[0]?.isTrue ?? false).map { .string($0) })
        },
        "partition": { interpreter, text, arguments in
            try partition("partition", text, arguments, fromRight: false, interpreter)
        },
        "rpartition": { interpreter, text, arguments in
            try partition("rpartition", text, arguments, fromRight: true, interpreter)
        },
        "join": { interpreter, text, arguments in
            let elements = try (try arguments.bind("join", "iterable", required: 1)[0] ?? .none).elements()
            var result: [CodePoint] = []
            for (index, element) in elements.enumerated() {
                var part = try string(element, "an element")
                if text.isSafe, !part.isSafe { part = part.escaped }
                try interpreter.charge((part.count + text.count) / 2 + 1)
                if index > 0 { result += text.points }
                result += part.points
            }
            return .string(Text(result, isSafe: text.isSafe))
        },
        "format": { interpreter, text, arguments in
            .string(try StringFormat.braces(text, arguments, interpreter))
        },
        "center": { interpreter, text, arguments in
            let values = try arguments.bind("center", "width", "fillchar", required: 1)
            return .string(try justified(text, values, interpreter, "center"))
        },
        "ljust": { interpreter, text, arguments in
            let values = try arguments.bind("ljust", "width", "fillchar", required: 1)
            return .string(try justified(text, values, interpreter, "ljust"))
        },
        "rjust": { interpreter, text, arguments in
            let values = try arguments.bind("rjust", "width", "fillchar", required: 1)
            return .string(try justified(text, values, interpreter, "rjust"))
        },
        "zfill": { interpreter, text, arguments in
            let width = try (try arguments.bind("zfill", "width", required: 1)[0] ?? .none)
                .integer(for: "the width")
            guard width > text.count else { return .string(text) }
            try interpreter.charge(width / 2)
            let hasSign = text.points.first.map { $0.scalar == "+" || $0.scalar == "-" } ?? false
            let sign = text.points.prefix(hasSign ? 1 : 0)
            return .string(
                Text(
                    sign + repeatElement(CodePoint("0"), count: width - text.count)
                        + text.points.dropFirst(sign.count), isSafe: text.isSafe))
        },
        "expandtabs": { interpreter, text, arguments in
            let size = try arguments.bind("expandtabs", "tabsize")[0]?.integer(for: "the size") ?? 8
            var result: [CodePoint] = []
            var column = 0
            for point in text.points {
                if point.scalar == "\t" {
                    let width = size > 0 ? size - column % size : 0
                    try interpreter.charge(width / 2)
                    result += repeatElement(point.replaced(by: " "), count: width)
                    column += width
                } else {
                    result.append(point)
                    column = point.scalar == "\n" || point.scalar == "\r" ? 0 : column + 1
                }
            }
            return .string(Text(result, isSafe: text.isSafe))
        },
        "islower": predicate("islower", \.isLowercase),
        "isupper": predicate("isupper", \.isUppercase),
        "istitle": predicate("istitle") { text in
            text == text.titlecased && text.points.contains { $0.scalar.properties.isCased }
        },
        "isspace": predicate("isspace") { each($0, \.isSpace) },
        "isalpha": predicate("isalpha") { each($0, \.isLetter) },
        "isdigit": predicate("isdigit") {
            each($0) { $0.scalar.properties.numericType.map { $0 != .numeric } ?? false }
        },
        "isdecimal": predicate("isdecimal") { each($0) { $0.scalar.properties.numericType == .decimal } },
        "isnumeric": predicate("isnumeric") { each($0) { $0.scalar.properties.numericType != nil } },
        "isalnum": predicate("isalnum") {
            each($0) { $0.isLetter || $0.scalar.properties.numericType != nil }
        },
        "isascii": predicate("isascii") { $0.points.allSatisfy(\.scalar.isASCII) },
        "isprintable": predicate("isprintable") { $0.points.allSatisfy(\.isPrintable) },
        "isidentifier": predicate("isidentifier") { text in
            each(text, \.scalar.properties.isXIDContinue)
                && text.points.first.map { $0.scalar.properties.isXIDStart || $0.scalar == "_" } ?? false
        },
    ]

    private static func each(_ text: Text, _ test: (CodePoint) -> Bool) -> Bool {
        !text.isEmpty && text.points.allSatisfy(test)
    }

    /// A method without arguments that gives a string.
    private static func text(_ name: String, _ body: @escaping @Sendable (Text) -> Text) -> Method {
        { interpreter, text, arguments in
            _ = try arguments.bind(name)
            try interpreter.charge(text.count)
            return .string(body(text))
        }
    }

    private static func predicate(_ name: String, _ body: @escaping @Sendable (Text) -> Bool) -> Method {
        { _, text, arguments in
            _ = try arguments.bind(name)
            return .boolean(body(text))
        }
    }

    private static func string(_ value: Value?, _ use: String) throws -> Text {
        switch value {
        case .string(let text)?: return text
        case .undefined(let undefined)?: throw Failure(undefined.problem)
        default: throw Failure("\(use) must be a string, not '\(value?.typeName ?? "nothing")'")
        }
    }

    private static func strip(_ name: String, left: Bool, right: Bool) -> Method {
        { _, text, arguments in
            let characters = try arguments.bind(name, "chars")[0]
            return .string(try trim(text, characters, name, left: left, right: right))
        }
    }

    /// Without white space, or the given characters, at either end.
    static func trim(
        _ text: Text, _ characters: Value?, _ name: String, left: Bool = true, right: Bool = true
    ) throws -> Text {
        guard let characters, !characters.isNone else { return text.trimmed(left: left, right: right) }
        let set = Set(try string(characters, "the argument of '\(name)'").points)
        return text.trimmed(left: left, right: right, set.contains)
    }

    /// A range of places in a text; nil where it begins behind the end.
    private static func range(_ start: Value?, _ end: Value?, _ text: Text) throws -> Range<Int>? {
        if let start = start?.integer, start > text.count { return nil }
        if let start = start?.integer, let end = end?.integer, start >= 0, end >= 0, end < start {
            return nil
        }
        return try Operators.bounds(start, end, count: text.count)
    }

    private static func affix(
        _ name: String, _ test: @escaping @Sendable (ArraySlice<CodePoint>, [CodePoint]) -> Bool
    ) -> Method {
        { _, text, arguments in
            let values = try arguments.bind(name, "affix", "start", "end", required: 1)
            var candidates = [values[0] ?? .none]
            if case .tuple(let array)? = values[0] { candidates = array.elements }
            guard let range = try range(values[1], values[2], text) else { return .boolean(false) }
            return .boolean(
                try candidates.contains {
                    test(text.points[range], try string($0, "the argument of '\(name)'").points)
                })
        }
    }

    private static func search(_ name: String, isLast: Bool, isRequired: Bool) -> Method {
        { interpreter, text, arguments in
            let values = try arguments.bind(name, "sub", "start", "end", required: 1)
            let part = try string(values[0], "the part")
            try interpreter.charge(text.count / 2)
            var found: Int?
            if let range = try range(values[1], values[2], text) {
                let slice = Text(text.points[range])
                if isLast {
                    let reversed = Text(slice.points.reversed())
                    found = reversed.occurrences(of: Text(part.points.reversed()), limit: 1).first
                        .map { slice.count - $0 - part.count + range.lowerBound }
                } else {
                    found = slice.occurrences(of: part, limit: 1).first.map { $0 + range.lowerBound }
                }
            }
            guard found != nil || !isRequired else { throw Failure("the part is not in the string") }
            return .integer(found ?? -1)
        }
    }

    static func replaced(
        _ text: Text, _ old: Text, _ new: Text, count: Int, _ interpreter: Interpreter
    ) throws -> Text {
        let places = text.occurrences(of: old, limit: count < 0 ? .max : count)
        let (added, overflow) = places.count.multipliedReportingOverflow(by: new.count)
        guard !overflow else { throw Failure.limit("the template does too much: a text is too long") }
        try interpreter.charge((text.count + added) / 2 + 1)
        var result: [CodePoint] = []
        result.reserveCapacity(text.count + added)
        var start = 0
        for place in places {
            result += text.points[start..<place]
            result += new.points
            start = place + old.count
        }
        result += text.points[start...]
        return Text(result, isSafe: text.isSafe)
    }

    private static func split(
        _ name: String, _ text: Text, _ arguments: Arguments, fromRight: Bool, _ interpreter: Interpreter
    ) throws -> Value {
        let values = try arguments.bind(name, "sep", "maxsplit")
        let limit = try values[1]?.integer(for: "the limit") ?? -1
        try interpreter.charge(text.count)
        var points = text.points
        if fromRight { points.reverse() }
        var parts: [ArraySlice<CodePoint>]
        if let separator = values[0], !separator.isNone {
            var needle = try string(separator, "the separator")
            guard !needle.isEmpty else { throw Failure("the separator is empty") }
            if fromRight { needle.points.reverse() }
            parts = []
            var start = 0
            for place in Text(points).occurrences(of: needle, limit: limit < 0 ? .max : limit) {
                parts.append(points[start..<place])
                start = place + needle.count
            }
            parts.append(points[start...])
        } else {
            parts = []
            var rest = points.drop(while: \.isSpace)
            while !rest.isEmpty {
                guard limit < 0 || parts.count < limit else {
                    parts.append(rest)
                    break
                }
                let word = rest.prefix { !$0.isSpace }
                parts.append(word)
                rest = rest.dropFirst(word.count).drop(while: \.isSpace)
            }
        }
        if fromRight { parts = parts.reversed().map { ArraySlice($0.reversed()) } }
        return try .list(of: parts.map { .string(Text($0, isSafe: text.isSafe)) })
    }

    private static func partition(
        _ name: String, _ text: Text, _ arguments: Arguments, fromRight: Bool, _ interpreter: Interpreter
    ) throws -> Value {
        let separator = try string(try arguments.bind(name, "sep", required: 1)[0], "the separator")
        guard !separator.isEmpty else { throw Failure("the separator is empty") }
        try interpreter.charge(text.count)
        let parts: [Value]
        if fromRight {
            parts = try split(
                "rsplit", text, Arguments([.string(separator), .integer(1)]), fromRight: true, interpreter
            )
            .elements()
        } else {
            parts = try split(
                "split", text, Arguments([.string(separator), .integer(1)]), fromRight: false, interpreter
            )
            .elements()
        }
        guard parts.count < 2 else { return try .tuple(of: [parts[0], .string(separator), parts[1]]) }
        return try .tuple(
            of: fromRight ? [Value(""), Value(""), .string(text)] : [.string(text), Value(""), Value("")])
    }

    /// `center`, `ljust` and `rjust`.
    static func justified(
        _ text: Text, _ arguments: [Value?], _ interpreter: Interpreter, _ name: String
    ) throws -> Text {
        let width = try (arguments[0] ?? .none).integer(for: "the width")
        let fill = try arguments[1].map { try string($0, "the fill character") } ?? " "
        guard fill.count == 1 else { throw Failure("the fill character must be one character") }
        guard width > text.count else { return text }
        try interpreter.charge(width / 2)
        let space = width - text.count
        // Python puts the odd one left where the width is odd.
        let left = name == "ljust" ? 0 : name == "rjust" ? space : space / 2 + (space & width & 1)
        return Text(
            repeatElement(fill.points[0], count: left) + text.points
                + repeatElement(fill.points[0], count: space - left), isSafe: text.isSafe)
    }
}
