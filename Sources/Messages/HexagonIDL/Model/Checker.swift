/// Resolves names and enforces the language's rules: turns a syntax tree into a `IDLUnit`.
struct Checker {
    /// What a name stands for.
    enum Entity {
        case type(IDLType)
        case constant(Constant)
        case interface(InterfaceInfo)
        case module
        /// Something that may be declared but not used, with what it is: a union, a native type.
        case unusable(String)
        /// A declaration that is wrong, which has been reported.
        case broken
    }

    /// The names that anything refers to.
    final class Uses {
        var keys: Set<String> = []
    }

    /// What later interfaces need to know of an interface.
    struct InterfaceInfo {
        var hasHandle: Bool
        var isForward: Bool
        /// Methods with their inherited ones, without open and close.
        var methods: [(declaration: OperationDeclaration, scope: [String])]
        var names: Set<String> = []
        var scope: [String]
        /// How many interfaces it derives from.
        var depth = 0
    }

    /// A method, before its types are resolved for the interface that carries it.
    struct OperationDeclaration {
        var name: Name
        var content: OperationSyntax
        var doc: [String]
    }

    static let depthLimit = 32
    static let aliasLimit = 64
    /// Thrown where an error follows from one that has been noted.
    static let alreadyReported = IDLError([])

    let path: String
    private(set) var entities: [String: Entity] = [:]
    var items: [IDLUnit.Item] = []
    private var interfaces: [Interface] = []
    private var version: String?
    private var errors = ErrorList()
    let uses = Uses()
    /// The file of the interface whose body is being declared: what is included there belongs to it.
    private var owner: String?
    /// Interfaces a scope inherits names from.
    private var bases: [String: [String]] = [:]
    /// Keys of the methods so far. From its declaration on a method's name hides types of outer scopes.
    var methods: Set<String> = []
    /// Methods are built when all of an interface is known, but hide only what comes after them.
    var isBuilding = false

    init(path: String) {
        self.path = path
    }

    static func check(
        _ declarations: [DeclarationSyntax], path: String, includes: [String], includesRemote: Bool
    ) throws(IDLError) -> IDLUnit {
        var checker = Checker(path: path)
        for declaration in declarations { try checker.declareOrNote(declaration, in: []) }
        try checker.errors.check()
        let used = checker.uses.keys
        return IDLUnit(
            path: path,
            items: checker.items.map { item in
                var item = item
                item.isUsed = used.contains(item.key)
                return item
            },
            interfaces: checker.interfaces, version: checker.version,
            includes: includes.filter { BuiltinFiles.text(of: $0) == nil }, includesRemote: includesRemote,
            warnings: [])
    }

    /// Declares something, or notes what is wrong with it and keeps its names from being called unknown.
    private mutating func declareOrNote(
        _ declaration: DeclarationSyntax, in scope: [String]
    ) throws(IDLError) {
        do throws(IDLError) {
            try declare(declaration, in: scope)
        } catch {
            try errors.addOrThrow(error)
            var names = [declaration.name]
            if case .typedef(_, let declarators) = declaration.content { names = declarators.map(\.name) }
            if case .enumeration(let cases) = declaration.content { names += cases.map(\.name) }
            for name in names where entities[Self.key(scope, name.text)] == nil {
                entities[Self.key(scope, name.text)] = .broken
            }
        }
    }

    // MARK: Names

    static func key(_ scope: [String], _ name: String) -> String { (scope + [name]).joined(separator: "::") }

    static func cName(_ scope: [String], _ name: String) -> String { (scope + [name]).joined(separator: "_") }

    mutating func define(_ name: Name, _ entity: Entity, in scope: [String]) throws(IDLError) {
        let key = Self.key(scope, name.text)
        if case .module = entity, case .module? = entities[key] { return }
        if case .type = entity, name.text.hasPrefix("_") {
            throw IDLError(
                at: name.location, "the type '\(name.text)' begins with an underscore",
                hint: "such names belong to the generated code")
        }
        if case .interface(let old)? = entities[key], old.isForward, case .interface = entity {
            throw IDLError(
                at: name.location, "'\(name.text)' is declared forward and then defined",
                hint: "remove the forward declaration")
        }
        guard entities[key] == nil, !methods.contains(key) else {
            throw IDLError(
                at: name.location, "'\(name.text)' is declared twice", hint: "give one of them another name")
        }
        entities[key] = entity
    }

    /// Replaces what an interface's name stands for once its body is known.
    mutating func redefine(_ name: Name, _ entity: Entity, in scope: [String]) {
        entities[Self.key(scope, name.text)] = entity
    }

