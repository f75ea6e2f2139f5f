import Glibc

extension Filters {
    static let numbers: [String: Filter] = [
        "abs": { _, value, arguments in
            _ = try arguments.bind("abs")
            switch value {
            case .float(let number): return .float(number.magnitude)
            case .undefined(let undefined): throw Failure(undefined.problem)
            default:
                guard let integer = value.integer else {
                    throw Failure("'abs' is not for '\(value.typeName)'")
                }
                guard integer != .min else { throw Operators.overflow }
                return .integer(abs(integer))
            }
        },
        "int": { _, value, arguments in
            let values = try arguments.bind("int", "default", "base")
            let base = try values[1]?.integer(for: "the base") ?? 10
            switch value {
            case .undefined(let undefined): throw Failure(undefined.problem)
            case .string(let text):
                guard base == 0 || (2...36).contains(base) else { return values[0] ?? .integer(0) }
                if let integer = try NumberText.integer(text.string, base: base) { return .integer(integer) }
                guard let number = NumberText.float(text.string) else { return values[0] ?? .integer(0) }
                guard number.isFinite else { return values[0] ?? .integer(0) }
                guard let integer = Int(exactly: number.rounded(.towardZero)) else {
                    throw Operators.overflow
                }
                return .integer(integer)
            case .float(let number):
                guard !number.isNaN else { return values[0] ?? .integer(0) }
                guard let integer = Int(exactly: number.rounded(.towardZero)) else {
                    throw Operators.overflow
                }
                return .integer(integer)
            default: return value.integer.map { .integer($0) } ?? values[0] ?? .integer(0)
            }
        },
        "float": { _, value, arguments in
            let values = try arguments.bind("float", "default")
            switch value {
            case .undefined(let undefined): throw Failure(undefined.problem)
            case .string(let text):
                return NumberText.float(text.string).map { .float($0) } ?? values[0] ?? .float(0)
            default: return value.number.map { .float($0) } ?? values[0] ?? .float(0)
            }
        },
        "round": round,
    ]

    private static let round: Filter = { _, value, arguments in
        let values = try arguments.bind("round", "precision", "method")
        let precision = try values[0]?.integer(for: "the precision") ?? 0
        let method = values[1] ?? Value("common")
        if case .undefined(let undefined) = value { throw Failure(undefined.problem) }
        guard let number = value.number else { throw Failure("'round' is not for '\(value.typeName)'") }
        switch method.text?.string {
        case "common":
            if let integer = value.integer {
                guard precision < 0 else { return .integer(integer) }
                guard precision > -19 else { return .integer(0) }
                // Half to even, as Python does it.
                let unit = (0..<(-precision)).reduce(1) { unit, _ in unit * 10 }
                let below = integer - ((integer % unit) + unit) % unit
                let rest = integer - below
                let isUp = rest * 2 > unit || (rest * 2 == unit && (below / unit) % 2 != 0)
                return .integer(isUp ? below + unit : below)
            }
            guard number.isFinite else { return value }
            guard precision < 0 else {
                return .float(precision > 320 ? number : NumberText.decimal(number, places: precision))
            }
            guard precision > -309 else { return .float(0 * number) }
            let unit = pow(10, Double(-precision))
            return .float((number / unit).rounded(.toNearestOrEven) * unit)
        case "ceil", "floor":
            guard abs(precision) < 300 else { throw Failure("the precision of 'round' is too large") }
            let unit = pow(10, Double(precision))
            let rounded = (number * unit).rounded(method.text == "ceil" ? .up : .down)
            guard rounded.isFinite else { throw Failure("'round' needs a finite number") }
            return .float(rounded / unit)
        default: throw Failure("the method of 'round' is common, ceil or floor")
        }
    }
}

