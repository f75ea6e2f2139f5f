extension Filters {
    static let sequences: [String: Filter] = [
        "default": standard, "d": standard,
        "length": length, "count": length,
        "first": { _, value, arguments in
            _ = try arguments.bind("first")
            if case .iterator(let iterator) = value { return try iterator.next() ?? empty("first item") }
            return try value.elements().first ?? empty("first item")
        },
        "last": { _, value, arguments in
            _ = try arguments.bind("last")
            if case .iterator = value {
                throw Failure("'last' is not for what can be gone through only once")
            }
            return try value.elements().last ?? empty("last item")
        },
        "list": { interpreter, value, arguments in
            _ = try arguments.bind("list")
            return try .list(of: try value.elements())
        },
        "items": { _, value, arguments in
            _ = try arguments.bind("items")
            return try .iterator {
                switch value {
                case .undefined: []
                case .dictionary(let dictionary): try dictionary.items()
                default: throw Failure("'items' is for dictionaries, not '\(value.typeName)'")
                }
            }
        },
        "dictsort": dictsort,
        "join": join,
        "reverse": { interpreter, value, arguments in
            _ = try arguments.bind("reverse")
            if case .string(let text) = value {
                return .string(Text(text.points.reversed(), isSafe: text.isSafe))
            }
            if case .undefined = value { return try .list(of: []) }
            let elements = Array(try value.elements().reversed())
            if case .iterator = value { return try .list(of: elements) }
            return try .iterator { elements }
        },
        "sort": { interpreter, value, arguments in
            let values = try arguments.bind("sort", "reverse", "case_sensitive", "attribute")
            let paths = try AttributePath.several(values[2])
            let ignoresCase = !(values[1]?.isTrue ?? false)
            return try .list(
                of: try sorted(try value.elements(), reversed: values[0]?.isTrue ?? false) { element in
                    let keys = try paths.map { Self.key(try $0.value(of: element), ignoresCase) }
                    return try .list(of: keys)
                })
        },
        "unique": { _, value, arguments in
            let values = try arguments.bind("unique", "case_sensitive", "attribute")
            let path = try AttributePath(values[1])
            return try .iterator {
                var seen: Set<Value> = []
                return try value.elements().filter { element in
                    let key = Self.key(try path.value(of: element), !(values[0]?.isTrue ?? false))
                    try key.checkHashable()
                    return seen.insert(key).inserted
                }
            }
        },
        "min": { _, value, arguments in try extreme("min", value, arguments) { try $0.isLess(than: $1) } },
        "max": { _, value, arguments in try extreme("max", value, arguments) { try $1.isLess(than: $0, ">") }
        },
        "sum": { interpreter, value, arguments in
            let values = try arguments.bind("sum", "attribute", "start")
            let path = try AttributePath(values[0])
            let start = values[1] ?? .integer(0)
            if case .string = start { throw Failure("'sum' is not for strings") }
            return try value.elements().reduce(start) { sum, element in
                try Operators.apply(.add, sum, try path.value(of: element), interpreter)
            }
        },
        "map": map,
        "select": { try select("select", $0, $1, $2, keeping: true, byAttribute: false) },
        "reject": { try select("reject", $0, $1, $2, keeping: false, byAttribute: false) },
        "selectattr": { try select("selectattr", $0, $1, $2, keeping: true, byAttribute: true) },
        "rejectattr": { try select("rejectattr", $0, $1, $2, keeping: false, byAttribute: true) },
        "groupby": groupby,
        "batch": { interpreter, value, arguments in
            let values = try arguments.bind("batch", "linecount", "fill_with", required: 1)
            return try .iterator {
                let elements = try value.elements()
                let size = try (values[0] ?? .none).integer(for: "the size of 'batch'")
                guard size > 0 else {
                    // A batch of nothing is never full.
                    return elements.isEmpty ? [] : try [.list(of: [])] + elements.map { try .list(of: [$0]) }
                }
                return try stride(from: 0, to: elements.count, by: size).map { start in
                    var batch = Array(elements[start..<min(start + size, elements.count)])
                    if let filler = values[1], !filler.isNone {
                        try interpreter.charge(size - batch.count)
                        batch += repeatElement(filler, count: size - batch.count)
                    }
                    return try .list(of: batch)
                }
            }
        },
        "slice": { interpreter, value, arguments in
            let values = try arguments.bind("slice", "slices", "fill_with", required: 1)
            return try .iterator {
                let elements = try value.elements()
                let slices = try (values[0] ?? .none).integer(for: "the number of slices")
                guard slices != 0 else { throw Failure("'slice' needs slices") }
                guard slices > 0 else { return [] }
                try interpreter.charge(slices)
                let (size, longer) = (elements.count / slices, elements.count % slices)
                var start = 0
                return try (0..<slices).map { index in
                    let end = start + size + (index < longer ? 1 : 0)
                    var slice = Array(elements[start..<end])
                    if let filler = values[1], !filler.isNone, index >= longer { slice.append(filler) }
                    start = end
                    return try .list(of: slice)
                }
            }
        },
        "attr": { _, value, arguments in
            guard case .string(let name)? = try arguments.bind("attr", "name", required: 1)[0] else {
                throw Failure("'attr' needs a name")
            }
            if case .undefined(let undefined) = value { throw Failure(undefined.problem) }
            return try Attributes.ownAttribute(name.string, of: value)
                ?? .undefined(.attribute(name.string, of: value.typeName))
        },
    ]

    private static func empty(_ wanted: String) -> Value {
        .undefined(.other("no \(wanted), the sequence was empty"))
    }

    private static let standard: Filter = { _, value, arguments in
        let values = try arguments.bind("default", "default_value", "boolean")
        let isMissing = value.isUndefined || (values[1]?.isTrue ?? false && !value.isTrue)
        return isMissing ? values[0] ?? Value("") : value
    }

    private static let length: Filter = { _, value, arguments in
        _ = try arguments.bind("length")
        return .integer(try value.length())
    }

    private static let dictsort: Filter = { interpreter, value, arguments in
        let values = try arguments.bind("dictsort", "case_sensitive", "by", "reverse")
        let by = values[1] ?? Value("key")
        guard by == Value("key") || by == Value("value") else {
            throw Failure("'dictsort' is by key or by value")
        }
        guard case .dictionary(let dictionary) = value else {
            if case .undefined(let undefined) = value { throw Failure(undefined.problem) }
            throw Failure("'dictsort' is for dictionaries, not '\(value.typeName)'")
        }
        let ignoresCase = !(values[0]?.isTrue ?? false)
        let pairs = try sorted(dictionary.pairs, reversed: values[2]?.isTrue ?? false) { pair in
            key(by == Value("key") ? pair.key : pair.value, ignoresCase)
        }
        return try .list(of: try pairs.map { try .tuple(of: [$0.key, $0.value]) })
    }

    private static let join: Filter = { interpreter, value, arguments in
        let values = try arguments.bind("join", "d", "attribute")
        let separator = try interpreter.string(of: values[0] ?? Value(""))
        let path = try AttributePath(values[1])
        var result: [CodePoint] = []
        for (index, element) in try value.elements().enumerated() {
            let text = try interpreter.string(of: try path.value(of: element))
            try interpreter.charge((text.count + separator.count) / 2 + 1)
            if index > 0 { result += separator.points }
            result += text.points
        }
        return .string(Text(result))
    }

    private static func extreme(
        _ name: String, _ value: Value, _ arguments: Arguments, _ isBetter: (Value, Value) throws -> Bool
    ) throws -> Value {
        let values = try arguments.bind(name, "case_sensitive", "attribute")
        let path = try AttributePath(values[1])
        let ignoresCase = !(values[0]?.isTrue ?? false)
        let elements = try value.elements()
        guard var best = elements.first else { return empty("aggregated item") }
        var bestKey = key(try path.value(of: best), ignoresCase)
        for element in elements.dropFirst() {
            let key = key(try path.value(of: element), ignoresCase)
            if try isBetter(key, bestKey) { (best, bestKey) = (element, key) }
        }
        return best
    }

    private static let map: Filter = { interpreter, value, arguments in
        try .iterator {
            guard value.isTrue else { return [] }
            if arguments.positional.isEmpty,
                let attribute = arguments.keyword.first(where: { $0.name == "attribute" })
            {
                for (name, _) in arguments.keyword where !["attribute", "default"].contains(name) {
                    throw Failure("'map' has no argument '\(name)'")
                }
                let standard = arguments.keyword.first { $0.name == "default" }?.value
                let path = try AttributePath(attribute.value, standard: standard)
                return try value.elements().map { try path.value(of: $0) }
            }
            guard let name = arguments.positional.first else { throw Failure("'map' needs a filter's name") }
            guard let filter = name.text?.string else { throw Failure("'map' needs a filter's name") }
            var rest = arguments
            rest.positional.removeFirst()
            return try value.elements().map { try interpreter.apply(filter: filter, to: $0, rest) }
        }
    }

    private static func select(
        _ name: String, _ interpreter: Interpreter, _ value: Value, _ arguments: Arguments, keeping: Bool,
        byAttribute: Bool
    ) throws -> Value {
        try .iterator {
            guard value.isTrue else { return [] }
            var rest = arguments
            var path = try AttributePath(nil)
            if byAttribute {
                guard let attribute = rest.positional.first else {
                    throw Failure("'\(name)' needs an attribute")
                }
                path = try AttributePath(attribute)
                rest.positional.removeFirst()
            }
            guard let test = rest.positional.first else {
                return try value.elements().filter { try path.value(of: $0).isTrue == keeping }
            }
            rest.positional.removeFirst()
            guard let test = test.text?.string else { throw Failure("'\(name)' needs a test's name") }
            return try value.elements().filter { element in
                try interpreter.charge(8)
                return try interpreter.apply(test: test, to: try path.value(of: element), rest) == keeping
            }
        }
    }

    private static let groupby: Filter = { interpreter, value, arguments in
        let values = try arguments.bind("groupby", "attribute", "default", "case_sensitive", required: 1)
        let path = try AttributePath(values[0], standard: values[1])
        let ignoresCase = !(values[2]?.isTrue ?? false)
        func key(_ element: Value) throws -> Value { Self.key(try path.value(of: element), ignoresCase) }
        var groups: [(key: Value, elements: [Value])] = []
        for element in try sorted(try value.elements(), reversed: false, by: key) {
            let key = try key(element)
            if let last = groups.last, last.key == key {
                groups[groups.count - 1].elements.append(element)
            } else {
                groups.append((key, [element]))
            }
        }
        return try .list(
            of: try groups.map { group in
                let grouper = ignoresCase ? try path.value(of: group.elements[0]) : group.key
                var pair = try ValueArray([grouper, try .list(of: group.elements)])
                pair.fields = ["grouper", "list"]
                return .tuple(pair)
            })
    }

    /// What is compared in place of a value.
    private static func key(_ value: Value, _ ignoresCase: Bool) -> Value {
        guard ignoresCase, case .string(let text) = value else { return value }
        return .string(text.lowercased)
    }

    /// Sorted by a key; equals stay in their order, whether it is reversed or not.
    static func sorted<Element>(
        _ elements: [Element], reversed: Bool, by key: (Element) throws -> Value
    ) throws -> [Element] {
        var keyed = try elements.enumerated().map { (offset: $0, key: try key($1), element: $1) }
        try keyed.sort { a, b in
            if reversed ? try b.key.isLess(than: a.key) : try a.key.isLess(than: b.key) { return true }
            if reversed ? try a.key.isLess(than: b.key) : try b.key.isLess(than: a.key) { return false }
            return a.offset < b.offset
        }
        return keyed.map(\.element)
    }
}

/// The value of an argument `attribute`: `name`, `a.b`, a number, or nothing for the value itself.
struct AttributePath {
    private var parts: [Value] = []
    private var standard: Value?

    init(_ attribute: Value?, standard: Value? = nil) throws {
        self.standard = standard.flatMap { $0.isNone ? nil : $0 }
        switch attribute {
        case nil, .some(.none): break
        case .string(let text)?:
            parts = text.string.split(separator: ".", omittingEmptySubsequences: false).map { part in
                if !part.isEmpty, part.unicodeScalars.allSatisfy(\.isDigit), let index = Int(part) {
                    return .integer(index)
                }
                return Value(String(part))
            }
        case let index?: parts = [index]
        }
    }

    /// Several, separated by commas.
    static func several(_ attribute: Value?) throws -> [AttributePath] {
        guard case .string(let text)? = attribute else { return [try AttributePath(attribute)] }
        return try text.string.split(separator: ",", omittingEmptySubsequences: false).map {
            try AttributePath(Value(String($0)))
        }
    }

    func value(of object: Value) throws -> Value {
        var value = object
        for part in parts {
            value = try Attributes.item(part, of: value)
            if let standard, value.isUndefined { value = standard }
        }
        return value
    }
}
