/// What `is` asks.
enum Tests {
    typealias Test = @Sendable (Interpreter, Value, Arguments) throws -> Bool

    static let all: [String: Test] = {
        var all: [String: Test] = [:]
        /// A test without arguments.
        func add(_ name: String, _ test: @escaping @Sendable (Value) throws -> Bool) {
            all[name] = { _, value, arguments in
                _ = try arguments.bind(name)
                return try test(value)
            }
        }
        add("defined") { !$0.isUndefined }
        add("undefined", \.isUndefined)
        add("none", \.isNone)
        add("boolean") { if case .boolean = $0 { true } else { false } }
        add("true") { if case .boolean(true) = $0 { true } else { false } }
        add("false") { if case .boolean(false) = $0 { true } else { false } }
        add("integer") { if case .integer = $0 { true } else { false } }
        add("float") { if case .float = $0 { true } else { false } }
        add("number") { $0.number != nil }
        add("string") { $0.text != nil }
        add("mapping") { if case .dictionary = $0 { true } else { false } }
        add("iterable", \.isIterable)
        add("sequence") { value in
            switch value {
            case .undefined, .string, .list, .tuple, .dictionary, .range: true
            default: false
            }
        }
        add("callable") { value in
            switch value {
            case .function, .loop, .undefined: true
            default: false
            }
        }
        add("escaped") { $0.text?.isSafe ?? false }
        add("odd") { try $0.remainder(by: .integer(2)) == .integer(1) }
        add("even") { try $0.remainder(by: .integer(2)) == .integer(0) }
        all["divisibleby"] = { _, value, arguments in
            let divisor = try arguments.bind("divisibleby", "num", required: 1)[0] ?? .none
            return try value.remainder(by: divisor) == .integer(0)
        }
        all["lower"] = { interpreter, value, arguments in
            _ = try arguments.bind("lower")
            return try interpreter.string(of: value).isLowercase
        }
        all["upper"] = { interpreter, value, arguments in
            _ = try arguments.bind("upper")
            return try interpreter.string(of: value).isUppercase
        }
        all["filter"] = { _, value, arguments in
            _ = try arguments.bind("filter")
            try value.checkHashable()
            return value.text.map { Filters.all[$0.string] != nil } ?? false
        }
        all["test"] = { _, value, arguments in
            _ = try arguments.bind("test")
            try value.checkHashable()
            return value.text.map { names.contains($0.string) } ?? false
        }
        all["sameas"] = { interpreter, value, arguments in
            let other = try arguments.bind("sameas", "other", required: 1)[0] ?? .none
            // What is equal and of the same type cannot be told from what is the same.
            return value.typeName == other.typeName && value == other
        }
        for (names, comparison) in comparisons {
            for name in names {
                all[name] = { interpreter, value, arguments in
                    guard arguments.keyword.isEmpty, arguments.positional.count == 1 else {
                        throw Failure("the test '\(name)' needs one argument")
                    }
                    let other = arguments.positional[0]
                    try interpreter.charge(min(value.extent.size, other.extent.size))
                    return try Operators.holds(comparison, value, other, interpreter)
                }
            }
        }
        return all
    }()

    private static let names = Set([
        "defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string",
        "mapping", "iterable", "sequence", "callable", "escaped", "odd", "even", "divisibleby", "lower",
        "upper", "filter", "test", "sameas",
    ]).union(comparisons.flatMap(\.0))

    private static let comparisons: [([String], Comparison)] = [
        (["==", "eq", "equalto"], .equal), (["!=", "ne"], .notEqual), (["<", "lt", "lessthan"], .less),
        (["<=", "le"], .lessOrEqual), ([">", "gt", "greaterthan"], .greater),
        ([">=", "ge"], .greaterOrEqual),
        (["in"], .isIn),
    ]
}

extension Value {
    /// Python's `%` of numbers.
    func remainder(by divisor: Value) throws -> Value {
        for operand in [self, divisor] {
            if case .undefined(let undefined) = operand { throw Failure(undefined.problem) }
        }
        guard number != nil, divisor.number != nil else {
            throw Failure("'%' is not for '\(typeName)' and '\(divisor.typeName)'")
        }
        return try Operators.remainder(self, divisor)
    }
}
