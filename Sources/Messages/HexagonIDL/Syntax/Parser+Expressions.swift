extension Parser {
    /// Binary operators, weakest first.
    private static let levels: [[String]] = [
        ["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"],
    ]

    private static let expressionLimit = 1000

    /// A constant expression. Inside `<…>` a shift to the right needs parentheses.
    mutating func expression(inAngles: Bool = false) throws(IDLError) -> Expression {
        try nested { (parser) throws(IDLError) in
            try parser.expression(level: 0, inAngles: inAngles)
        }
    }

    private mutating func expression(level: Int, inAngles: Bool) throws(IDLError) -> Expression {
        guard level < Self.levels.count else { return try unary() }
        let first = position
        var left = try expression(level: level + 1, inAngles: inAngles)
        while true {
            let location = current.location
            guard let symbol = Self.levels[level].first(where: { isOperator($0, inAngles: inAngles) }) else {
                return left
            }
            // The tree leans to one side, and so is as deep as it has operators.
            guard position - first <= Self.expressionLimit else {
                throw IDLError(at: location, "the expression is too long", hint: "name parts of it by const")
            }
            for _ in symbol { advance() }
            let right = try expression(level: level + 1, inAngles: inAngles)
            left = .binary(symbol, left, right, location)
        }
    }

    private func isOperator(_ symbol: String, inAngles: Bool) -> Bool {
        switch symbol {
        case "<<": isAt("<") && isAt("<", after: 1)
        case ">>": !inAngles && isAt(">") && isAt(">", after: 1)
        default: isAt(symbol)
        }
    }

    private mutating func unary() throws(IDLError) -> Expression {
        let location = current.location
        for symbol in ["-", "~"] where take(symbol) {
            return .unary(symbol, try nested { (parser) throws(IDLError) in try parser.unary() }, location)
        }
        if take("(") {
            let inner = try expression()
            try expect(")", "in the expression")
            return inner
        }
        switch current.kind {
        case .integer(let value, let isDecimal):
            return literal(.integer(value, isDecimal: isDecimal))
        case .float(let digits): return literal(.float(digits))
        case .string(let text, let wide): return literal(.string(text, wide: wide))
        case .character(let value, let wide): return literal(.character(value, wide: wide))
        case .identifier("TRUE"): return literal(.boolean(true))
        case .identifier("FALSE"): return literal(.boolean(false))
        case .identifier, .punctuator("::"): return .reference(try scopedName())
        default:
            throw IDLError(at: location, "expected a value, found \(current.text)")
        }
    }

    private mutating func literal(_ literal: Literal) -> Expression {
        let location = current.location
        advance()
        return .literal(literal, location)
    }
}