    /// Looks a name up from the innermost scope outwards; an interface's scope includes its bases'.
    func find(_ name: ScopedName, in scope: [String]) -> Entity? {
        guard let key = firstKey(of: name, in: scope, where: { entities[$0] != nil }) else { return nil }
        uses.keys.insert(key)
        return entities[key]
    }

    /// The innermost key of a name for which something holds: outwards through the scopes, and at each of them
    /// through the interfaces it inherits from.
    func firstKey(of name: ScopedName, in scope: [String], where holds: (String) -> Bool) -> String? {
        let path = name.parts.map(\.text).joined(separator: "::")
        if name.isGlobal { return holds(path) ? path : nil }
        var scope = scope
        while true {
            var chain: [String]? = scope
            while let current = chain {
                let key = Self.key(current, path)
                if holds(key) { return key }
                chain = bases[current.joined(separator: "::")]
            }
            if scope.isEmpty { return nil }
            scope.removeLast()
        }
    }

    // MARK: Declarations

    private mutating func add(_ declaration: Declaration, _ name: Name, in scope: [String]) {
        items.append(
            IDLUnit.Item(
                declaration: declaration, key: Self.key(scope, name.text), location: name.location,
                isIncluded: (owner ?? name.location.file) != path))
    }

    private mutating func declare(_ declaration: DeclarationSyntax, in scope: [String]) throws(IDLError) {
        let name = declaration.name
        switch declaration.content {
        case .module(let members):
            try define(name, .module, in: scope)
            for member in members { try declareOrNote(member, in: scope + [name.text]) }
        case .typedef(let type, let declarators):
            let base = try resolve(type, in: scope)
            for declarator in declarators {
                let written = try array(of: base, declarator, in: scope)
                guard written.aliasDepth < Self.aliasLimit else {
                    throw IDLError(
                        at: declarator.name.location,
                        "the typedef '\(declarator.name.text)' is the end of a chain of more than \(Self.aliasLimit)"
                    )
                }
                let alias = AliasType(
                    name: Self.cName(scope, declarator.name.text), written: written, doc: declaration.doc)
                try define(declarator.name, .type(.alias(alias)), in: scope)
                add(.alias(alias), declarator.name, in: scope)
            }
        case .structure(let members):
            try declareStructure(name, members, declaration.doc, in: scope)
        case .enumeration(let cases):
            try declareEnumeration(name, cases, declaration.doc, in: scope)
        case .union:
            try define(name, .unusable("a union"), in: scope)
        case .native:
            try define(name, .unusable("a native type"), in: scope)
        case .constant(let type, let expression):
            try declareConstant(name, type, expression, declaration.doc, in: scope)
        case .interface(let syntax):
            try declareInterface(name, syntax, declaration.doc, in: scope)
        case .operation, .attribute:
            throw IDLError(at: name.location, "a method stands outside of an interface")
        }
    }

    private mutating func declareStructure(
        _ name: Name, _ syntax: [MemberSyntax], _ doc: [String], in scope: [String]
    ) throws(IDLError) {
        var members: [StructType.Member] = []
        var names: Set<String> = []
        for member in syntax {
            let memberName = member.declarator.name
            let location = memberName.location
            guard member.declarator.lengths.count <= 1 else {
                throw IDLError(
                    at: location, "the member '\(memberName.text)' is an array of arrays",
                    hint: "use one dimension, or a typedef for the inner array")
            }
            let type = try array(of: try resolve(member.type, in: scope), member.declarator, in: scope)
            var cNames = [memberName.text]
            if type.isCounted { cNames.append(memberName.text + "Len") }
            if case .dmaHandle = type.resolved {
                cNames += [memberName.text + "Len", memberName.text + "Offset"]
            }
            for cName in cNames where !names.insert(cName).inserted {
                throw IDLError(
                    at: location, "the struct '\(name.text)' has two members that C would call '\(cName)'")
            }
            members.append(StructType.Member(name: memberName.text, type: type, doc: member.doc))
        }
        guard let type = StructType(name: Self.cName(scope, name.text), members: members, doc: doc) else {
            throw IDLError(
                at: name.location, "the struct '\(name.text)' takes more than \(Extent.sizeLimit) bytes")
        }
        guard type.depth <= Self.depthLimit else {
            throw IDLError(
                at: name.location, "the struct '\(name.text)' nests more than \(Self.depthLimit) deep")
        }
        try define(name, .type(.structure(type)), in: scope)
        add(.structure(type), name, in: scope)
    }

