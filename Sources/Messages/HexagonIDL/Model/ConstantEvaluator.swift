/// Computes constant expressions.
struct ConstantEvaluator {
    let checker: Checker
    let scope: [String]

    func evaluate(_ expression: Expression) throws(IDLError) -> Constant.Value {
        switch expression {
        case .literal(let literal, let location):
            return try Self.value(of: literal, at: location)
        case .reference(let name):
            guard case .constant(let constant)? = checker.find(name, in: scope) else {
                throw IDLError(
                    at: name.location, "the constant '\(name.text)' is not declared",
                    hint: "declare it before its use")
            }
            return constant.value
        case .unary(let symbol, let operand, let location):
            switch (symbol, try evaluate(operand)) {
            case ("-", .integer(let value)): return .integer(try Self.limited(-value, at: location))
            case ("-", .float(let value)): return .float(-value)
            case ("~", .integer(let value)): return .integer(~value)
            default: throw IDLError(at: location, "'\(symbol)' does not go with this value")
            }
        case .binary(let symbol, let left, let right, let location):
            return try Self.apply(symbol, try evaluate(left), try evaluate(right), at: location)
        }
    }

    private static func value(of literal: Literal, at location: Location) throws(IDLError) -> Constant.Value {
        switch literal {
        case .integer(let value): return .integer(Int128(value))
        case .character(let value, _): return .integer(Int128(value))
        case .boolean(let value): return .boolean(value)
        case .string(let text, let wide): return .string(text, wide: wide)
        case .float(let digits):
            guard let value = Double(digits), value.isFinite else {
                throw IDLError(at: location, "the number \(digits) is too large")
            }
            return .float(value)
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
    static func fit(
        _ value: Constant.Value, to type: IDLType, at location: Location
    ) throws(IDLError) -> Constant.Value {
        switch (type.resolved, value) {
        case (.scalar(.boolean), .boolean), (.enumeration, .integer): return value
        case (.string, .string(_, wide: false)), (.wideString, .string(_, wide: true)): return value
        case (.scalar(let scalar), .float(let number)) where scalar.isFloatingPoint:
            guard scalar == .double || Float(number).isFinite else { throw tooLarge(at: location) }
            return value
        case (.scalar(let scalar), .integer(let number)) where scalar.isFloatingPoint:
            return .float(Double(number))
        case (.scalar(let scalar), .integer(let number)) where scalar != .boolean:
            return .integer(try fit(number, to: scalar, at: location))
        default:
            throw IDLError(at: location, "the value does not go with the type \(type.spelling)")
        }
    }

    private static func fit(
        _ number: Int128, to scalar: ScalarType, at location: Location
    ) throws(IDLError) -> Int128 {
        let limit = Int128(1) << Int128(scalar.size * 8)
        // As in C, a negative number or a complement wraps around in an unsigned type, and hexadecimal
        // numbers may set the sign bit of a signed one.
        guard number >= -limit / 2, number < limit else {
            throw IDLError(
                at: location, "\(number) does not fit \(scalar.rawValue), which has \(scalar.size * 8) bits")
        }
        if scalar.isSigned { return number >= limit / 2 ? number - limit : number }
        return number < 0 ? number + limit : number
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
