extension Interpreter {
    /// An expression's value.
    ///
    /// - Parameter input: what the first filter of `{% filter %}` gets.
    func value(of expression: Expression, _ scope: Scope, input: Value? = nil) throws -> Value {
        try charge(8)
        switch expression.kind {
        case .literal(let literal): return literal.value
        case .name(let name): return scope[name] ?? .undefined(.name(name))
        default: return try nested { try compute(expression, scope, input) }
        }
    }

    /// Each kind in a function of its own, as what this one calls is called again from there.
    private func compute(_ expression: Expression, _ scope: Scope, _ input: Value?) throws -> Value {
        switch expression.kind {
        case .literal, .name: return .none
        case .list(let elements): return try .list(of: try elements.map { try value(of: $0, scope) })
        case .tuple(let elements): return try .tuple(of: try elements.map { try value(of: $0, scope) })
        case .dictionary(let pairs): return try dictionary(pairs, scope, expression.line)
        case .attribute(let object, let name): return try attribute(object, name, scope, expression.line)
        case .item(let object, let key): return try item(object, key, scope, expression.line)
        case .slice(let object, let start, let stop, let step):
            return try slice(object, start, stop, step, scope, expression.line)
        case .call(let callee, let arguments): return try call(callee, arguments, scope, expression.line)
        case .filter(let operand, let name, let arguments):
            return try filter(operand, name, arguments, scope, input, expression.line)
        case .test(let operand, let name, let arguments, let isNegated):
            return try test(operand, name, arguments, isNegated, scope, expression.line)
        case .negation(let operand): return try negative(operand, scope, expression.line)
        case .plus(let operand): return try positive(operand, scope, expression.line)
        case .not(let operand): return .boolean(!(try value(of: operand, scope).isTrue))
        case .and(let left, let right):
            let first = try value(of: left, scope)
            return first.isTrue ? try value(of: right, scope) : first
        case .or(let left, let right):
            let first = try value(of: left, scope)
            return first.isTrue ? first : try value(of: right, scope)
        case .arithmetic(let left, let operation, let right):
            return try arithmetic(left, operation, right, scope, expression.line)
        case .concatenation(let parts): return try concatenation(parts, scope)
        case .comparison(let left, let rest): return try comparison(left, rest, scope, expression.line)
        case .condition(let test, let then, let otherwise): return try condition(test, then, otherwise, scope)
        }
    }

    private func dictionary(
        _ pairs: [(key: Expression, value: Expression)], _ scope: Scope, _ line: Int
    ) throws -> Value {
        let values = try pairs.map {
            (key: try value(of: $0.key, scope), value: try value(of: $0.value, scope))
        }
        self.line = line
        return .dictionary(try ValueDictionary(values))
    }

    private func attribute(_ object: Expression, _ name: String, _ scope: Scope, _ line: Int) throws -> Value
    {
        let object = try value(of: object, scope)
        self.line = line
        return try Attributes.attribute(name, of: object)
    }

    private func item(_ object: Expression, _ key: Expression, _ scope: Scope, _ line: Int) throws -> Value {
        let object = try value(of: object, scope)
        let key = try value(of: key, scope)
        self.line = line
        return try Attributes.item(key, of: object)
    }

    private func slice(
        _ object: Expression, _ start: Expression?, _ stop: Expression?, _ step: Expression?, _ scope: Scope,
        _ line: Int
    ) throws -> Value {
        let object = try value(of: object, scope)
        let bounds = try [start, stop, step].map { try $0.map { try value(of: $0, scope) } }
        self.line = line
        let result = try Operators.slice(object, bounds[0], bounds[1], bounds[2])
        try charge(try result.length())
        return result
    }

    private func call(
        _ callee: Expression, _ arguments: CallArguments, _ scope: Scope, _ line: Int
    ) throws -> Value {
        let function = try value(of: callee, scope)
        let values = try evaluate(arguments, scope)
        self.line = line
        return try call(function, values)
    }

    private func filter(
        _ operand: Expression?, _ name: String, _ arguments: CallArguments, _ scope: Scope, _ input: Value?,
        _ line: Int
    ) throws -> Value {
        var operandValue = input ?? .none
        if let operand { operandValue = try value(of: operand, scope, input: input) }
        let values = try evaluate(arguments, scope)
        self.line = line
        return try apply(filter: name, to: operandValue, values)
    }

    private func test(
        _ operand: Expression, _ name: String, _ arguments: CallArguments, _ isNegated: Bool, _ scope: Scope,
        _ line: Int
    ) throws -> Value {
        let operand = try value(of: operand, scope)
        let values = try evaluate(arguments, scope)
        self.line = line
        return .boolean(try apply(test: name, to: operand, values) != isNegated)
    }

