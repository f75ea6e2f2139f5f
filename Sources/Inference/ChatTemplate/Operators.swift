import Glibc

/// What operators do, as in Python.
enum Operators {
    private static func unsupported(_ sign: String, _ left: Value, _ right: Value) -> Failure {
        Failure("'\(sign)' is not for '\(left.typeName)' and '\(right.typeName)'")
    }

    static let overflow = Failure("an integer is too large")

    static func apply(
        _ operation: Arithmetic, _ left: Value, _ right: Value, _ interpreter: Interpreter
    ) throws -> Value {
        if operation == .remainder, case .string(let format) = left {
            return .string(try StringFormat.percent(format, right, interpreter))
        }
        for operand in [left, right] {
            if case .undefined(let undefined) = operand { throw Failure(undefined.problem) }
        }
        switch (operation, left, right) {
        case (.add, .string(let a), .string(let b)):
            try interpreter.charge((a.count + b.count) / 2 + 1)
            return .string(join(a, b))
        case (.add, .list(let a), .list(let b)):
            try interpreter.charge(a.elements.count + b.elements.count)
            return try .list(of: a.elements + b.elements)
        case (.add, .tuple(let a), .tuple(let b)):
            try interpreter.charge(a.elements.count + b.elements.count)
            return try .tuple(of: a.elements + b.elements)
        case (.multiply, .string, _), (.multiply, .list, _), (.multiply, .tuple, _):
            guard let count = right.integer else { throw unsupported("*", left, right) }
            return try repeated(left, count, interpreter)
        case (.multiply, _, .string), (.multiply, _, .list), (.multiply, _, .tuple):
            guard let count = left.integer else { throw unsupported("*", left, right) }
            return try repeated(right, count, interpreter)
        default: break
        }
        if let a = left.integer, let b = right.integer { return try apply(operation, a, b) }
        guard let a = left.number, let b = right.number else {
            throw unsupported(operation.rawValue, left, right)
        }
        return try apply(operation, a, b)
    }

    /// Python's `%` of numbers.
    static func remainder(_ left: Value, _ right: Value) throws -> Value {
        if let a = left.integer, let b = right.integer { return try apply(.remainder, a, b) }
        return try apply(.remainder, left.number ?? .nan, right.number ?? .nan)
    }

    /// Where one is safe HTML, the other gets escaped.
    private static func join(_ a: Text, _ b: Text) -> Text {
        guard a.isSafe || b.isSafe else { return a + b }
        return Text((a.isSafe ? a : a.escaped).points + (b.isSafe ? b : b.escaped).points, isSafe: true)
    }

    private static func repeated(_ value: Value, _ count: Int, _ interpreter: Interpreter) throws -> Value {
        let count = max(count, 0)
        let length = try value.length()
        let (total, overflow) = length.multipliedReportingOverflow(by: count)
        guard !overflow else { throw Failure.limit("the template does too much: a value is too long") }
        switch value {
        case .string(let text):
            try interpreter.charge(total / 2 + 1)
            return .string(
                Text(repeatElement(text.points, count: length == 0 ? 0 : count).joined(), isSafe: text.isSafe)
            )
        case .list(let array):
            try interpreter.charge(total)
            return try .list(
                of: Array(repeatElement(array.elements, count: length == 0 ? 0 : count).joined()))
        case .tuple(let array):
            try interpreter.charge(total)
            return try .tuple(
                of: Array(repeatElement(array.elements, count: length == 0 ? 0 : count).joined()))
        default: return value
        }
    }

    private static func apply(_ operation: Arithmetic, _ a: Int, _ b: Int) throws -> Value {
        func checked(_ result: (partialValue: Int, overflow: Bool)) throws -> Value {
            guard !result.overflow else { throw overflow }
            return .integer(result.partialValue)
        }
        switch operation {
        case .add: return try checked(a.addingReportingOverflow(b))
        case .subtract: return try checked(a.subtractingReportingOverflow(b))
        case .multiply: return try checked(a.multipliedReportingOverflow(by: b))
        case .divide:
            guard b != 0 else { throw Failure("division by zero") }
            return .float(Double(a) / Double(b))
        case .floorDivide:
            guard b != 0 else { throw Failure("division by zero") }
            let (quotient, overflow) = a.dividedReportingOverflow(by: b)
            guard !overflow else { throw Self.overflow }
            return .integer(a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient)
        case .remainder:
            guard b != 0 else { throw Failure("division by zero") }
            let remainder = b == -1 ? 0 : a % b
            return .integer(remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder)
        case .power:
            guard b >= 0 else {
                guard a != 0 else { throw Failure("division by zero") }
                return .float(pow(Double(a), Double(b)))
            }
            var (result, base, exponent) = (1, a, b)
            while exponent > 0 {
                if exponent & 1 == 1 {
                    let product = result.multipliedReportingOverflow(by: base)
                    guard !product.overflow else { throw overflow }
                    result = product.partialValue
                }
                exponent >>= 1
                if exponent > 0 {
                    let square = base.multipliedReportingOverflow(by: base)
                    guard !square.overflow else { throw overflow }
                    base = square.partialValue
                }
            }
            return .integer(result)
        }
    }

