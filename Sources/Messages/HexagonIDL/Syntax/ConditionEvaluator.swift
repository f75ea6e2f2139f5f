/// Evaluates the expression of an `#if`: integers, names, `defined`, and C's operators from `||` to `!`.
struct ConditionEvaluator {
    private let tokens: [Token]
    private let macros: [String: [Token]]
    private let location: Location
    private var position = 0
    private var depth = 0

    init(tokens: [Token], macros: [String: [Token]], location: Location) {
        self.tokens = tokens
        self.macros = macros
        self.location = location
    }

    mutating func evaluate() throws(IDLError) -> Int64 {
        let value = try disjunction()
        guard position == tokens.count else {
            throw IDLError(at: location, "#if does not understand \(tokens[position].text)")
        }
        return value
    }

    private func isMark(_ mark: String, after distance: Int = 0) -> Bool {
        position + distance < tokens.count && tokens[position + distance].kind == .punctuator(mark)
    }

    private mutating func take(_ first: String, _ second: String? = nil) -> Bool {
        guard isMark(first), second.map({ isMark($0, after: 1) }) ?? true else { return false }
        position += second == nil ? 1 : 2
        return true
    }

    /// The number that a macro stands for; as in C, 0 where there is none.
    private func value(of name: String) -> Int64 {
        var name = name
        for _ in 0..<64 {
            switch macros[name]?.first?.kind {
            case .integer(let value, _)?: return Int64(truncatingIfNeeded: value)
            case .identifier(let next)?: name = next
            default: return 0
            }
        }
        return 0
    }

    private mutating func disjunction() throws(IDLError) -> Int64 {
        var value = try conjunction()
        while take("|", "|") {
            let right = try conjunction()
            value = value != 0 || right != 0 ? 1 : 0
        }
        return value
    }

    private mutating func conjunction() throws(IDLError) -> Int64 {
        var value = try comparison()
        while take("&", "&") {
            let right = try comparison()
            value = value != 0 && right != 0 ? 1 : 0
        }
        return value
    }

    private mutating func comparison() throws(IDLError) -> Int64 {
        let left = try term()
        if take("=", "=") { return left == (try term()) ? 1 : 0 }
        if take("!", "=") { return left != (try term()) ? 1 : 0 }
        if take("<", "=") { return left <= (try term()) ? 1 : 0 }
        if take(">", "=") { return left >= (try term()) ? 1 : 0 }
        if take("<") { return left < (try term()) ? 1 : 0 }
        if take(">") { return left > (try term()) ? 1 : 0 }
        return left
    }

    private mutating func term() throws(IDLError) -> Int64 {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw IDLError(at: location, "#if is nested too deeply") }
        if isMark("!"), !isMark("=", after: 1) {
            position += 1
            return try term() == 0 ? 1 : 0
        }
        if take("(") {
            let value = try disjunction()
            guard take(")") else { throw IDLError(at: location, "#if lacks a ')'") }
            return value
        }
        guard position < tokens.count else { throw IDLError(at: location, "#if lacks a value") }
        let token = tokens[position]
        position += 1
        switch token.kind {
        case .integer(let value, _):
            return Int64(truncatingIfNeeded: value)
        case .identifier("defined"):
            let parenthesized = take("(")
            guard position < tokens.count, case .identifier(let name) = tokens[position].kind else {
                throw IDLError(at: location, "defined without a name")
            }
            position += 1
            guard !parenthesized || take(")") else { throw IDLError(at: location, "#if lacks a ')'") }
            return macros[name] == nil ? 0 : 1
        case .identifier(let name):
            return value(of: name)
        default:
            throw IDLError(at: location, "#if does not understand \(token.text)")
        }
    }
}