    private mutating func declareEnumeration(
        _ name: Name, _ syntax: [EnumCaseSyntax], _ doc: [String], in scope: [String]
    ) throws(IDLError) {
        let cases = syntax.map { EnumType.Case(name: $0.name.text, doc: $0.doc) }
        let type = EnumType(name: Self.cName(scope, name.text), cases: cases, doc: doc)
        try define(name, .type(.enumeration(type)), in: scope)
        // As in C, the cases are names of the scope around the enum.
        for (index, item) in syntax.enumerated() {
            let constant = Constant(
                name: item.name.text, type: .enumeration(type), value: .integer(Int128(index)), doc: item.doc)
            try define(item.name, .constant(constant), in: scope)
        }
        add(.enumeration(type), name, in: scope)
    }

    private mutating func declareConstant(
        _ name: Name, _ type: TypeSyntax, _ expression: Expression, _ doc: [String], in scope: [String]
    ) throws(IDLError) {
        let resolved = try resolve(type, in: scope)
        let fitted = try ConstantEvaluator(checker: self, scope: scope).evaluate(expression, as: resolved)
        let constant = Constant(
            name: Self.cName(scope, name.text), type: resolved, value: fitted, doc: doc)
        try define(name, .constant(constant), in: scope)
        add(.constant(constant), name, in: scope)
        if scope.isEmpty, name.text == "IDL_VERSION", name.location.file == path, case .string = fitted {
            version = try Self.checkedVersion(fitted, at: expression.location)
        }
    }

