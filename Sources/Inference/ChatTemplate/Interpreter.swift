/// Names and their values; what is not found is looked for further out.
final class Scope {
    var variables: [String: Value]
    let parent: Scope?

    init(_ parent: Scope?, _ variables: [String: Value] = [:]) {
        (self.parent, self.variables) = (parent, variables)
    }

    subscript(name: String) -> Value? {
        var scope: Scope? = self
        while let current = scope {
            if let value = current.variables[name] { return value }
            scope = current.parent
        }
        return nil
    }
}

/// Runs a template's statements. One run of one template.
///
/// Everything is bounded: how deeply calls are nested, and the work, which stands for time and memory.
final class Interpreter {
    /// What happens after a statement.
    enum Flow {
        case goesOn
        case breaks
        case continues
    }

    static let greatestDepth = 500

    /// Where the template is.
    var line = 1
    var output: [CodePoint] = []
    /// The time of `strftime_now`, in seconds of Unix.
    let time: Int
    private(set) var depth = 0
    private var workLeft: Int
    /// What may hold itself, to be emptied at the end.
    private var namespaces: [Namespace] = []
    private var capturedScopes: [Scope] = []
    private let globals: Scope
    private let top: Scope

    init(_ variables: [String: Value], time: Int, work: Int) throws {
        self.time = time
        workLeft = work
        globals = Scope(nil, try Globals.all())
        top = Scope(globals, variables)
    }

    deinit {
        // One after the other, not from inside one another.
        for namespace in namespaces { namespace.clear() }
        for scope in capturedScopes { scope.variables = [:] }
    }

    func run(_ template: [Statement]) throws {
        _ = try run(template, top)
    }

    // MARK: Bounds

    /// Counts work: about one for each element or two characters made, eight for each step.
    func charge(_ amount: Int) throws {
        workLeft -= amount
        guard workLeft >= 0, amount >= 0 else {
            throw Failure.limit("the template does too much: a loop or a text is too long")
        }
    }

