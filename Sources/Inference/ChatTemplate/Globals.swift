import Glibc

/// The functions that every template can call.
enum Globals {
    static func all() throws -> [String: Value] {
        var all: [String: Value] = [:]
        func add(_ name: String, _ call: @escaping (Interpreter, Arguments) throws -> Value) throws {
            all[name] = .function(try Function(name, call))
        }
        try add("range", range)
        try add("dict") { _, arguments in .dictionary(try dictionary("dict", arguments)) }
        try add("namespace") { interpreter, arguments in
            let namespace = interpreter.makeNamespace()
            for (key, value) in try dictionary("namespace", arguments).pairs {
                guard let name = key.text?.string else {
                    throw Failure("names in a namespace must be strings")
                }
                namespace[name] = value
            }
            return .namespace(namespace)
        }
        try add("raise_exception") { interpreter, arguments in
            let message = try arguments.bind("raise_exception", "message", required: 1)[0] ?? .none
            throw Failure.raised(try interpreter.string(of: message).string)
        }
        try add("strftime_now", strftimeNow)
        try add("cycler", cycler)
        try add("joiner", joiner)
        return all
    }

    private static let longestRange = 100_000

    private static func range(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
        guard arguments.keyword.isEmpty, (1...3).contains(arguments.positional.count) else {
            throw Failure("'range' takes one to three integers")
        }
        let numbers = try arguments.positional.map { try $0.integer(for: "an argument of 'range'") }
        let step = numbers.count > 2 ? numbers[2] : 1
        guard step != 0 else { throw Failure("the step of 'range' cannot be 0") }
        let range = ValueRange(
            start: numbers.count > 1 ? numbers[0] : 0, stop: numbers.count > 1 ? numbers[1] : numbers[0],
            step: step)
        guard range.count <= longestRange else {
            throw Failure.limit("a range of more than \(longestRange) numbers")
        }
        try interpreter.charge(range.count)
        return .range(range)
    }

    private static func dictionary(_ name: String, _ arguments: Arguments) throws -> ValueDictionary {
        guard arguments.positional.count <= 1 else { throw Failure("'\(name)' takes one dictionary at most") }
        var pairs: [(key: Value, value: Value)] = []
        switch arguments.positional.first {
        case nil: break
        case .dictionary(let dictionary)?: pairs = dictionary.pairs
        case let value?:
            pairs = try value.elements().map { element in
                let pair = try element.elements()
                guard pair.count == 2 else { throw Failure("'\(name)' needs pairs") }
                return (pair[0], pair[1])
            }
        }
        return try ValueDictionary(pairs + arguments.keyword.map { (Value($0.name), $0.value) })
    }

    private static func strftimeNow(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
        guard case .string(let format)? = try arguments.bind("strftime_now", "format", required: 1)[0] else {
            throw Failure("'strftime_now' needs a string")
        }
        guard format.count <= 1000 else { throw Failure("the format of 'strftime_now' is too long") }
        var now = time_t(interpreter.time)
        var parts = tm()
        localtime_r(&now, &parts)
        // A mark behind it tells an empty result from one that has no room.
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        let count = strftime(&buffer, buffer.count, format.string + "|", &parts)
        let text = String(decoding: buffer[..<max(count - 1, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return Value(text)
    }

    private static func cycler(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
        let items = arguments.positional
        guard !items.isEmpty else { throw Failure("'cycler' needs items") }
        let namespace = interpreter.makeNamespace()
        var index = 0
        namespace["current"] = items[0]
        namespace["next"] = .function(
            try Function("next", holding: items) { [unowned namespace] _, _ in
                defer {
                    index = (index + 1) % items.count
                    namespace["current"] = items[index]
                }
                return items[index]
            })
        namespace["reset"] = .function(
            try Function("reset", holding: items) { [unowned namespace] _, _ in
                index = 0
                namespace["current"] = items[0]
                return .none
            })
        return .namespace(namespace)
    }

    private static func joiner(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
        let separator = try arguments.bind("joiner", "sep")[0] ?? Value(", ")
        var isUsed = false
        return .function(
            try Function("joiner", holding: [separator]) { _, _ in
                defer { isUsed = true }
                return isUsed ? separator : Value("")
            })
    }
}
