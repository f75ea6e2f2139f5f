/// How the C bindings spell things.
enum CNames {
    private static let keywords: Set<String> = [
        "asm", "auto", "bool", "break", "case", "catch", "char", "class", "const", "continue", "default",
        "delete", "do", "double", "else", "enum", "explicit", "export", "extern", "false", "float", "for",
        "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "operator", "private",
        "protected", "public", "register", "restrict", "return", "short", "signed", "sizeof", "static",
        "struct", "switch", "template", "this", "throw", "true", "try", "typedef", "typeid", "typename",
        "union", "unsigned", "using", "virtual", "void", "volatile", "while",
    ]

    /// A name that C and C++ accept.
    static func identifier(_ name: String) -> String {
        keywords.contains(name) ? "_cxx_" + name : name
    }

    static func scalar(_ scalar: ScalarType) -> String {
        switch scalar {
        case .octet, .boolean, .uint8: "uint8_t"
        case .char: "char"
        case .wchar, .uint16: "uint16_t"
        case .int8: "int8_t"
        case .int16: "int16_t"
        case .int32: "int32_t"
        case .uint32: "uint32_t"
        case .int64: "int64_t"
        case .uint64: "uint64_t"
        case .float: "float"
        case .double: "double"
        }
    }

    /// The type of a value, or of a sequence's element.
    static func type(_ type: IDLType) -> String {
        switch type {
        case .scalar(let scalar): scalar.cName
        case .enumeration(let type): type.name
        case .structure(let type): type.name
        case .alias(let alias):
            switch alias.target {
            case .array, .sequence: alias.name
            default: self.type(alias.target)
            }
        // Only typedefs reach C as arrays and nested sequences.
        case .array(let element, _), .sequence(let element): self.type(element)
        case .string: "_cstring1_t"
        case .wideString: "_wstring1_t"
        case .dmaHandle: "_dmahandle1_t"
        }
    }

    /// The element type and suffix of something declared as an array.
    static func declaration(_ type: IDLType, _ name: String) -> String {
        var suffix = ""
        var element = type
        while case .array(let inner, let count) = element {
            suffix += "[\(count)]"
            element = inner
        }
        return "\(self.type(element)) \(name)\(suffix)"
    }

    /// A struct's member as one or several C members.
    static func members(_ member: StructType.Member) -> [String] {
        let name = identifier(member.name)
        switch member.type.resolved {
        case .sequence(let element): return ["\(type(element)) *\(name);", "int \(name)Len;"]
        case .string: return ["char *\(name);", "int \(name)Len;"]
        case .wideString: return ["uint16_t *\(name);", "int \(name)Len;"]
        case .dmaHandle: return ["_dmahandle1_t \(name);"]
        default: return [declaration(member.type, name) + ";"]
        }
    }

    /// A parameter as one or several C parameters.
    static func parameters(_ parameter: Parameter) -> [String] {
        let name = identifier(parameter.name)
        let isIn = parameter.direction == .in
        let const = isIn ? "const " : ""
        switch parameter.type.resolved {
        case .sequence(let element):
            return ["\(const)\(type(element)) *\(name)", "int \(name)Len"]
        case .string:
            return isIn ? ["const char *\(name)"] : ["char *\(name)", "int \(name)Len"]
        case .wideString:
            return isIn ? ["const uint16_t *\(name)"] : ["uint16_t *\(name)", "int \(name)Len"]
        case .dmaHandle:
            return ["int \(name)", "uint32_t \(name)Offset", "uint32_t \(name)Len"]
        case .structure:
            return ["\(const)\(type(parameter.type)) *\(name)"]
        case .array:
            return ["\(const)\(type(parameter.type)) \(name)"]
        default:
            return [isIn ? "\(type(parameter.type)) \(name)" : "\(type(parameter.type)) *\(name)"]
        }
    }

    /// All parameters of the function that a method becomes.
    static func parameters(_ method: Method, of interface: Interface) -> [String] {
        var list: [String] = []
        if interface.hasHandle { list.append("remote_handle64 _h") }
        if method.isAsync { list.append("fastrpc_async_descriptor_t *asyncDesc") }
        list += method.parameters.flatMap { parameters($0) }
        return list.isEmpty ? ["void"] : list
    }

    static func function(_ method: Method, of interface: Interface) -> String {
        "\(interface.name)_\(method.name)"
    }
}

extension ScalarType {
    fileprivate var cName: String { CNames.scalar(self) }
}
