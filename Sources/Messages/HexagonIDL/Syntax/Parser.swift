/// Builds the syntax tree: what the grammar allows, without knowing what names mean.
struct Parser {
    private let tokens: [Token]
    private(set) var position = 0
    private var depth = 0
    /// Braces that are open.
    private var braces = 0
    private var errors = ErrorList()

    private static let depthLimit = 64

    /// - Parameter tokens: ends with `endOfFile`.
    init(_ tokens: [Token]) {
        self.tokens = tokens
    }

    var current: Token { tokens[position] }

    mutating func advance() {
        guard position < tokens.count - 1 else { return }
        if isAt("{") { braces += 1 } else if isAt("}") { braces -= 1 }
        position += 1
    }

    /// Whether the next token is this word or mark.
    func isAt(_ text: String, after distance: Int = 0) -> Bool {
        guard position + distance < tokens.count else { return false }
        return switch tokens[position + distance].kind {
        case .identifier(let name): name == text
        case .punctuator(let mark): mark == text
        default: false
        }
    }

    mutating func take(_ text: String) -> Bool {
        guard isAt(text) else { return false }
        advance()
        return true
    }

    mutating func expect(_ text: String, _ context: String, hint: String = "") throws(IDLError) {
        guard take(text) else {
            throw IDLError(
                at: current.location, "expected '\(text)' \(context), found \(current.text)", hint: hint)
        }
    }

    mutating func name(_ what: String) throws(IDLError) -> Name {
        guard case .identifier(let text) = current.kind else {
            throw IDLError(at: current.location, "expected \(what), found \(current.text)")
        }
        // The reference compiler takes `dmahandle` for a name too.
        guard !Token.keywords.contains(text) || text == "dmahandle" else {
            throw IDLError(
                at: current.location, "expected \(what), found the reserved word '\(text)'",
                hint: "choose another name")
        }
        let name = Name(text: text, location: current.location)
        advance()
        return name
    }

