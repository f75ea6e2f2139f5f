/// `a.b` and `a[b]`, which both look for the other where they find nothing themselves.
enum Attributes {
    /// `a.b`: a method or attribute first, then an entry of a dictionary.
    static func attribute(_ name: String, of object: Value) throws -> Value {
        if case .undefined(let undefined) = object { throw Failure(undefined.problem) }
        if let value = try ownAttribute(name, of: object) { return value }
        if case .dictionary(let dictionary) = object, let value = dictionary[name] { return value }
        return .undefined(.attribute(name, of: object.typeName))
    }

    /// `a[b]`: an element first, then an attribute.
    static func item(_ key: Value, of object: Value) throws -> Value {
        if let value = try element(key, of: object) { return value }
        guard let name = key.text?.string else {
            return .undefined(.attribute(Representation.short(key), of: object.typeName))
        }
        return try ownAttribute(name, of: object) ?? .undefined(.attribute(name, of: object.typeName))
    }

    private static func element(_ key: Value, of object: Value) throws -> Value? {
        func index(_ count: Int) -> Int? {
            guard let index = key.integer else { return nil }
            let fromStart = index < 0 ? index + count : index
            return (0..<count).contains(fromStart) ? fromStart : nil
        }
        switch object {
        case .undefined(let undefined): throw Failure(undefined.problem)
        case .dictionary(let dictionary):
            guard (try? key.checkHashable()) != nil else { return nil }
            return dictionary[key]
        case .list(let array), .tuple(let array):
            return index(array.elements.count).map { array.elements[$0] }
        case .string(let text):
            return index(text.count).map {
                .string(Text(CollectionOfOne(text.points[$0]), isSafe: text.isSafe))
            }
        case .range(let range): return index(range.count).map { .integer(range.start + $0 * range.step) }
        default: return nil
        }
    }

    /// What the type itself has by a name. What would change a value is not to be had.
    static func ownAttribute(_ name: String, of object: Value) throws -> Value? {
        switch object {
        case .string(let text):
            guard let method = StringMethods.all[name] else { return nil }
            return .function(
                try Function(name, holding: [object]) { interpreter, arguments in
                    try interpreter.charge(text.count / 2)
                    return try method(interpreter, text, arguments)
                })
        case .dictionary(let dictionary): return try method(name, of: dictionary, object)
        case .list(let array): return try method(name, of: array, object)
        case .tuple(let array):
            if let field = array.fields.firstIndex(of: name) { return array.elements[field] }
            return name == "copy" ? nil : try method(name, of: array, object)
        case .namespace(let namespace): return namespace[name]
        case .loop(let loop): return try loop.attribute(name)
        case .range(let range):
            switch name {
            case "start": return .integer(range.start)
            case "stop": return .integer(range.stop)
            case "step": return .integer(range.step)
            default: return nil
            }
        case .function(let function):
            guard let parameters = function.parameters else { return nil }
            switch name {
            case "name": return Value(function.name)
            case "arguments": return try .tuple(of: parameters.map { Value($0) })
            default: return nil
            }
        default: return nil
        }
    }

    private static func unsafe(_ name: String, _ type: String) -> Value {
        .undefined(.other("'\(name)' would change a \(type), which a template may not"))
    }

    private static func method(_ name: String, of dictionary: ValueDictionary, _ object: Value) throws
        -> Value?
    {
        func view(_ kind: DictionaryView.Kind) throws -> Value {
            .function(
                try Function(name, holding: [object]) { _, arguments in
                    _ = try arguments.bind(name)
                    return .view(DictionaryView(kind: kind, dictionary: dictionary))
                })
        }
        switch name {
        case "keys": return try view(.keys)
        case "values": return try view(.values)
        case "items": return try view(.items)
        case "get":
            return .function(
                try Function(name, holding: [object]) { _, arguments in
                    guard arguments.keyword.isEmpty else { throw Failure("'get' takes no named arguments") }
                    let values = try arguments.bind(name, "key", "default", required: 1)
                    let key = values[0] ?? .none
                    try key.checkHashable()
                    return dictionary[key] ?? values[1] ?? .none
                })
        case "copy":
            return .function(
                try Function(name, holding: [object]) { _, arguments in
                    _ = try arguments.bind(name)
                    return object
                })
        case "clear", "pop", "popitem", "setdefault", "update": return unsafe(name, "dict")
        default: return nil
        }
    }

    private static func method(_ name: String, of array: ValueArray, _ object: Value) throws -> Value? {
        switch name {
        case "index":
            return .function(
                try Function(name, holding: [object]) { interpreter, arguments in
                    let values = try arguments.bind(name, "value", "start", "stop", required: 1)
                    try interpreter.charge(array.extent.size)
                    let range = try Operators.bounds(values[1], values[2], count: array.elements.count)
                    guard let index = range.first(where: { array.elements[$0] == values[0] ?? .none }) else {
                        throw Failure("the value is not in the \(object.typeName)")
                    }
                    return .integer(index)
                })
        case "count":
            return .function(
                try Function(name, holding: [object]) { interpreter, arguments in
                    let wanted = try arguments.bind(name, "value", required: 1)[0] ?? .none
                    try interpreter.charge(array.extent.size)
                    return .integer(array.elements.count { $0 == wanted })
                })
        case "copy":
            return .function(
                try Function(name, holding: [object]) { _, arguments in
                    _ = try arguments.bind(name)
                    return object
                })
        case "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort":
            guard case .list = object else { return nil }
            return unsafe(name, "list")
        default: return nil
        }
    }
}