    private static func apply(_ operation: Arithmetic, _ a: Double, _ b: Double) throws -> Value {
        switch operation {
        case .add: return .float(a + b)
        case .subtract: return .float(a - b)
        case .multiply: return .float(a * b)
        case .divide:
            guard b != 0 else { throw Failure("division by zero") }
            return .float(a / b)
        case .floorDivide, .remainder:
            guard b != 0 else { throw Failure("division by zero") }
            var remainder = fmod(a, b)
            var quotient = (a - remainder) / b
            if remainder != 0 {
                if (b < 0) != (remainder < 0) {
                    remainder += b
                    quotient -= 1
                }
            } else {
                remainder = copysign(0, b)
            }
            if operation == .remainder { return .float(remainder) }
            guard quotient != 0 else { return .float(copysign(0, a / b)) }
            let floored = quotient.rounded(.down)
            return .float(quotient - floored > 0.5 ? floored + 1 : floored)
        case .power:
            if a == 0, b < 0 { throw Failure("division by zero") }
            if a < 0, b.isFinite, b != b.rounded() { throw Failure("a root of a negative number") }
            let result = pow(a, b)
            guard result.isFinite || !a.isFinite || !b.isFinite else {
                throw Failure("a number is too large")
            }
            return .float(result)
        }
    }

    static func negative(_ value: Value) throws -> Value {
        switch value {
        case .float(let number): return .float(-number)
        case .undefined(let undefined): throw Failure(undefined.problem)
        default:
            guard let integer = value.integer else { throw Failure("'-' is not for '\(value.typeName)'") }
            guard integer != .min else { throw overflow }
            return .integer(-integer)
        }
    }

    static func positive(_ value: Value) throws -> Value {
        switch value {
        case .float: return value
        case .undefined(let undefined): throw Failure(undefined.problem)
        default:
            guard let integer = value.integer else { throw Failure("'+' is not for '\(value.typeName)'") }
            return .integer(integer)
        }
    }

    static func holds(
        _ comparison: Comparison, _ left: Value, _ right: Value, _ interpreter: Interpreter
    ) throws -> Bool {
        switch comparison {
        case .equal: left == right
        case .notEqual: left != right
        case .less: try left.isLess(than: right, "<")
        case .greater: try right.isLess(than: left, ">")
        case .lessOrEqual: try isOrdered(left, right) && (left == right || left.isLess(than: right, "<="))
        case .greaterOrEqual: try isOrdered(left, right) && (left == right || right.isLess(than: left, ">="))
        case .isIn: try contains(right, left, interpreter)
        case .isNotIn: try !contains(right, left, interpreter)
        }
    }

    /// Fails where two values have no order; false where one is not a number.
    private static func isOrdered(_ left: Value, _ right: Value) throws -> Bool {
        _ = try left.isLess(than: right, "<=")
        return !(left.number?.isNaN ?? false) && !(right.number?.isNaN ?? false)
    }

    static func contains(_ container: Value, _ value: Value, _ interpreter: Interpreter) throws -> Bool {
        if case .dictionary = container {} else { try interpreter.charge(container.extent.size) }
        switch container {
        case .string(let text):
            guard case .string(let part) = value else {
                throw Failure("'in' a string needs a string, not '\(value.typeName)'")
            }
            return text.contains(part)
        case .dictionary(let dictionary):
            try value.checkHashable()
            return dictionary[value] != nil
        case .iterator(let iterator):
            while let element = try iterator.next() {
                if element == value { return true }
            }
            return false
        case .namespace, .function, .none, .boolean, .integer, .float, .loop:
            throw Failure("'in' is not for '\(container.typeName)'")
        default: return try container.elements().contains(value)
        }
    }

    // MARK: Slices

    /// `start:stop` of a sequence, in bounds, as Python takes it for methods.
    static func bounds(_ start: Value?, _ stop: Value?, count: Int) throws -> Range<Int> {
        func bound(_ value: Value?, _ standard: Int) throws -> Int {
            guard let value, !value.isNone else { return standard }
            let index = try value.integer(for: "an index")
            return min(max(index < 0 ? index.addingReportingOverflow(count).partialValue : index, 0), count)
        }
        let first = try bound(start, 0)
        return first..<max(try bound(stop, count), first)
    }

    static func slice(_ object: Value, _ start: Value?, _ stop: Value?, _ step: Value?) throws -> Value {
        func indices(_ count: Int) throws -> StrideTo<Int> {
            let step = try step.flatMap { $0.isNone ? nil : try $0.integer(for: "a slice's step") } ?? 1
            guard step != 0 else { throw Failure("a slice's step cannot be 0") }
            let (low, high) = step > 0 ? (0, count) : (-1, count - 1)
            func bound(_ value: Value?, _ standard: Int) throws -> Int {
                guard let value, !value.isNone else { return standard }
                let index = try value.integer(for: "a slice's bound")
                return min(max(index < 0 ? index + count : index, low), high)
            }
            let first = try bound(start, step > 0 ? low : high)
            let last = try bound(stop, step > 0 ? high : low)
            return stride(from: first, to: last, by: step > 0 ? min(step, count + 1) : max(step, -count - 1))
        }
        switch object {
        case .undefined(let undefined): throw Failure(undefined.problem)
        case .string(let text):
            return .string(Text(try indices(text.count).map { text.points[$0] }, isSafe: text.isSafe))
        case .list(let array):
            return try .list(of: try indices(array.elements.count).map { array.elements[$0] })
        case .tuple(let array):
            return try .tuple(of: try indices(array.elements.count).map { array.elements[$0] })
        case .range(let range):
            let elements = range.elements
            return try .list(of: try indices(elements.count).map { elements[$0] })
        default: throw Failure("'\(object.typeName)' cannot be sliced")
        }
    }
}

extension Text {
    /// With the characters that mean something in HTML written out.
    var escaped: Text {
        var result: [CodePoint] = []
        for point in points {
            let replacement: String
            switch point.scalar {
            case "&": replacement = "&amp;"
            case "<": replacement = "&lt;"
            case ">": replacement = "&gt;"
            case "\"": replacement = "&#34;"
            case "'": replacement = "&#39;"
            default:
                result.append(point)
                continue
            }
            result += replacement.unicodeScalars.map { point.replaced(by: $0) }
        }
        return Text(result, isSafe: true)
    }
}