    /// Three numbers of at most 999.
    private static func checkedVersion(
        _ value: Constant.Value, at location: Location
    ) throws(IDLError) -> String {
        guard case .string(let text, wide: false) = value else {
            throw IDLError(
                at: location, "IDL_VERSION must be a string of characters", hint: "write \"1.0.0\"")
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3,
            parts.allSatisfy({ (1...3).contains($0.utf8.count) && $0.utf8.allSatisfy(\.isDigit) })
        else {
            throw IDLError(
                at: location, "IDL_VERSION \"\(text)\" is not three numbers of at most three digits",
                hint: "write \"1.0.0\"")
        }
        return text
    }

    /// Declares a struct or enum that is written in the place of a type.
    mutating func declareInPlace(_ declaration: DeclarationSyntax, in scope: [String]) throws(IDLError) {
        try declare(declaration, in: scope)
    }

    // MARK: Interfaces

    private mutating func declareInterface(
        _ name: Name, _ syntax: InterfaceSyntax, _ doc: [String], in outer: [String]
    ) throws(IDLError) {
        guard !syntax.isExtended else {
            throw IDLError(
                at: name.location, "ext_params interfaces are not supported",
                hint: "their 64-bit scalars exist neither in the public library nor in the mainline kernel")
        }
        guard !syntax.isLocal else {
            throw IDLError(
                at: name.location, "the interface '\(name.text)' is local: it has no remote calls",
                hint: "remove 'local'")
        }
        let scope = outer + [name.text]
        guard let members = syntax.members else {
            let info = InterfaceInfo(hasHandle: false, isForward: true, methods: [], scope: scope)
            try define(name, .interface(info), in: outer)
            return
        }
        // The base of all handles: its two methods are the session's own.
        if outer.isEmpty, name.text == "remote_handle64" {
            let info = InterfaceInfo(hasHandle: true, isForward: false, methods: [], scope: scope)
            return try define(name, .interface(info), in: outer)
        }
        var info = InterfaceInfo(hasHandle: false, isForward: false, methods: [], scope: scope)
        if let base = syntax.base {
            let entity = find(base, in: outer)
            if case .broken? = entity { throw Self.alreadyReported }
            guard case .interface(let parent)? = entity, !parent.isForward else {
                let isStandard = ["remote_handle", "remote_handle64"].contains(base.text)
                throw IDLError(
                    at: base.location, "the base '\(base.text)' is no interface that is known here",
                    hint: isStandard ? "add #include \"remote.idl\"" : "")
            }
            guard parent.depth < Self.depthLimit else {
                throw IDLError(
                    at: base.location, "more than \(Self.depthLimit) interfaces derive from each other")
            }
            info.hasHandle = parent.hasHandle
            info.methods = parent.methods
            info.names = parent.names
            info.depth = parent.depth + 1
            bases[scope.joined(separator: "::")] = parent.scope
        }
        try define(name, .interface(info), in: outer)
        owner = name.location.file
        defer { owner = nil }
        for member in members {
            do throws(IDLError) { try declareMember(member, &info, in: scope) } catch {
                try errors.addOrThrow(error)
            }
        }
        redefine(name, .interface(info), in: outer)

        guard name.location.file == path else { return }
        interfaces.append(try build(name, info, doc, base: syntax.base?.text, in: outer))
    }

    private mutating func declareMember(
        _ member: DeclarationSyntax, _ info: inout InterfaceInfo, in scope: [String]
    ) throws(IDLError) {
        var operations: [OperationDeclaration] = []
        switch member.content {
        case .operation(let content):
            operations = [OperationDeclaration(name: member.name, content: content, doc: member.doc)]
        case .attribute(let type, let isReadOnly):
            let location = member.name.location
            let result = ScopedName(parts: [Name(text: "AEEResult", location: location)], isGlobal: false)
            guard find(result, in: scope) != nil else {
                throw IDLError(
                    at: location, "attributes return AEEResult, which is not declared",
                    hint: "add #include \"AEEStdDef.idl\"")
            }
            for (prefix, direction) in [("Get", Direction.rout), ("Set", .in)]
            where direction == .rout || !isReadOnly {
                let name = Name(text: prefix + member.name.text, location: location)
                let value = Name(text: "value", location: location)
                let content = OperationSyntax(
                    isAsync: false, result: .named(result),
                    parameters: [ParameterSyntax(direction: direction, type: type, name: value)])
                operations.append(OperationDeclaration(name: name, content: content, doc: member.doc))
            }
        default:
            return try declareOrNote(member, in: scope)
        }
        for operation in operations {
            if case .declared(let type, _) = operation.content.result { try declare(type, in: scope) }
            let isDuplicate = info.names.contains(operation.name.text)
            let isReserved = info.hasHandle && ["open", "close"].contains(operation.name.text)
            guard !isDuplicate, !isReserved else {
                throw IDLError(
                    at: operation.name.location, "the method '\(operation.name.text)' is declared twice",
                    hint: isReserved ? "remote_handle64 declares open and close" : "")
            }
            let key = Self.key(scope, operation.name.text)
            guard entities[key] == nil else {
                throw IDLError(
                    at: operation.name.location, "'\(operation.name.text)' is declared twice",
                    hint: "give the method another name")
            }
            info.names.insert(operation.name.text)
            info.methods.append((operation, scope))
            try refuseMethods(in: [operation.content.result], scope)
            methods.insert(key)
            try refuseMethods(in: operation.content.parameters.map(\.type), scope)
        }
    }

    /// Resolves and checks the methods of the interface that is compiled.
    private mutating func build(
        _ name: Name, _ info: InterfaceInfo, _ doc: [String], base: String?, in outer: [String]
    ) throws(IDLError) -> Interface {
        var methods: [Method] = []
        isBuilding = true
        defer { isBuilding = false }
        for (operation, scope) in info.methods {
            let index = methods.count + (info.hasHandle ? 2 : 0)
            do throws(IDLError) { methods.append(try build(operation, index, in: scope)) } catch {
                try errors.addOrThrow(error)
            }
        }
        return Interface(
            name: Self.cName(outer, name.text), hasHandle: info.hasHandle, methods: methods, doc: doc,
            location: name.location, base: base)
    }

    private mutating func build(
        _ operation: OperationDeclaration, _ index: Int, in scope: [String]
    ) throws(IDLError) -> Method {
        try checkResult(operation.content.result, in: scope)
        var parameters: [Parameter] = []
        for syntax in operation.content.parameters {
            guard let direction = Parameter.Direction(rawValue: syntax.direction.rawValue) else { continue }
            do throws(IDLError) {
                parameters.append(
                    Parameter(
                        name: syntax.name.text, direction: direction,
                        type: try resolveUsed(syntax.type, in: scope), location: syntax.name.location,
                        isBounded: syntax.type.isBounded))
            } catch {
                try errors.addOrThrow(error)
            }
        }
        // What a parameter that is left out would change has been reported with it.
        guard parameters.count == operation.content.parameters.count else { throw Self.alreadyReported }
        let method = Method(
            name: operation.name.text, index: index, isAsync: operation.content.isAsync,
            parameters: parameters, doc: operation.doc, location: operation.name.location)
        try MethodRules.check(method)
        return method
    }

    /// The result type means nothing, but its name must exist.
    private func checkResult(_ type: TypeSyntax, in scope: [String]) throws(IDLError) {
        switch type {
        case .void, .declared: break
        case .named(let name):
            if find(name, in: scope) == nil { throw unknownType(name, in: scope) }
        default: _ = try resolveUsed(type, in: scope)
        }
    }
}