    private func negative(_ operand: Expression, _ scope: Scope, _ line: Int) throws -> Value {
        let operand = try value(of: operand, scope)
        self.line = line
        return try Operators.negative(operand)
    }

    private func positive(_ operand: Expression, _ scope: Scope, _ line: Int) throws -> Value {
        let operand = try value(of: operand, scope)
        self.line = line
        return try Operators.positive(operand)
    }

    private func arithmetic(
        _ left: Expression, _ operation: Arithmetic, _ right: Expression, _ scope: Scope, _ line: Int
    ) throws -> Value {
        let left = try value(of: left, scope)
        let right = try value(of: right, scope)
        self.line = line
        return try Operators.apply(operation, left, right, self)
    }

    private func concatenation(_ parts: [Expression], _ scope: Scope) throws -> Value {
        var text = Text("")
        for part in parts { text += try string(of: try value(of: part, scope)) }
        try charge(text.count / 2)
        return .string(text)
    }

    private func comparison(
        _ left: Expression, _ rest: [(Comparison, Expression)], _ scope: Scope, _ line: Int
    ) throws -> Value {
        var left = try value(of: left, scope)
        for (comparison, expression) in rest {
            let right = try value(of: expression, scope)
            self.line = line
            try charge(min(left.extent.size, right.extent.size))
            guard try Operators.holds(comparison, left, right, self) else { return .boolean(false) }
            left = right
        }
        return .boolean(true)
    }

    private func condition(
        _ test: Expression, _ then: Expression, _ otherwise: Expression?, _ scope: Scope
    ) throws -> Value {
        if try value(of: test, scope).isTrue { return try value(of: then, scope) }
        guard let otherwise else {
            return .undefined(.other("an inline 'if' was false and has no 'else'"))
        }
        return try value(of: otherwise, scope)
    }

    // MARK: Calls

    func evaluate(_ arguments: CallArguments, _ scope: Scope) throws -> Arguments {
        var values = Arguments()
        values.positional = try arguments.positional.map { try value(of: $0, scope) }
        values.keyword = try arguments.keyword.map { ($0.name, try value(of: $0.value, scope)) }
        if let more = arguments.more {
            let elements = try value(of: more, scope).elements()
            try charge(elements.count)
            values.positional += elements
        }
        if let more = arguments.moreKeyword {
            guard case .dictionary(let dictionary) = try value(of: more, scope) else {
                throw Failure("what follows ** must be a dictionary")
            }
            for (key, value) in dictionary.pairs {
                guard let name = key.text?.string else { throw Failure("names of arguments must be strings") }
                guard !values.keyword.contains(where: { $0.name == name }) else {
                    throw Failure("the argument '\(name)' is there twice")
                }
                values.keyword.append((name, value))
            }
        }
        return values
    }

    func call(_ callee: Value, _ arguments: Arguments) throws -> Value {
        switch callee {
        case .function(let function): try nested { try function.call(self, arguments) }
        case .loop(let loop): try loop.call(self, arguments)
        case .undefined(let undefined): throw Failure(undefined.problem)
        default: throw Failure("'\(callee.typeName)' cannot be called")
        }
    }

    func apply(filter name: String, to value: Value, _ arguments: Arguments) throws -> Value {
        guard let filter = Filters.all[name] else { throw Failure("there is no filter '\(name)'") }
        // What goes deeper counts itself.
        if !Filters.ofConstantTime.contains(name) { try charge(8 + value.width) }
        return try filter(self, value, arguments)
    }

    func apply(test name: String, to value: Value, _ arguments: Arguments) throws -> Bool {
        guard let test = Tests.all[name] else { throw Failure("there is no test '\(name)'") }
        return try test(self, value, arguments)
    }
}

/// The values that a function is called with.
struct Arguments {
    var positional: [Value] = []
    var keyword: [(name: String, value: Value)] = []

    init(_ positional: [Value] = []) { self.positional = positional }

    /// The values by parameter, in the order of the names; nil for those that are not given.
    ///
    /// - Parameter required: how many of the first must be given.
    func bind(_ function: String, _ names: String..., required: Int = 0) throws -> [Value?] {
        guard positional.count <= names.count else {
            throw Failure("'\(function)' takes at most \(names.count) arguments, not \(positional.count)")
        }
        var values: [Value?] = positional + [Value?](repeating: nil, count: names.count - positional.count)
        for (name, value) in keyword {
            guard let index = names.firstIndex(of: name) else {
                throw Failure("'\(function)' has no argument '\(name)'")
            }
            guard values[index] == nil else { throw Failure("'\(function)' gets '\(name)' twice") }
            values[index] = value
        }
        for (index, name) in names.prefix(required).enumerated() where values[index] == nil {
            throw Failure("'\(function)' lacks the argument '\(name)'")
        }
        return values
    }
}
