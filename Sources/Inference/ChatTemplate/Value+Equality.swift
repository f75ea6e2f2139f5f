extension Value: Hashable {
    /// Python's `==`: numbers of all types compare by value, lists never equal tuples.
    static func == (a: Value, b: Value) -> Bool {
        switch (a, b) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.string(let a), .string(let b)): return a == b
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)): return a.elements == b.elements
        case (.dictionary(let a), .dictionary(let b)):
            return a === b || (a.count == b.count && a.pairs.allSatisfy { b[$0.key] == $0.value })
        case (.range(let a), .range(let b)):
            return a.count == b.count
                && (a.count == 0 || (a.start == b.start && (a.count == 1 || a.step == b.step)))
        case (.view(let a), .view(let b)):
            guard a.kind == b.kind else { return false }
            switch a.kind {
            case .keys:
                return a.dictionary.count == b.dictionary.count
                    && a.dictionary.keys.allSatisfy { b.dictionary[$0] != nil }
            case .values: return false
            case .items: return Value.dictionary(a.dictionary) == Value.dictionary(b.dictionary)
            }
        case (.iterator(let a), .iterator(let b)): return a === b
        case (.namespace(let a), .namespace(let b)): return a === b
        case (.loop(let a), .loop(let b)): return a === b
        case (.function(let a), .function(let b)): return a === b
        default:
            if let a = a.integer, let b = b.integer { return a == b }
            guard let x = a.number, let y = b.number else { return false }
            // Not every integer is a double.
            if let a = a.integer { return Int(exactly: y) == a }
            if let b = b.integer { return Int(exactly: x) == b }
            return x == y
        }
    }

    func hash(into hasher: inout Hasher) {
        switch self {
        case .undefined, .none: break
        case .boolean(let value): hasher.combine(value ? 1 : 0)
        case .integer(let value): hasher.combine(value)
        case .float(let value):
            if let value = Int(exactly: value) { hasher.combine(value) } else { hasher.combine(value) }
        case .string(let text): hasher.combine(text)
        case .tuple(let array): for element in array.elements { element.hash(into: &hasher) }
        case .range(let range): hasher.combine(range.count)
        case .iterator(let iterator): hasher.combine(ObjectIdentifier(iterator))
        case .namespace(let namespace): hasher.combine(ObjectIdentifier(namespace))
        case .loop(let loop): hasher.combine(ObjectIdentifier(loop))
        case .function(let function): hasher.combine(ObjectIdentifier(function))
        case .list, .dictionary, .view: break
        }
    }

    /// Fails where Python would not take it for a key.
    func checkHashable() throws {
        switch self {
        case .list, .dictionary, .view: throw Failure("unhashable type: '\(typeName)'")
        case .tuple(let array): for element in array.elements { try element.checkHashable() }
        default: break
        }
    }

    /// Whether this one comes before another; an error where the two have no order.
    func isLess(than other: Value, _ sign: String = "<") throws -> Bool {
        switch (self, other) {
        case (.undefined(let undefined), _), (_, .undefined(let undefined)):
            throw Failure(undefined.problem)
        case (.string(let a), .string(let b)): return a.points.lexicographicallyPrecedes(b.points)
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
            for (a, b) in zip(a.elements, b.elements) where a != b { return try a.isLess(than: b, sign) }
            return a.elements.count < b.elements.count
        default:
            if let a = integer, let b = other.integer { return a < b }
            guard let a = number, let b = other.number else {
                throw Failure(
                    "'\(sign)' not supported between '\(typeName)' and '\(other.typeName)'")
            }
            return a < b
        }
    }
}