    func nested<Result>(_ body: () throws -> Result) throws -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.greatestDepth else {
            throw Failure.limit("the template calls itself too often, or is nested too deeply")
        }
        return try body()
    }

    func makeNamespace() -> Namespace {
        let namespace = Namespace()
        namespaces.append(namespace)
        return namespace
    }

    func write(_ text: Text) throws {
        try charge(text.count / 2 + 1)
        output += text.points
    }

    // MARK: Statements

    func run(_ body: [Statement], _ scope: Scope) throws -> Flow {
        try nested {
            for statement in body {
                line = statement.line
                try charge(8)
                let flow = try run(statement, scope)
                if flow != .goesOn { return flow }
            }
            return .goesOn
        }
    }

    private func run(_ statement: Statement, _ scope: Scope) throws -> Flow {
        switch statement.kind {
        case .text(let text): try write(text)
        case .output(let expressions):
            for expression in expressions { try write(try string(of: try value(of: expression, scope))) }
        case .condition(let cases, let otherwise): return try runCondition(cases, otherwise, scope)
        case .loop(let loop):
            return try runLoop(loop, over: try value(of: loop.items, scope), scope, level: 0)
        case .assign(let target, let expression):
            try assign(try value(of: expression, scope), to: target, scope)
        case .assignBlock(let target, let filter, let body):
            try runAssignBlock(target, filter, body, scope)
        case .macro(let macro): scope.variables[macro.name] = .function(try function(macro, scope))
        case .callBlock(let macro, let call): try runCallBlock(macro, call, scope)
        case .filterBlock(let filter, let body):
            let text = try text(of: body, Scope(scope))
            try write(try string(of: try value(of: filter, scope, input: .string(text))))
        case .with(let assignments, let body): return try runWith(assignments, body, scope)
        case .block(_, let body): _ = try run(body, Scope(top))
        case .generation(let body): _ = try run(body, Scope(scope))
        case .breakLoop: return .breaks
        case .continueLoop: return .continues
        }
        return .goesOn
    }

    /// What statements write.
    func text(of body: [Statement], _ scope: Scope) throws -> Text {
        let outer = output
        output = []
        defer { output = outer }
        _ = try run(body, scope)
        return Text(output)
    }

    private func runCondition(
        _ cases: [(test: Expression, body: [Statement])], _ otherwise: [Statement], _ scope: Scope
    ) throws -> Flow {
        for (test, body) in cases where try value(of: test, scope).isTrue { return try run(body, scope) }
        return try run(otherwise, scope)
    }

    private func runAssignBlock(
        _ target: Target, _ filter: Expression?, _ body: [Statement], _ scope: Scope
    ) throws {
        var result = Value.string(try text(of: body, Scope(scope)))
        if let filter { result = try value(of: filter, scope, input: result) }
        try assign(result, to: target, scope)
    }

    private func runCallBlock(_ macro: Macro, _ call: Expression, _ scope: Scope) throws {
        guard case .call(let callee, let arguments) = call.kind else { return }
        let function = try value(of: callee, scope)
        var values = try evaluate(arguments, scope)
        values.keyword.append(("caller", .function(try self.function(macro, scope))))
        line = call.line
        try write(try string(of: try self.call(function, values)))
    }

    private func runWith(
        _ assignments: [(target: Target, value: Expression)], _ body: [Statement], _ scope: Scope
    ) throws -> Flow {
        let inner = Scope(scope)
        for (target, expression) in assignments {
            try assign(try value(of: expression, scope), to: target, inner)
        }
        return try run(body, inner)
    }

    private func assign(_ value: Value, to target: Target, _ scope: Scope) throws {
        switch target {
        case .name(let name): scope.variables[name] = value
        case .attribute(let object, let name):
            guard case .namespace(let namespace)? = scope[object] else {
                throw Failure("cannot set an attribute of '\(object)', which is no namespace")
            }
            namespace[name] = value
        case .tuple(let targets):
            if case .undefined(let undefined) = value, !targets.isEmpty { throw Failure(undefined.problem) }
            let elements = try value.elements()
            try charge(elements.count)
            guard elements.count == targets.count else {
                throw Failure("\(elements.count) values for \(targets.count) names")
            }
            for (target, element) in zip(targets, elements) { try assign(element, to: target, scope) }
        }
    }

    // MARK: Loops

    func runLoop(_ loop: Loop, over items: Value, _ scope: Scope, level: Int) throws -> Flow {
        if case .undefined = items {
        } else if !items.isIterable {
            throw Failure("'\(items.typeName)' is not iterable")
        }
        var elements = try items.elements()
        try charge(elements.count)
        if let test = loop.test {
            elements = try elements.filter { element in
                try charge(16)
                let inner = Scope(scope)
                try assign(element, to: loop.target, inner)
                return try value(of: test, inner).isTrue
            }
        }
        let state = try LoopState(loop, elements, scope, level: level)
        // A round that `continue` or `break` ends does not count for `else`.
        var isCompleted = false
        for (index, element) in elements.enumerated() {
            try charge(16)
            state.index = index
            let inner = Scope(scope, ["loop": .loop(state)])
            line = loop.items.line
            try assign(element, to: loop.target, inner)
            let flow = try run(loop.body, inner)
            if flow == .goesOn { isCompleted = true }
            if flow == .breaks { break }
        }
        if !isCompleted, !loop.otherwise.isEmpty { return try run(loop.otherwise, Scope(scope)) }
        return .goesOn
    }

    // MARK: Macros

    /// A macro as a value, which sees what is defined around it.
    private func function(_ macro: Macro, _ scope: Scope) throws -> Function {
        capturedScopes.append(scope)
        try charge(8)
        return try Function(macro.name, parameters: macro.parameters) { interpreter, arguments in
            .string(try interpreter.call(macro, arguments, scope))
        }
    }

    private func call(_ macro: Macro, _ arguments: Arguments, _ outer: Scope) throws -> Text {
        let scope = Scope(outer)
        var keyword = arguments.keyword
        func take(_ name: String) -> Value? {
            keyword.firstIndex { $0.name == name }.map { keyword.remove(at: $0).value }
        }
        let firstDefault = macro.parameters.count - macro.defaults.count
        var missing: [Int] = []
        for (index, name) in macro.parameters.enumerated() {
            if index < arguments.positional.count {
                scope.variables[name] = arguments.positional[index]
            } else if let value = take(name) {
                scope.variables[name] = value
            } else {
                scope.variables[name] = .undefined(.other("the parameter '\(name)' was not given"))
                if index >= firstDefault { missing.append(index) }
            }
        }
        if macro.extras.contains("caller") {
            scope.variables["caller"] = take("caller") ?? .undefined(.other("no caller defined"))
        }
        if macro.extras.contains("kwargs") {
            let pairs = keyword.map { (key: Value($0.name), value: $0.value) }
            scope.variables["kwargs"] = .dictionary(try ValueDictionary(pairs))
        } else if let extra = keyword.first {
            throw Failure("the macro '\(macro.name)' takes no argument '\(extra.name)'")
        }
        if macro.extras.contains("varargs") {
            scope.variables["varargs"] = try .tuple(
                of: Array(arguments.positional.dropFirst(macro.parameters.count)))
        } else if arguments.positional.count > macro.parameters.count {
            throw Failure("the macro '\(macro.name)' takes at most \(macro.parameters.count) arguments")
        }
        for index in missing {
            scope.variables[macro.parameters[index]] = try value(
                of: macro.defaults[index - firstDefault], scope)
        }
        return try text(of: macro.body, scope)
    }
}