/// Numbers written in text, as Python reads and writes them.
enum NumberText {
    /// Python's `int(text, base)`; nil where that is no number.
    static func integer(_ text: String, base: Int) throws -> Int? {
        var digits = Array(text.unicodeScalars.drop { CodePoint($0).isSpace })
        while let last = digits.last, CodePoint(last).isSpace { digits.removeLast() }
        var isNegative = false
        if let sign = digits.first, sign == "-" || sign == "+" {
            isNegative = sign == "-"
            digits.removeFirst()
        }
        var base = base
        if digits.count > 2, digits[0] == "0" {
            let prefix = String(digits[1]).lowercased()
            for (letter, number) in [("b", 2), ("o", 8), ("x", 16)]
            where prefix == letter && (base == number || base == 0) {
                base = number
                digits.removeFirst(2)
                if digits.first == "_" { digits.removeFirst() }
            }
        }
        if base == 0 {
            base = 10
            guard digits.first != "0" || digits.allSatisfy({ $0 == "0" || $0 == "_" }) else { return nil }
        }
        guard let cleaned = withoutUnderscores(digits), !cleaned.isEmpty else { return nil }
        var value = 0
        for scalar in cleaned {
            guard let digit = digitValue(scalar), digit < base else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: base)
            let (sum, carry) = product.addingReportingOverflow(digit)
            guard !overflow, !carry else {
                guard cleaned.allSatisfy({ (digitValue($0) ?? base) < base }) else { return nil }
                throw Operators.overflow
            }
            value = sum
        }
        return isNegative ? -value : value
    }

    private static func digitValue(_ scalar: Unicode.Scalar) -> Int? {
        if scalar.isASCII { return scalar.digitValue }
        guard scalar.properties.numericType == .decimal else { return nil }
        return scalar.properties.numericValue.map { Int($0) }
    }

    /// Single underscores between digits do not count.
    private static func withoutUnderscores(_ digits: [Unicode.Scalar]) -> [Unicode.Scalar]? {
        for (index, scalar) in digits.enumerated() where scalar == "_" {
            guard index > 0, index + 1 < digits.count, digits[index - 1] != "_", digits[index + 1] != "_"
            else {
                return nil
            }
        }
        return digits.filter { $0 != "_" }
    }

    /// Python's `float(text)`; nil where that is no number.
    static func float(_ text: String) -> Double? {
        let trimmed = Text(text).trimmed().points.map(\.scalar)
        for (index, scalar) in trimmed.enumerated() where scalar == "_" {
            guard index > 0, index + 1 < trimmed.count, trimmed[index - 1].isDigit, trimmed[index + 1].isDigit
            else {
                return nil
            }
        }
        var digits = String(String.UnicodeScalarView(trimmed.filter { $0 != "_" })).lowercased()
        var sign = 1.0
        if let first = digits.first, first == "-" || first == "+" {
            sign = first == "-" ? -1 : 1
            digits.removeFirst()
        }
        switch digits {
        case "inf", "infinity": return sign * .infinity
        case "nan": return .nan
        default: break
        }
        guard let first = digits.unicodeScalars.first, first.isDigit || first == ".",
            digits.unicodeScalars.allSatisfy({ $0.isDigit || "e+-.".unicodeScalars.contains($0) }),
            digits.unicodeScalars.contains(where: \.isDigit)
        else { return nil }
        if digits.hasPrefix(".") { digits = "0" + digits }
        if digits.hasSuffix(".") { digits += "0" }
        digits = digits.split(separator: ".e", omittingEmptySubsequences: false).joined(separator: ".0e")
        return Double(digits).map { sign * $0 } ?? overflowing(digits).map { sign * $0 }
    }

    /// What is too large for a double is infinite.
    private static func overflowing(_ digits: String) -> Double? {
        var end: UnsafeMutablePointer<CChar>?
        return digits.withCString { start in
            let value = strtod(start, &end)
            return end.map { $0.pointee == 0 } ?? false ? value : nil
        }
    }

    /// A number rounded to decimal places, correctly.
    static func decimal(_ value: Double, places: Int) -> Double {
        Double(text(value, places: places)) ?? value
    }

    /// `%.{places}f`
    static func text(_ value: Double, places: Int, conversion: Character = "f") -> String {
        var buffer = [CChar](repeating: 0, count: 400 + places)
        let count = withVaList([CInt(places), value]) {
            vsnprintf(&buffer, buffer.count, "%.*\(conversion)", $0)
        }
        return String(
            decoding: buffer.prefix(max(Int(count), 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
