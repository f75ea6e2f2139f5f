/// How the Swift stub spells things.
enum SwiftNames {
    private static let keywords: Set<String> = [
        "as", "associatedtype", "break", "case", "catch", "class", "continue", "default", "defer", "deinit",
        "do", "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for", "func", "guard",
        "if",
        "import", "in", "inout", "internal", "is", "let", "nil", "operator", "precedencegroup", "private",
        "protocol", "public", "repeat", "rethrows", "return", "static", "struct", "subscript", "super",
        "switch", "throw", "throws", "true", "try", "typealias", "var", "where", "while", "any",
    ]
    private static let special: Set<String> = ["self", "Self", "init", "Type", "Protocol", "Any"]

    private static func words(_ name: String) -> [String] {
        name.split(separator: "_").map { word in
            let hasLower = word.contains { $0.isLowercase }
            return hasLower ? String(word) : word.lowercased()
        }
    }

    /// `hvx_units` → `hvxUnits`, `RED` → `red`.
    static func lowerCamel(_ name: String) -> String {
        let words = words(name)
        guard let first = words.first else { return "value" }
        let joined =
            first.prefix(1).lowercased() + first.dropFirst()
            + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        // Words that backticks do not free everywhere get an underscore.
        if special.contains(joined) { return joined + "_" }
        return joined.first?.isNumber == true ? "value" + joined : joined
    }

    /// `dsp_queue` → `DspQueue`.
    static func upperCamel(_ name: String) -> String {
        let joined = name.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return joined.first?.isNumber != false ? "Type" + joined : joined
    }

    /// Makes a word usable as an identifier.
    static func escaped(_ word: String) -> String {
        keywords.contains(word) ? "`\(word)`" : word
    }

    static func scalar(_ scalar: ScalarType) -> String {
        switch scalar {
        case .boolean: "Bool"
        case .octet, .char, .uint8: "UInt8"
        case .wchar, .uint16: "UInt16"
        case .int8: "Int8"
        case .int16: "Int16"
        case .int32: "Int32"
        case .uint32: "UInt32"
        case .int64: "Int64"
        case .uint64: "UInt64"
        case .float: "Float"
        case .double: "Double"
        }
    }
}
