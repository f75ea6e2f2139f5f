/// A value of a running template, with Python's meaning.
enum Value {
    case undefined(Undefined)
    case none
    case boolean(Bool)
    case integer(Int)
    case float(Double)
    case string(Text)
    case list(ValueArray)
    case tuple(ValueArray)
    case dictionary(ValueDictionary)
    case range(ValueRange)
    /// What `keys()`, `values()` and `items()` of a dictionary give.
    case view(DictionaryView)
    /// What can be gone through once.
    case iterator(ValueIterator)
    case namespace(Namespace)
    case loop(LoopState)
    case function(Function)

    /// The string with this text, which is the template's.
    init(_ string: String) { self = .string(Text(string)) }
}

/// What a name or attribute that does not exist has for a value; it renders empty, and most other uses are errors.
enum Undefined {
    case name(String)
    case attribute(String, of: String)
    case other(String)

    var problem: String {
        switch self {
        case .name(let name): "'\(name)' is undefined"
        case .attribute(let name, let type): "'\(type)' has no attribute '\(name)'"
        case .other(let problem): problem
        }
    }
}

/// The elements of a list or tuple. Templates cannot change them.
struct ValueArray {
    let elements: [Value]
    let extent: Extent
    /// The names of a tuple's fields, where it has such.
    var fields: [String] = []

    /// Fails where values are nested so deeply that going through them would be dangerous.
    init(_ elements: [Value]) throws {
        self.elements = elements
        extent = try Extent(around: elements)
    }
}

/// A dictionary in the order of insertion. Templates cannot change it.
final class ValueDictionary {
    let keys: [Value]
    let values: [Value]
    let extent: Extent
    private let index: [Value: Int]

    /// Of equal keys the first stays with the value of the last, as in Python.
    init(_ pairs: [(key: Value, value: Value)]) throws {
        var keys: [Value] = []
        var values: [Value] = []
        var index: [Value: Int] = [:]
        for (key, value) in pairs {
            try key.checkHashable()
            if let known = index[key] {
                values[known] = value
            } else {
                index[key] = keys.count
                keys.append(key)
                values.append(value)
            }
        }
        (self.keys, self.values, self.index) = (keys, values, index)
        extent = try Extent(around: keys + values)
    }

    var count: Int { keys.count }
    var pairs: [(key: Value, value: Value)] { zip(keys, values).map { ($0, $1) } }
    subscript(key: Value) -> Value? { index[key].map { values[$0] } }
    subscript(key: String) -> Value? { self[Value(key)] }
    func items() throws -> [Value] { try pairs.map { .tuple(try ValueArray([$0.key, $0.value])) } }
}

/// Python's `range`.
struct ValueRange: Hashable {
    var start: Int
    var stop: Int
    var step: Int

    var count: Int {
        let (span, overflow) =
            step > 0
            ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
        guard !overflow, span > 0 else { return overflow && (step > 0) == (stop > start) ? .max : 0 }
        return (span - 1) / Int(clamping: step.magnitude) + 1
    }

    /// Only for a range that was made by ``Globals``, which bounds its length.
    var elements: [Value] { (0..<count).map { .integer(start + $0 * step) } }
}

/// A dictionary's keys, values or items.
struct DictionaryView {
    enum Kind: String {
        case keys = "dict_keys"
        case values = "dict_values"
        case items = "dict_items"
    }

    var kind: Kind
    var dictionary: ValueDictionary

    func elements() throws -> [Value] {
        switch kind {
        case .keys: dictionary.keys
        case .values: dictionary.values
        case .items: try dictionary.items()
        }
    }
}

/// What a filter such as `map` gives: elements that can be taken once. What went wrong while they were made shows when
/// they are taken, as Python makes them only then.
final class ValueIterator {
    private var elements: [Value]
    private var failure: (any Error)?
    let extent: Extent

    init(_ make: () throws -> [Value]) throws {
        do {
            elements = try make()
        } catch let failure as Failure where !failure.isLimit {
            elements = []
            self.failure = failure
        }
        elements.reverse()
        extent = try Extent(around: elements)
    }

    func next() throws -> Value? {
        if let failure { throw failure }
        return elements.popLast()
    }

    func rest() throws -> [Value] {
        if let failure { throw failure }
        defer { elements = [] }
        return elements.reversed()
    }
}

/// What `namespace()` makes: the one thing that templates can change.
final class Namespace {
    var names: [String] = []
    var values: [String: Value] = [:]

    subscript(name: String) -> Value? {
        get { values[name] }
        set {
            if values.updateValue(newValue ?? .none, forKey: name) == nil { names.append(name) }
        }
    }

    func clear() { (names, values) = ([], [:]) }
}

/// Anything that can be called.
final class Function {
    let name: String
    let extent: Extent
    /// The names of a macro's parameters.
    let parameters: [String]?
    let call: (Interpreter, Arguments) throws -> Value

