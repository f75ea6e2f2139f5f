extension Parser {
    private func node(_ kind: Expression.Kind, _ line: Int, _ depth: Int) throws(ChatTemplateError)
        -> Expression
    {
        guard depth < Self.greatestExpressionDepth else {
            throw failure("expressions are nested more than \(Self.greatestExpressionDepth) deep", line: line)
        }
        return Expression(kind, line: line, depth: depth + 1)
    }

    private func node(
        _ kind: Expression.Kind, _ line: Int, _ parts: Expression?...
    ) throws(ChatTemplateError) -> Expression {
        try node(kind, line, parts.reduce(0) { max($0, $1?.depth ?? 0) })
    }

    /// An expression, or several with commas, which are a tuple.
    mutating func readTuple(
        allowsCondition: Bool = true, end: String? = nil, isInParentheses: Bool = false
    ) throws(ChatTemplateError) -> Expression {
        let line = current.line
        var elements: [Expression] = []
        var isTuple = false
        while true {
            if isTupleEnd(end), elements.isEmpty || isTuple { break }
            elements.append(allowsCondition ? try readExpression() : try readOr())
            guard skip(",") else { break }
            isTuple = true
        }
        if !isTuple {
            if let only = elements.first { return only }
            guard isInParentheses else { throw unexpected("an expression") }
        }
        return try node(.tuple(elements), line, elements.reduce(0) { max($0, $1.depth) })
    }

    private func isTupleEnd(_ end: String?) -> Bool {
        current.kind == .variableEnd || current.kind == .blockEnd || isCurrent(")")
            || end.map { isCurrent(name: $0) } ?? false
    }

    mutating func readExpression() throws(ChatTemplateError) -> Expression {
        expressionDepth += 1
        defer { expressionDepth -= 1 }
        guard expressionDepth <= Self.greatestExpressionDepth else {
            throw failure("expressions are nested more than \(Self.greatestExpressionDepth) deep")
        }
        let firstUnknown = unknown.count
        let line = current.line
        var expression = try readOr()
        while skip(name: "if") {
            let test = try readOr()
            let otherwise = skip(name: "else") ? try readExpression() : nil
            expression = try node(
                .condition(test, then: expression, otherwise: otherwise), line, test, expression, otherwise)
            // Which side is taken is known only when it is.
            unknown.removeSubrange(firstUnknown...)
        }
        return expression
    }

    private mutating func readOr() throws(ChatTemplateError) -> Expression {
        let line = current.line
        var left = try readAnd()
        while skip(name: "or") {
            let right = try readAnd()
            left = try node(.or(left, right), line, left, right)
        }
        return left
    }

    private mutating func readAnd() throws(ChatTemplateError) -> Expression {
        let line = current.line
        var left = try readNot()
        while skip(name: "and") {
            let right = try readNot()
            left = try node(.and(left, right), line, left, right)
        }
        return left
    }

    private mutating func readNot() throws(ChatTemplateError) -> Expression {
        let line = current.line
        // Without recursion: there may be many.
        var count = 0
        while skip(name: "not") { count += 1 }
        var expression = try readComparison()
        for _ in 0..<count { expression = try node(.not(expression), line, expression) }
        return expression
    }

    private mutating func readComparison() throws(ChatTemplateError) -> Expression {
        let line = current.line
        let left = try readSum()
        var rest: [(Comparison, Expression)] = []
        while true {
            if case .symbol(let symbol) = current.kind, let comparison = Comparison(rawValue: symbol) {
                advance()
                rest.append((comparison, try readSum()))
            } else if skip(name: "in") {
                rest.append((.isIn, try readSum()))
            } else if isCurrent(name: "not"), next.kind == .name("in") {
                advance()
                advance()
                rest.append((.isNotIn, try readSum()))
            } else {
                break
            }
        }
        guard !rest.isEmpty else { return left }
        return try node(.comparison(left, rest), line, rest.reduce(left.depth) { max($0, $1.1.depth) })
    }

    private mutating func readSum() throws(ChatTemplateError) -> Expression {
        let line = current.line
        var left = try readConcatenation()
        while isCurrent("+") || isCurrent("-") {
            let operation: Arithmetic = isCurrent("+") ? .add : .subtract
            advance()
            let right = try readConcatenation()
            left = try node(.arithmetic(left, operation, right), line, left, right)
        }
        return left
    }

    private mutating func readConcatenation() throws(ChatTemplateError) -> Expression {
        let line = current.line
        var parts = [try readProduct()]
        while skip("~") { parts.append(try readProduct()) }
        guard parts.count > 1 else { return parts[0] }
        return try node(.concatenation(parts), line, parts.reduce(0) { max($0, $1.depth) })
    }

    private mutating func readProduct() throws(ChatTemplateError) -> Expression {
        let line = current.line
        var left = try readPower()
        while case .symbol(let symbol) = current.kind, ["*", "/", "//", "%"].contains(symbol),
            let operation = Arithmetic(rawValue: symbol)
        {
            advance()
            let right = try readPower()
            left = try node(.arithmetic(left, operation, right), line, left, right)
        }
        return left
    }

    private mutating func readPower() throws(ChatTemplateError) -> Expression {
        let line = current.line
        var left = try readUnary()
        while skip("**") {
            let right = try readUnary()
            left = try node(.arithmetic(left, .power, right), line, left, right)
        }
        return left
    }

    /// Signs, a value, and what is done to it. Filters are behind the sign, the rest before it.
    private mutating func readUnary() throws(ChatTemplateError) -> Expression {
        let line = current.line
        var signs: [Bool] = []
        while isCurrent("-") || isCurrent("+") {
            signs.append(isCurrent("-"))
            advance()
        }
        var expression = try readPostfix(of: try readPrimary())
        for isMinus in signs.reversed() {
            expression = try readPostfix(
                of: try node(isMinus ? .negation(expression) : .plus(expression), line, expression))
        }
        return try readFilters(of: expression)
    }

    private mutating func readPrimary() throws(ChatTemplateError) -> Expression {
        let line = current.line
        switch current.kind {
        case .name(let name):
            advance()
            switch name {
            case "true", "True": return try node(.literal(.boolean(true)), line)
            case "false", "False": return try node(.literal(.boolean(false)), line)
            case "none", "None": return try node(.literal(.none), line)
            default:
                if ["caller", "varargs", "kwargs"].contains(name), let last = usedExtras.indices.last {
                    usedExtras[last].insert(name)
                }
                return try node(.name(name), line)
            }
        case .string(var text):
            advance()
            while case .string(let more) = current.kind {
                text += more
                advance()
            }
            return try node(.literal(.string(text)), line)
        case .integer(let value):
            advance()
            return try node(.literal(.integer(value)), line)
        case .float(let value):
            advance()
            return try node(.literal(.float(value)), line)
        case .symbol("("):
            advance()
            let expression = try readTuple(isInParentheses: true)
            try expect(")")
            return expression
        case .symbol("["):
            advance()
            var elements: [Expression] = []
            while !isCurrent("]") {
                if !elements.isEmpty { try expect(",") }
                if isCurrent("]") { break }
                elements.append(try readExpression())
            }
            try expect("]")
            return try node(.list(elements), line, elements.reduce(0) { max($0, $1.depth) })
        case .symbol("{"):
            advance()
            var pairs: [(key: Expression, value: Expression)] = []
            while !isCurrent("}") {
                if !pairs.isEmpty { try expect(",") }
                if isCurrent("}") { break }
                let key = try readExpression()
                try expect(":")
                pairs.append((key, try readExpression()))
            }
            try expect("}")
            return try node(
                .dictionary(pairs), line, pairs.reduce(0) { max($0, $1.key.depth, $1.value.depth) })
        default: throw unexpected("an expression")
        }
    }

    /// Attributes, items and calls.
    private mutating func readPostfix(of expression: Expression) throws(ChatTemplateError) -> Expression {
        var expression = expression
        while true {
            let line = current.line
            if skip(".") {
                if case .integer(let index) = current.kind {
                    advance()
                    let item = try node(.literal(.integer(index)), line)
                    expression = try node(.item(expression, item), line, expression)
                } else {
                    expression = try node(.attribute(expression, try expectName()), line, expression)
                }
            } else if skip("[") {
                expression = try readSubscript(of: expression, line)
            } else if isCurrent("(") {
                let arguments = try readArguments()
                expression = try node(
                    .call(expression, arguments), line, max(expression.depth, arguments.depth))
            } else {
                return expression
            }
        }
    }

    private mutating func readSubscript(
        of expression: Expression, _ line: Int
    ) throws(ChatTemplateError) -> Expression {
        var parts: [Expression?] = [nil, nil, nil]
        var colons = 0
        var part: Expression? = isCurrent(":") ? nil : try readExpression()
        parts[0] = part
        while colons < 2, skip(":") {
            colons += 1
            part = isCurrent(":") || isCurrent("]") ? nil : try readExpression()
            parts[colons] = part
        }
        if colons > 0 {
            try expect("]")
            return try node(
                .slice(expression, start: parts[0], stop: parts[1], step: parts[2]), line, expression,
                parts[0],
                parts[1], parts[2])
        }
        var elements = [parts[0]].compactMap { $0 }
        while skip(",") { elements.append(try readExpression()) }
        try expect("]")
        let item =
            elements.count == 1
            ? elements[0]
            : try node(.tuple(elements), line, elements.reduce(0) { max($0, $1.depth) })
        return try node(.item(expression, item), line, expression, item)
    }

    mutating func readArguments() throws(ChatTemplateError) -> CallArguments {
        var arguments = CallArguments()
        try expect("(")
        var isFirst = true
        while !isCurrent(")") {
            if !isFirst {
                try expect(",")
                if isCurrent(")") { break }
            }
            isFirst = false
            if skip("*") {
                guard arguments.more == nil, arguments.moreKeyword == nil else {
                    throw unexpected("an argument")
                }
                arguments.more = try readExpression()
            } else if skip("**") {
                guard arguments.moreKeyword == nil else { throw unexpected("an argument") }
                arguments.moreKeyword = try readExpression()
            } else if case .name(let name) = current.kind, next.kind == .symbol("=") {
                guard arguments.moreKeyword == nil else { throw unexpected("')'") }
                advance()
                advance()
                guard !arguments.keyword.contains(where: { $0.name == name }) else {
                    throw failure("the argument '\(name)' is there twice")
                }
                arguments.keyword.append((name, try readExpression()))
            } else {
                guard arguments.more == nil, arguments.moreKeyword == nil, arguments.keyword.isEmpty else {
                    throw failure("an argument without a name follows one with it")
                }
                arguments.positional.append(try readExpression())
            }
        }
        try expect(")")
        return arguments
    }

    // MARK: Filters and tests

    /// Filters, tests and calls behind a value. Without a value there is at least one filter, the first perhaps
    /// without `|`.
    mutating func readFilters(
        of expression: Expression?, isAtName: Bool = false
    ) throws(ChatTemplateError) -> Expression {
        var expression = expression
        var isAtName = isAtName
        while true {
            let line = current.line
            if isAtName || skip("|") {
                isAtName = false
                let name = try readDottedName()
                if Filters.all[name] == nil {
                    unknown.append(failure("there is no filter '\(name)'", line: line))
                }
                let arguments = isCurrent("(") ? try readArguments() : CallArguments()
                expression = try node(
                    .filter(expression, name, arguments), line, max(expression?.depth ?? 0, arguments.depth))
            } else if let value = expression, isCurrent(name: "is") {
                advance()
                expression = try readTest(of: value, line)
            } else if let value = expression, isCurrent("(") {
                let arguments = try readArguments()
                expression = try node(.call(value, arguments), line, max(value.depth, arguments.depth))
            } else if let expression {
                return expression
            } else {
                throw unexpected("a filter")
            }
        }
    }

    private mutating func readDottedName() throws(ChatTemplateError) -> String {
        var name = try expectName()
        while skip(".") { name += "." + (try expectName()) }
        return name
    }

    private mutating func readTest(of value: Expression, _ line: Int) throws(ChatTemplateError) -> Expression
    {
        let isNegated = skip(name: "not")
        let name = try readDottedName()
        if Tests.all[name] == nil { unknown.append(failure("there is no test '\(name)'", line: line)) }
        var arguments = CallArguments()
        if isCurrent("(") {
            arguments = try readArguments()
        } else if isTestArgument {
            guard !isCurrent(name: "is") else { throw failure("tests cannot be chained with 'is'") }
            arguments.positional = [try readPostfix(of: try readPrimary())]
        }
        return try node(
            .test(value, name, arguments, isNegated: isNegated), line, max(value.depth, arguments.depth))
    }

    /// Whether the argument of a test begins here, without parentheses.
    private var isTestArgument: Bool {
        switch current.kind {
        case .name(let name): !["else", "or", "and"].contains(name)
        case .string, .integer, .float, .symbol("["), .symbol("{"): true
        default: false
        }
    }
}
