/// Computes constant expressions.
struct ConstantEvaluator {
    let checker: Checker
    let scope: [String]

    /// What kind of constant a value is. Operators combine equal kinds, and nothing converts.
    private enum Kind: Equatable {
        case number, fraction, boolean, character, wideCharacter, string
        case enumeration(ObjectIdentifier)

        init?(_ type: IDLType) {
            switch type.resolved {
            case .scalar(.boolean): self = .boolean
            case .scalar(.char): self = .character
            case .scalar(.wchar): self = .wideCharacter
            case .scalar(let scalar): self = scalar.isFloatingPoint ? .fraction : .number
            case .enumeration(let type): self = .enumeration(ObjectIdentifier(type))
            case .string, .wideString: self = .string
            default: return nil
            }
        }
    }

    private typealias Typed = (value: Constant.Value, kind: Kind)

    /// The value of a constant of a type.
    func evaluate(_ expression: Expression, as type: IDLType) throws(IDLError) -> Constant.Value {
        let (value, kind) = try evaluate(expression)
        guard let wanted = Kind(type) else {
            throw IDLError(at: expression.location, "there are no constants of the type \(type.spelling)")
        }
        guard wanted == kind else {
            let hint =
                switch (wanted, kind) {
                case (.fraction, .number): "write the number with a fraction: 1.0"
                case (.enumeration, _): "write one of the enum's cases"
                case (.number, .enumeration): "a case of an enum is no number"
                case (.character, .number), (.wideCharacter, .number): "write a character"
                default: ""
                }
            throw IDLError(
                at: expression.location, "the value does not go with the type \(type.spelling)", hint: hint)
        }
        return try Self.fit(value, to: type, mayWrap: Self.isBits(expression), at: expression.location)
    }

    /// The value of a length or bound; nil if it is no whole number of 32 bits.
    func count(_ expression: Expression) throws(IDLError) -> Int? {
        let (value, kind) = try evaluate(expression)
        guard kind == .number, case .integer(let count) = value else { return nil }
        return count.magnitude <= UInt128(UInt32.max) ? Int(count) : nil
    }

    /// Whether a number is written by its bits, in hexadecimal or octal: those may set a sign bit.
    private static func isBits(_ expression: Expression) -> Bool {
        if case .literal(.integer(_, isDecimal: false), _) = expression { true } else { false }
    }

    private func evaluate(_ expression: Expression) throws(IDLError) -> Typed {
        switch expression {
        case .literal(let literal, let location):
            return try Self.value(of: literal, at: location)
        case .reference(let name):
            switch checker.find(name, in: scope) {
            case .constant(let constant)?:
                return (constant.value, Kind(constant.type) ?? .number)
            case .broken?:
                throw Checker.alreadyReported
            default:
                throw IDLError(
                    at: name.location, "the constant '\(name.text)' is not declared",
                    hint: "declare it before its use")
            }
        case .unary(let symbol, let operand, let location):
            let (value, kind) = try evaluate(operand)
            switch (symbol, value, kind) {
            case ("-", .integer(let value), .number):
                return (.integer(try Self.limited(-value, at: location)), kind)
            case ("-", .float(let value), _): return (.float(-value), kind)
            case ("~", .integer(let value), .number): return (.integer(~value), kind)
            default: throw IDLError(at: location, "'\(symbol)' does not go with this value")
            }
        case .binary(let symbol, let left, let right, let location):
            let (left, leftKind) = try evaluate(left)
            let (right, rightKind) = try evaluate(right)
            guard leftKind == rightKind, leftKind == .number || leftKind == .fraction else {
                throw IDLError(
                    at: location, "'\(symbol)' does not go with these values",
                    hint: "both must be whole numbers, or both must have a fraction")
            }
            return (try Self.apply(symbol, left, right, at: location), leftKind)
        }
    }

    private static func value(of literal: Literal, at location: Location) throws(IDLError) -> Typed {
        switch literal {
        case .integer(let value, _): return (.integer(Int128(value)), .number)
        case .character(let value, let wide):
            return (.integer(Int128(value)), wide ? .wideCharacter : .character)
        case .boolean(let value): return (.boolean(value), .boolean)
        case .string(let text, let wide): return (.string(text, wide: wide), .string)
        case .float(let digits):
            guard let value = Double(digits), value.isFinite else {
                throw IDLError(at: location, "the number \(digits) is too large")
            }
            return (.float(value), .fraction)
        }
    }