    /// Guards against input that nests without end.
    mutating func nested<Result>(
        _ body: (inout Parser) throws(IDLError) -> Result
    ) throws(IDLError) -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw IDLError(at: current.location, "nested more than \(Self.depthLimit) deep")
        }
        return try body(&self)
    }

    /// The doc comment of what ends before the current token: what stood before it and a `///<` after it.
    func doc(_ leading: [String]) -> [String] {
        leading + current.trailingDoc
    }

    // MARK: Declarations

    /// The whole file.
    mutating func file() throws(IDLError) -> [DeclarationSyntax] {
        var declarations: [DeclarationSyntax] = []
        while current.kind != .endOfFile { try appendDeclaration(to: &declarations, inInterface: false) }
        try errors.check()
        return declarations
    }

    /// Parses a declaration, or notes what is wrong with it and goes on behind it.
    private mutating func appendDeclaration(
        to list: inout [DeclarationSyntax], inInterface: Bool
    ) throws(IDLError) {
        let start = position
        let outer = braces
        do throws(IDLError) {
            list.append(try declaration(inInterface: inInterface))
        } catch {
            try errors.addOrThrow(error)
            while current.kind != .endOfFile {
                if braces <= outer, outer > 0, isAt("}") { break }
                let isEnd = braces <= outer && isAt(";")
                advance()
                if isEnd { break }
            }
            braces = outer
            if position == start { advance() }
        }
    }

    /// The declarations up to the closing brace.
    private mutating func members(
        of kind: String, _ name: Name, inInterface: Bool
    ) throws(IDLError) -> [DeclarationSyntax] {
        var members: [DeclarationSyntax] = []
        while !take("}") {
            guard current.kind != .endOfFile else {
                throw IDLError(
                    at: current.location, "the \(kind) '\(name.text)' is never closed", hint: "add };")
            }
            try appendDeclaration(to: &members, inInterface: inInterface)
        }
        return members
    }

    private mutating func declaration(inInterface: Bool) throws(IDLError) -> DeclarationSyntax {
        let leading = current.leadingDoc
        var declaration: DeclarationSyntax
        switch current.kind {
        case .identifier("module") where !inInterface: declaration = try module()
        case .identifier("local") where !inInterface,
            .identifier("ext_params") where !inInterface,
            .identifier("interface") where !inInterface:
            declaration = try interface()
        case .identifier("typedef"): declaration = try typedef()
        case .identifier("struct"), .identifier("enum"), .identifier("union"):
            declaration = try constructedType()
        case .identifier("native"):
            advance()
            declaration = DeclarationSyntax(name: try name("a type's name"), content: .native, doc: [])
        case .identifier("const"): declaration = try constant()
        case .identifier("readonly") where inInterface, .identifier("attribute") where inInterface:
            declaration = try attribute()
        default:
            guard inInterface else {
                throw IDLError(
                    at: current.location, "expected a declaration, found \(current.text)",
                    hint: "a file holds module, interface, typedef, struct, enum and const")
            }
            declaration = try operation()
        }
        try expect(";", "after the declaration of '\(declaration.name.text)'")
        declaration.doc = doc(leading)
        return declaration
    }

    private mutating func module() throws(IDLError) -> DeclarationSyntax {
        advance()
        let name = try name("the module's name")
        try expect("{", "after the module's name")
        guard !isAt("}") else {
            throw IDLError(
                at: current.location, "the module '\(name.text)' is empty", hint: "declare something")
        }
        let members = try nested { (parser) throws(IDLError) in
            try parser.members(of: "module", name, inInterface: false)
        }
        return DeclarationSyntax(name: name, content: .module(members), doc: [])
    }

    private mutating func interface() throws(IDLError) -> DeclarationSyntax {
        let isLocal = take("local")
        let isExtended = take("ext_params")
        try expect("interface", "here")
        let name = try name("the interface's name")
        var base: ScopedName?
        var members: [DeclarationSyntax]?
        if take(":") { base = try scopedName() }
        if base != nil || isAt("{") {
            try expect("{", "before the interface's methods")
            members = try self.members(of: "interface", name, inInterface: true)
        }
        let content = InterfaceSyntax(isExtended: isExtended, isLocal: isLocal, base: base, members: members)
        return DeclarationSyntax(name: name, content: .interface(content), doc: [])
    }

    private mutating func typedef() throws(IDLError) -> DeclarationSyntax {
        advance()
        let type = try type(mayDeclare: true)
        let declarators = try declarators()
        return DeclarationSyntax(
            name: declarators[0].name, content: .typedef(type, declarators), doc: [])
    }

    /// A struct, enum or union with its body.
    mutating func constructedType() throws(IDLError) -> DeclarationSyntax {
        let isEnum = isAt("enum")
        let isUnion = isAt("union")
        advance()
        let name = try name("the type's name")
        if isUnion {
            try nested { (parser) throws(IDLError) in try parser.unionBody() }
            return DeclarationSyntax(name: name, content: .union, doc: [])
        }
        try expect("{", "after the type's name")
        return try nested { (parser) throws(IDLError) in
            let content: DeclarationSyntax.Content =
                isEnum ? .enumeration(try parser.enumCases()) : .structure(try parser.members(of: name))
            return DeclarationSyntax(name: name, content: content, doc: [])
        }
    }

    private mutating func members(of structure: Name) throws(IDLError) -> [MemberSyntax] {
        var members: [MemberSyntax] = []
        while !take("}") {
            let leading = current.leadingDoc
            let type = try type(mayDeclare: true)
            let declarators = try declarators()
            try expect(";", "after the member '\(declarators[0].name.text)'")
            let doc = doc(leading)
            for declarator in declarators {
                members.append(MemberSyntax(type: type, declarator: declarator, doc: doc))
            }
        }
        guard !members.isEmpty else {
            throw IDLError(
                at: structure.location, "the struct '\(structure.text)' has no members", hint: "add one")
        }
        return members
    }

    /// What follows a union's name. Unions are read, for files that declare one, but not used.
    private mutating func unionBody() throws(IDLError) {
        try expect("switch", "after the union's name")
        try expect("(", "after 'switch'")
        _ = try type(mayDeclare: true)
        try expect(")", "after the type that is switched over")
        try expect("{", "before the union's cases")
        while !take("}") {
            if take("default") {
                try expect(":", "after 'default'")
            } else {
                repeat {
                    try expect("case", "in a union")
                    _ = try expression()
                    try expect(":", "after the case's value")
                } while isAt("case")
            }
            _ = try type(mayDeclare: true)
            _ = try declarators()
            try expect(";", "after the union's member")
        }
    }

    private mutating func enumCases() throws(IDLError) -> [EnumCaseSyntax] {
        var cases: [EnumCaseSyntax] = []
        repeat {
            let leading = current.leadingDoc
            let name = try name("an enum's case")
            if isAt("=") {
                throw IDLError(
                    at: current.location, "enum cases have no values of their own",
                    hint: "they count from 0; use const for other values")
            }
            // The comment of a case may stand before or after the comma.
            let next = isAt(",") ? tokens[position + 1].trailingDoc : []
            cases.append(EnumCaseSyntax(name: name, doc: doc(leading) + next))
        } while take(",")
        try expect("}", "after the enum's cases")
        return cases
    }

    private mutating func constant() throws(IDLError) -> DeclarationSyntax {
        advance()
        let type = try type(mayDeclare: false)
        let name = try name("the constant's name")
        try expect("=", "after the constant's name")
        return DeclarationSyntax(name: name, content: .constant(type, try expression()), doc: [])
    }

    // MARK: Methods

    private mutating func attribute() throws(IDLError) -> DeclarationSyntax {
        let isReadOnly = take("readonly")
        try expect("attribute", "after 'readonly'")
        let type = try type(mayDeclare: false)
        let name = try name("the attribute's name")
        return DeclarationSyntax(name: name, content: .attribute(type, isReadOnly: isReadOnly), doc: [])
    }

    private mutating func operation() throws(IDLError) -> DeclarationSyntax {
        let isAsync = take("async")
        let attribute = try operationAttribute()
        let result: TypeSyntax
        if isAt("void") {
            result = .void(current.location)
            advance()
        } else {
            result = try type(mayDeclare: true)
        }
        let name = try name("the method's name")
        try expect("(", "after the method's name")
        var parameters: [ParameterSyntax] = []
        if !isAt(")") {
            repeat { parameters.append(try parameter()) } while take(",")
        }
        try expect(")", "after the parameters of '\(name.text)'")
        if let attribute, parameters.contains(where: { $0.direction != .in }) {
            throw IDLError(
                at: attribute.location, "a method that is '\(attribute.text)' can return nothing",
                hint: "remove [\(attribute.text)]: callers wait for every method")
        }
        let content = OperationSyntax(isAsync: isAsync, result: result, parameters: parameters)
        return DeclarationSyntax(name: name, content: .operation(content), doc: [])
    }

    /// `[oneway]` or `[signal]`: accepted, and without a meaning.
    private mutating func operationAttribute() throws(IDLError) -> Name? {
        guard take("[") else { return nil }
        let attribute = try name("a method's attribute")
        guard ["oneway", "signal"].contains(attribute.text) else {
            throw IDLError(
                at: attribute.location, "'\(attribute.text)' is no attribute of a method",
                hint: "oneway and signal are, and mean nothing: remove the brackets")
        }
        try expect("]", "after the method's attribute")
        return attribute
    }

    private mutating func parameter() throws(IDLError) -> ParameterSyntax {
        guard case .identifier(let word) = current.kind, let direction = Direction(rawValue: word) else {
            let isCORBA = isAt("out") || isAt("inout")
            throw IDLError(
                at: current.location, "expected a parameter's direction, found \(current.text)",
                hint: isCORBA
                    ? "write '\(isAt("out") ? "rout" : "inrout")' for memory that the callee fills"
                    : "begin every parameter with in, rout or inrout")
        }
        advance()
        let type = try type(mayDeclare: false)
        return ParameterSyntax(direction: direction, type: type, name: try name("the parameter's name"))
    }
}
