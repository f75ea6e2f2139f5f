/// Reads tokens as statements. Nesting is bounded, as everything that goes through the syntax tree calls itself.
struct Parser {
    static let greatestStatementDepth = 60
    static let greatestExpressionDepth = 160

    private var tokens: [Token]
    private var index = 0
    private var statementDepth = 0
    /// Expressions around the one being read.
    var expressionDepth = 0
    /// Loops around the statement, up to a macro.
    private var loopDepth = 0
    /// Names of ``Macro/extras`` that were read, for each macro around.
    var usedExtras: [Set<String>] = []
    /// Filters and tests that do not exist: an error, but inside `if` only when they are used.
    var unknown: [ChatTemplateError] = []
    private var blocks: Set<String> = []

    static func statements(of source: String) throws(ChatTemplateError) -> [Statement] {
        var parser = Parser(tokens: try Lexer.tokens(of: source))
        let statements = try parser.readBody(until: [])
        try parser.checkUnknown(from: 0)
        return statements
    }

    private init(tokens: [Token]) { self.tokens = tokens }

    // MARK: Tokens

    var current: Token { tokens[index] }
    var next: Token { tokens[min(index + 1, tokens.count - 1)] }

    mutating func advance() {
        if index + 1 < tokens.count { index += 1 }
    }

    func isCurrent(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }
    func isCurrent(name: String) -> Bool { current.kind == .name(name) }

    mutating func skip(_ symbol: String) -> Bool {
        guard isCurrent(symbol) else { return false }
        advance()
        return true
    }

    mutating func skip(name: String) -> Bool {
        guard isCurrent(name: name) else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: String) throws(ChatTemplateError) {
        guard skip(symbol) else { throw unexpected("'\(symbol)'") }
    }

    mutating func expectName() throws(ChatTemplateError) -> String {
        guard case .name(let name) = current.kind else { throw unexpected("a name") }
        advance()
        return name
    }

    func failure(_ problem: String, line: Int? = nil) -> ChatTemplateError {
        ChatTemplateError(line: line ?? current.line, problem)
    }

    func unexpected(_ wanted: String) -> ChatTemplateError {
        failure("unexpected \(current.description), expected \(wanted)")
    }

    // MARK: Unknown filters and tests

    /// Fails for the first of those noted since.
    mutating func checkUnknown(from start: Int) throws(ChatTemplateError) {
        if unknown.count > start { throw unknown[start] }
    }

    // MARK: Statements

    /// The statements up to a tag with one of these names, at which it stays; up to the end without names.
    private mutating func readBody(until ends: Set<String>) throws(ChatTemplateError) -> [Statement] {
        statementDepth += 1
        defer { statementDepth -= 1 }
        guard statementDepth <= Self.greatestStatementDepth else {
            throw failure("tags are nested more than \(Self.greatestStatementDepth) deep")
        }
        var body: [Statement] = []
        while true {
            let line = current.line
            switch current.kind {
            case .data(let text):
                advance()
                body.append(Statement(kind: .text(text), line: line))
            case .variableBegin:
                advance()
                let expression = try readTuple()
                guard current.kind == .variableEnd else { throw unexpected("'}}'") }
                advance()
                body.append(Statement(kind: .output([expression]), line: line))
            case .blockBegin:
                advance()
                guard case .name(let name) = current.kind else { throw unexpected("the name of a tag") }
                if ends.contains(name) { return body }
                body.append(Statement(kind: try readTag(name), line: line))
                try expectBlockEnd()
            case .end where ends.isEmpty:
                return body
            default:
                throw unexpected(
                    ends.isEmpty ? "a tag" : "{% " + ends.sorted().joined(separator: " %} or {% ") + " %}")
            }
        }
    }

    private mutating func expectBlockEnd() throws(ChatTemplateError) {
        guard current.kind == .blockEnd else { throw unexpected("'%}'") }
        advance()
    }

    /// Ends the tag and reads up to another, at whose name it stays.
    private mutating func readBlock(until ends: String...) throws(ChatTemplateError) -> [Statement] {
        _ = skip(":")
        try expectBlockEnd()
        return try readBody(until: Set(ends))
    }