    private static func apply(
        _ symbol: String, _ left: Constant.Value, _ right: Constant.Value, at location: Location
    ) throws(IDLError) -> Constant.Value {
        if case .integer(let left) = left, case .integer(let right) = right {
            return .integer(try limited(try apply(symbol, left, right, at: location), at: location))
        }
        guard let left = left.number, let right = right.number else {
            throw IDLError(at: location, "'\(symbol)' does not go with these values")
        }
        let result: Double
        switch symbol {
        case "+": result = left + right
        case "-": result = left - right
        case "*": result = left * right
        case "/": result = left / right
        default: throw IDLError(at: location, "'\(symbol)' does not go with numbers that are not whole")
        }
        guard result.isFinite else { throw IDLError(at: location, "the result is no finite number") }
        return .float(result)
    }

    /// Both operands fit 65 bits, so that 128 bits hold every result but a long shift.
    private static func apply(
        _ symbol: String, _ left: Int128, _ right: Int128, at location: Location
    ) throws(IDLError) -> Int128 {
        switch symbol {
        case "+": return left + right
        case "-": return left - right
        case "*":
            let (product, overflow) = left.multipliedReportingOverflow(by: right)
            if overflow { throw tooLarge(at: location) }
            return product
        case "&": return left & right
        case "|": return left | right
        case "^": return left ^ right
        case "/", "%":
            guard right != 0 else { throw IDLError(at: location, "division by zero") }
            // As the reference compiler does and C does not: quotients are rounded down.
            let (quotient, remainder) = left.quotientAndRemainder(dividingBy: right)
            let isBelow = remainder != 0 && (remainder < 0) != (right < 0)
            if symbol == "/" { return isBelow ? quotient - 1 : quotient }
            return isBelow ? remainder + right : remainder
        case "<<", ">>":
            guard (0...63).contains(right) else {
                throw IDLError(at: location, "a shift by \(right), which is outside 0…63")
            }
            if symbol == ">>" { return left >> right }
            let (product, overflow) = left.multipliedReportingOverflow(by: 1 << right)
            if overflow { throw tooLarge(at: location) }
            return product
        default: throw IDLError(at: location, "the operator '\(symbol)' is not known")
        }
    }

    private static func tooLarge(at location: Location) -> IDLError {
        IDLError(at: location, "the result does not fit 64 bits")
    }

    private static func limited(_ value: Int128, at location: Location) throws(IDLError) -> Int128 {
        guard value >= -Int128(UInt64.max), value <= Int128(UInt64.max) else { throw tooLarge(at: location) }
        return value
    }

    /// The value as the constant's type holds it.
    private static func fit(
        _ value: Constant.Value, to type: IDLType, mayWrap: Bool, at location: Location
    ) throws(IDLError) -> Constant.Value {
        switch (type.resolved, value) {
        case (.scalar(.float), .float(let number)) where !Float(number).isFinite:
            throw IDLError(at: location, "the number is too large for a float", hint: "write double")
        case (.scalar(let scalar), .integer(let number)):
            return .integer(try fit(number, to: scalar, mayWrap: mayWrap, at: location))
        case (.string, .string(_, wide: true)), (.wideString, .string(_, wide: false)):
            throw IDLError(
                at: location, "the value does not go with the type \(type.spelling)",
                hint: "wide strings begin with L, others do not")
        default:
            return value
        }
    }

    private static func fit(
        _ number: Int128, to scalar: ScalarType, mayWrap: Bool, at location: Location
    ) throws(IDLError) -> Int128 {
        let limit = Int128(1) << Int128(scalar.size * 8)
        let lowest = scalar.isSigned ? -limit / 2 : 0
        // The reference compiler takes int8 for a type from 0 to 255.
        let highest = (scalar.isSigned && !mayWrap && scalar != .int8 ? limit / 2 : limit) - 1
        guard number >= lowest, number <= highest else {
            throw IDLError(
                at: location,
                "\(number) does not fit \(scalar.rawValue), which goes from \(lowest) to \(highest)",
                hint: number < 0 || scalar.isSigned
                    ? "to set a sign bit, write the number in hexadecimal" : "")
        }
        return scalar.isSigned && number >= limit / 2 ? number - limit : number
    }
}

extension Constant.Value {
    fileprivate var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .float(let value): value
        default: nil
        }
    }
}