    init(
        _ name: String, holding values: [Value] = [], parameters: [String]? = nil,
        _ call: @escaping (Interpreter, Arguments) throws -> Value
    ) throws {
        self.name = name
        extent = try Extent(around: values)
        self.parameters = parameters
        self.call = call
    }
}

/// How deeply values are nested, and how many there are if those that stand in several places count everywhere.
struct Extent {
    static let greatest = Extent(depth: 100, size: 1 << 24)

    var depth: Int
    var size: Int

    init(depth: Int, size: Int) { (self.depth, self.size) = (depth, size) }

    /// Of something that holds values; fails where going through them all would be dangerous.
    init(around values: [Value]) throws {
        (depth, size) = (1, 1)
        for value in values {
            let extent = value.extent
            depth = max(depth, extent.depth + 1)
            size += extent.size
            guard depth <= Self.greatest.depth, size <= Self.greatest.size else {
                throw Failure.limit("values are nested too deeply, or too many")
            }
        }
    }
}

extension Value {
    /// How much is in this one.
    var extent: Extent {
        switch self {
        case .string(let text): Extent(depth: 0, size: text.count / 16 + 1)
        case .list(let array), .tuple(let array): array.extent
        case .dictionary(let dictionary): dictionary.extent
        case .view(let view): view.dictionary.extent
        case .iterator(let iterator): iterator.extent
        case .loop(let loop): loop.extent
        case .function(let function): function.extent
        default: Extent(depth: 0, size: 1)
        }
    }

    static func list(of elements: [Value]) throws -> Value { .list(try ValueArray(elements)) }
    static func tuple(of elements: [Value]) throws -> Value { .tuple(try ValueArray(elements)) }
    static func iterator(_ make: () throws -> [Value]) throws -> Value { .iterator(try ValueIterator(make)) }

    /// How long it takes to go through it, but not through what is in it.
    var width: Int {
        switch self {
        case .string(let text): text.count / 16
        case .list(let array), .tuple(let array): array.elements.count
        case .dictionary(let dictionary): dictionary.count
        case .view(let view): view.dictionary.count
        case .range(let range): range.count
        default: 1
        }
    }

    /// Python's name for the type, for messages.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "None"
        case .boolean: "bool"
        case .integer: "int"
        case .float: "float"
        case .string: "str"
        case .list: "list"
        case .tuple: "tuple"
        case .dictionary: "dict"
        case .range: "range"
        case .view(let view): view.kind.rawValue
        case .iterator: "generator"
        case .namespace: "namespace"
        case .loop: "loop"
        case .function: "function"
        }
    }

    var isUndefined: Bool {
        if case .undefined = self { true } else { false }
    }

    var isNone: Bool {
        if case .none = self { true } else { false }
    }

    /// The text of a string.
    var text: Text? {
        if case .string(let text) = self { text } else { nil }
    }

    /// Whether it counts as true.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .boolean(let value): value
        case .integer(let value): value != 0
        case .float(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let array), .tuple(let array): !array.elements.isEmpty
        case .dictionary(let dictionary): dictionary.count > 0
        case .range(let range): range.count > 0
        case .view(let view): view.dictionary.count > 0
        case .iterator, .namespace, .function: true
        case .loop(let loop): !loop.items.isEmpty
        }
    }

    /// A whole number: booleans count as 0 and 1.
    var integer: Int? {
        switch self {
        case .integer(let value): value
        case .boolean(let value): value ? 1 : 0
        default: nil
        }
    }

    /// Any number.
    var number: Double? {
        if case .float(let value) = self { return value }
        return integer.map(Double.init)
    }

    /// A whole number, or an error that names what it is for.
    func integer(for use: String) throws -> Int {
        if case .undefined(let undefined) = self { throw Failure(undefined.problem) }
        guard let integer else { throw Failure("\(use) must be an integer, not \(typeName)") }
        return integer
    }

    /// The elements of what can be gone through.
    func elements() throws -> [Value] {
        switch self {
        case .undefined: []
        case .string(let text): text.points.map { .string(Text(CollectionOfOne($0), isSafe: text.isSafe)) }
        case .list(let array), .tuple(let array): array.elements
        case .dictionary(let dictionary): dictionary.keys
        case .range(let range): range.elements
        case .view(let view): try view.elements()
        case .iterator(let iterator): try iterator.rest()
        default: throw Failure("'\(typeName)' is not iterable")
        }
    }

    /// Whether `elements()` gives some.
    var isIterable: Bool {
        switch self {
        case .undefined, .string, .list, .tuple, .dictionary, .range, .view, .iterator, .loop: true
        default: false
        }
    }

    /// Python's `len`.
    func length() throws -> Int {
        switch self {
        case .undefined: 0
        case .string(let text): text.count
        case .list(let array), .tuple(let array): array.elements.count
        case .dictionary(let dictionary): dictionary.count
        case .range(let range): range.count
        case .view(let view): view.dictionary.count
        case .loop(let loop): loop.items.count
        default: throw Failure("'\(typeName)' has no length")
        }
    }
}