    /// ``readBlock(until:)``, and past the name.
    private mutating func readBlock(through end: String) throws(ChatTemplateError) -> [Statement] {
        let body = try readBlock(until: end)
        advance()
        return body
    }

    private mutating func readTag(_ name: String) throws(ChatTemplateError) -> Statement.Kind {
        let line = current.line
        advance()
        switch name {
        case "if":
            let first = unknown.count
            let kind = try readCondition()
            unknown.removeSubrange(first...)
            return kind
        case "for": return try readLoop()
        case "set": return try readAssignment()
        case "macro":
            return .macro(
                try readMacro(named: nil) { parser throws(ChatTemplateError) in
                    try parser.readBlock(through: "endmacro")
                })
        case "call": return try readCallBlock()
        case "filter": return try readFilterBlock()
        case "with": return try readWith()
        case "block": return try readNamedBlock()
        case "print":
            var expressions = [try readExpression()]
            while skip(",") { expressions.append(try readExpression()) }
            return .output(expressions)
        case "generation":
            return try withoutLoop { parser throws(ChatTemplateError) in
                .generation(body: try parser.readBlock(through: "endgeneration"))
            }
        case "break", "continue":
            guard loopDepth > 0 else { throw failure("'\(name)' outside a loop", line: line) }
            return name == "break" ? .breakLoop : .continueLoop
        case "include", "import", "from", "extends":
            throw failure("{% \(name) %} is not supported: there are no other templates", line: line)
        default: throw failure("there is no tag {% \(name) %}, or not here", line: line)
        }
    }

    /// Reads what no `break` leaves; an `if` around it does not excuse unknown filters.
    private mutating func withoutLoop<Result>(
        _ body: (inout Parser) throws(ChatTemplateError) -> Result
    ) throws(ChatTemplateError) -> Result {
        let (depth, firstUnknown) = (loopDepth, unknown.count)
        loopDepth = 0
        defer { loopDepth = depth }
        let result = try body(&self)
        try checkUnknown(from: firstUnknown)
        return result
    }

    private mutating func readCondition() throws(ChatTemplateError) -> Statement.Kind {
        var cases: [(test: Expression, body: [Statement])] = []
        var otherwise: [Statement] = []
        repeat {
            let test = try readTuple(allowsCondition: false)
            cases.append((test, try readBlock(until: "elif", "else", "endif")))
        } while skip(name: "elif")
        if skip(name: "else") {
            otherwise = try readBlock(until: "endif")
        }
        advance()
        return .condition(cases, otherwise: otherwise)
    }

    private mutating func readLoop() throws(ChatTemplateError) -> Statement.Kind {
        let target = try readTarget(end: "in")
        guard skip(name: "in") else { throw unexpected("'in'") }
        let items = try readTuple(allowsCondition: false, end: "recursive")
        let firstUnknown = unknown.count
        let test = skip(name: "if") ? try readExpression() : nil
        let isRecursive = skip(name: "recursive")
        loopDepth += 1
        let body = try readBlock(until: "endfor", "else")
        loopDepth -= 1
        let otherwise = skip(name: "else") ? try readBlock(until: "endfor") : []
        advance()
        try checkUnknown(from: firstUnknown)
        return .loop(
            Loop(
                target: target, items: items, test: test, isRecursive: isRecursive, body: body,
                otherwise: otherwise))
    }

    private mutating func readAssignment() throws(ChatTemplateError) -> Statement.Kind {
        let target = try readTarget(allowsAttribute: true)
        if skip("=") { return .assign(target, try readTuple()) }
        let filter = isCurrent("|") ? try readFilters(of: nil) : nil
        return .assignBlock(target, filter: filter, body: try readBlock(through: "endset"))
    }

