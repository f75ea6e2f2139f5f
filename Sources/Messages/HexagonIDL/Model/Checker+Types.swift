extension Checker {
    func unknownType(_ name: ScopedName, in scope: [String]) -> IDLError {
        IDLError(
            at: name.location, "the type '\(name.text)' is not declared", hint: hint(for: name, in: scope))
    }

    private func hint(for name: ScopedName, in scope: [String]) -> String {
        let known = [
            "AEEResult": "add #include \"AEEStdDef.idl\"", "remote_handle64": "add #include \"remote.idl\"",
            "int": "write long or int32_t", "signed": "write long, int32_t or another signed type",
            "size_t": "write uint32_t or uint64_t", "bool": "write boolean", "byte": "write octet",
            "any": "write sequence<octet>",
        ]
        return known[name.text] ?? "declare it before its use"
    }

    /// What a type in the source stands for. Declares structs and enums that are written in its place.
    mutating func resolve(_ syntax: TypeSyntax, in scope: [String]) throws(IDLError) -> IDLType {
        if case .declared(let declaration, let location) = syntax {
            try declareInPlace(declaration, in: scope)
            switch entity(named: declaration.name.text, in: scope) {
            case .type(let type)?: return type
            case .unusable(let what)?: throw Self.unusable(declaration.name, what)
            default: throw IDLError(at: location, "'\(declaration.name.text)' is no type")
            }
        }
        return try resolveUsed(syntax, in: scope)
    }

    private func entity(named name: String, in scope: [String]) -> Entity? {
        entities[Self.key(scope, name)]
    }

    /// The same where nothing may be declared.
    func resolveUsed(_ syntax: TypeSyntax, in scope: [String]) throws(IDLError) -> IDLType {
        switch syntax {
        case .scalar(let scalar, _):
            return .scalar(scalar)
        case .named(let name):
            return try resolve(name, in: scope)
        case .sequence(let element, let bound, let location):
            try check(bound, in: scope)
            let resolved = try resolveUsed(element, in: scope)
            guard resolved.depth < Self.depthLimit else {
                throw IDLError(at: location, "the sequence nests more than \(Self.depthLimit) deep")
            }
            return .sequence(of: resolved)
        case .string(let wide, let bound, _):
            try check(bound, in: scope)
            return wide ? .wideString : .string
        case .dmaHandle:
            return .dmaHandle
        case .void(let location):
            throw IDLError(at: location, "void is no type of a value")
        case .interface(let location):
            throw Self.handlesUnsupported(at: location)
        case .declared(_, let location):
            throw IDLError(at: location, "a type cannot be declared here")
        }
    }

    private static func handlesUnsupported(at location: Location) -> IDLError {
        IDLError(
            at: location, "handles of interfaces are not supported as parameters",
            hint: "open the other interface with its own URI")
    }

    /// Refuses a method's types where a method hides them.
    func refuseMethods(in types: [TypeSyntax], _ scope: [String]) throws(IDLError) {
        for type in types {
            var type = type
            while case .sequence(let element, _, _) = type { type = element }
            if case .named(let name) = type { try refuseMethod(name, in: scope) }
        }
    }

    private func refuseMethod(_ name: ScopedName, in scope: [String]) throws(IDLError) {
        let key = firstKey(of: name, in: scope) { entities[$0] != nil || methods.contains($0) }
        guard let key, methods.contains(key) else { return }
        throw IDLError(
            at: name.location, "'\(name.text)' is a method here, which hides the type of that name",
            hint: "give the method another name")
    }

    private func resolve(_ name: ScopedName, in scope: [String]) throws(IDLError) -> IDLType {
        if !isBuilding { try refuseMethod(name, in: scope) }
        switch find(name, in: scope) {
        case .type(let type)?: return type
        case .interface?: throw Self.handlesUnsupported(at: name.location)
        case .constant?, .module?:
            throw IDLError(at: name.location, "'\(name.text)' is no type")
        case .unusable(let what)?: throw Self.unusable(Name(text: name.text, location: name.location), what)
        case .broken?: throw Self.alreadyReported
        case nil: throw unknownType(name, in: scope)
        }
    }

    private static func unusable(_ name: Name, _ what: String) -> IDLError {
        IDLError(
            at: name.location, "'\(name.text)' is \(what), which cannot be passed",
            hint: "use a struct, with a field that says which of its members counts")
    }

    /// Bounds have no effect on the wire, but must be numbers.
    private func check(_ bound: Expression?, in scope: [String]) throws(IDLError) {
        guard let bound else { return }
        guard let count = try ConstantEvaluator(checker: self, scope: scope).count(bound), count >= 0 else {
            throw IDLError(at: bound.location, "a bound must be a whole number that fits 32 bits")
        }
    }

    /// A declarator's type: with lengths, an array by value.
    func array(
        of element: IDLType, _ declarator: DeclaratorSyntax, in scope: [String]
    ) throws(IDLError) -> IDLType {
        var type = element
        for length in declarator.lengths.reversed() {
            guard let count = try ConstantEvaluator(checker: self, scope: scope).count(length), count >= 1,
                count <= Extent.sizeLimit
            else {
                throw IDLError(
                    at: length.location, "an array's length must be a whole number from 1 on")
            }
            guard !type.isComplex else {
                throw IDLError(
                    at: declarator.name.location,
                    "'\(declarator.name.text)' is an array of elements that hold sequences, strings or handles",
                    hint: "use a sequence")
            }
            let (size, overflow) = type.extent(.full).size.multipliedReportingOverflow(by: count)
            guard !overflow, size <= Extent.sizeLimit else {
                throw IDLError(
                    at: declarator.name.location,
                    "'\(declarator.name.text)' takes more than \(Extent.sizeLimit) bytes")
            }
            guard type.depth < Self.depthLimit else {
                throw IDLError(
                    at: declarator.name.location,
                    "'\(declarator.name.text)' nests more than \(Self.depthLimit) deep")
            }
            type = .array(of: type, count: count)
        }
        return type
    }
}
