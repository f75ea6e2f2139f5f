extension Parser {
    /// A type. Only some places may declare a struct or an enum on the spot.
    mutating func type(mayDeclare: Bool) throws(IDLError) -> TypeSyntax {
        let location = current.location
        guard case .identifier(let word) = current.kind else {
            if isAt("::") { return .named(try scopedName()) }
            throw IDLError(at: location, "expected a type, found \(current.text)")
        }
        switch word {
        case "struct", "enum", "union":
            guard mayDeclare else {
                throw IDLError(
                    at: location, "a \(word) cannot be declared here",
                    hint: "declare it before and use its name")
            }
            return .declared(try constructedType(), location)
        case "sequence":
            advance()
            return try nested { (parser) throws(IDLError) in try parser.sequence(at: location) }
        case "string", "wstring":
            advance()
            return .string(wide: word == "wstring", bound: try bound(), location)
        case "dmahandle":
            advance()
            _ = try bound()
            return .dmaHandle(location)
        case "interface":
            advance()
            return .interface(location)
        case "void":
            throw IDLError(at: location, "void is no type of a value")
        case "notnil":
            throw IDLError(
                at: location, "notnil goes with interfaces only, which cannot be passed", hint: "remove it")
        default:
            if let scalar = scalar(word) {
                return .scalar(scalar, location)
            }
            if word == "unsigned" {
                throw IDLError(
                    at: location, "'unsigned' goes with short, long and long long only",
                    hint: isAt("char", after: 1) ? "write octet or uint8_t" : "")
            }
            return .named(try scopedName())
        }
    }

    private mutating func scalar(_ word: String) -> ScalarType? {
        let fixed: [String: ScalarType] = [
            "octet": .octet, "boolean": .boolean, "char": .char, "wchar": .wchar, "float": .float,
            "double": .double, "short": .int16,
            "int8": .int8, "int16": .int16, "int32": .int32, "int64": .int64,
            "uint8": .uint8, "uint16": .uint16, "uint32": .uint32, "uint64": .uint64,
        ]
        if word == "long" {
            advance()
            return take("long") ? .int64 : .int32
        }
        if word == "unsigned", isAt("short", after: 1) || isAt("long", after: 1) {
            advance()
            if take("short") { return .uint16 }
            advance()
            return take("long") ? .uint64 : .uint32
        }
        let plain = word.hasSuffix("_t") ? String(word.dropLast(2)) : word
        guard Token.keywords.contains(word), let scalar = fixed[plain] else { return nil }
        advance()
        return scalar
    }

    private mutating func sequence(at location: Location) throws(IDLError) -> TypeSyntax {
        try expect("<", "after 'sequence'")
        if isAt("sequence") {
            throw IDLError(
                at: current.location, "a sequence cannot stand directly inside a sequence",
                hint: "name the inner one: typedef sequence<...> name;")
        }
        let element = try type(mayDeclare: false)
        var bound: Expression?
        if take(",") { bound = try expression(inAngles: true) }
        try expect(">", "after the sequence's element type")
        return .sequence(element, bound: bound, location)
    }

    /// `<N>`, which is checked and has no effect on the wire.
    private mutating func bound() throws(IDLError) -> Expression? {
        guard take("<") else { return nil }
        let bound = try expression(inAngles: true)
        try expect(">", "after the bound")
        return bound
    }

    mutating func scopedName() throws(IDLError) -> ScopedName {
        let isGlobal = take("::")
        var parts = [try name("a name")]
        while take("::") { parts.append(try name("a name after '::'")) }
        return ScopedName(parts: parts, isGlobal: isGlobal)
    }

    mutating func declarators() throws(IDLError) -> [DeclaratorSyntax] {
        var declarators: [DeclaratorSyntax] = []
        repeat {
            let name = try name("a name")
            var lengths: [Expression] = []
            while take("[") {
                lengths.append(try expression())
                try expect("]", "after the array's length")
            }
            declarators.append(DeclaratorSyntax(name: name, lengths: lengths))
        } while take(",")
        return declarators
    }
}