    private mutating func readMacro(
        named name: String?,
        _ readRest: (inout Parser) throws(ChatTemplateError) -> [Statement]
    ) throws(ChatTemplateError) -> Macro {
        let name = if let name { name } else { try readTargetName() }
        var parameters: [String] = []
        var defaults: [Expression] = []
        usedExtras.append([])
        // `{% call %}` may do without parentheses.
        if name != "caller" || isCurrent("(") {
            try expect("(")
            while !isCurrent(")") {
                if !parameters.isEmpty { try expect(",") }
                parameters.append(try readTargetName())
                if skip("=") {
                    defaults.append(try readExpression())
                } else if !defaults.isEmpty {
                    throw failure("a parameter without a default follows one with it")
                }
            }
            advance()
        }
        let body = try withoutLoop(readRest)
        let extras = usedExtras.removeLast()
        if let last = usedExtras.indices.last { usedExtras[last].formUnion(extras) }
        return Macro(
            name: name, parameters: parameters, defaults: defaults, body: body,
            extras: extras.subtracting(parameters))
    }

    private mutating func readCallBlock() throws(ChatTemplateError) -> Statement.Kind {
        var call: Expression?
        let macro = try readMacro(named: "caller") { parser throws(ChatTemplateError) in
            let expression = try parser.readExpression()
            guard case .call = expression.kind else { throw parser.failure("{% call %} needs a call") }
            call = expression
            return try parser.readBlock(through: "endcall")
        }
        guard let call else { throw failure("{% call %} needs a call") }
        return .callBlock(macro, call: call)
    }

    private mutating func readFilterBlock() throws(ChatTemplateError) -> Statement.Kind {
        let filter = try readFilters(of: nil, isAtName: true)
        return .filterBlock(filter, body: try readBlock(through: "endfilter"))
    }

    private mutating func readWith() throws(ChatTemplateError) -> Statement.Kind {
        var assignments: [(target: Target, value: Expression)] = []
        while current.kind != .blockEnd {
            if !assignments.isEmpty { try expect(",") }
            let target = try readTarget()
            try expect("=")
            assignments.append((target, try readExpression()))
        }
        return .with(assignments, body: try readBlock(through: "endwith"))
    }

    private mutating func readNamedBlock() throws(ChatTemplateError) -> Statement.Kind {
        let name = try expectName()
        guard blocks.insert(name).inserted else { throw failure("the block '\(name)' is there twice") }
        let body = try withoutLoop { parser throws(ChatTemplateError) in
            try parser.readBlock(until: "endblock")
        }
        advance()
        _ = skip(name: name)
        return .block(name, body: body)
    }

    // MARK: Targets

    /// A name to assign to.
    private mutating func readTargetName() throws(ChatTemplateError) -> String {
        let name = try expectName()
        guard !Self.constants.contains(name) else { throw failure("cannot assign to '\(name)'") }
        return name
    }

    static let constants: Set<String> = ["true", "True", "false", "False", "none", "None"]

    /// What is assigned to: a name, an attribute of a namespace where that is allowed, or several.
    private mutating func readTarget(
        allowsAttribute: Bool = false, end: String? = nil
    ) throws(ChatTemplateError) -> Target {
        var targets: [Target] = []
        var isTuple = false
        while true {
            if isTuple, isTargetEnd(end) { break }
            targets.append(try readSimpleTarget(allowsAttribute))
            guard skip(",") else { break }
            isTuple = true
        }
        return isTuple ? .tuple(targets) : targets[0]
    }

    private func isTargetEnd(_ end: String?) -> Bool {
        current.kind == .variableEnd || current.kind == .blockEnd || isCurrent(")")
            || end.map { isCurrent(name: $0) } ?? false
    }

    private mutating func readSimpleTarget(_ allowsAttribute: Bool) throws(ChatTemplateError) -> Target {
        if skip("(") {
            expressionDepth += 1
            defer { expressionDepth -= 1 }
            guard expressionDepth <= Self.greatestExpressionDepth else { throw failure("too deeply nested") }
            let target = try readTarget()
            try expect(")")
            return target
        }
        let name = try readTargetName()
        if allowsAttribute, skip(".") { return .attribute(of: name, try expectName()) }
        return .name(name)
    }
}
