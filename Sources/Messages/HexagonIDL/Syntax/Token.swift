/// One word of an IDL file.
struct Token {
    enum Kind: Equatable {
        /// Also keywords: see `Token.keywords`.
        case identifier(String)
        case integer(UInt64, isDecimal: Bool)
        case float(String)
        case string(String, wide: Bool)
        case character(UInt32, wide: Bool)
        /// One of `{ } ( ) [ ] < > ; , : :: = - ~ * / % + & ^ |`.
        case punctuator(String)
        /// A line that begins with `#`, without the `#`.
        case directive(String)
        /// Text that is no token, with the reason. An error only where it is not skipped by a conditional.
        case invalid(String)
        case endOfFile
    }

    var kind: Kind
    var location: Location
    /// Doc comments before the token, markers removed, one line per element.
    var leadingDoc: [String] = []
    /// Doc comments of the `///<` kind before the token: they belong to what came before.
    var trailingDoc: [String] = []

    /// The token as error messages show it.
    var text: String {
        switch kind {
        case .identifier(let name): "'\(name)'"
        case .integer(let value, _): "'\(value)'"
        case .float(let digits): "'\(digits)'"
        case .string: "a string"
        case .character: "a character"
        case .punctuator(let mark): "'\(mark)'"
        case .directive(let line): "'#\(line)'"
        case .invalid(let reason): reason
        case .endOfFile: "the end of the file"
        }
    }

    /// Words that cannot be names. `out`, `inout`, `union`, `native` and others are reserved without a use.
    static let keywords: Set<String> = [
        "typedef", "struct", "union", "switch", "default", "case", "enum", "notnil", "sequence", "interface",
        "string", "wstring", "float", "double", "short", "long", "uint8_t", "uint16_t", "uint32_t",
        "uint64_t",
        "int8_t", "int16_t", "int32_t", "int64_t", "uint8", "uint16", "uint32", "uint64", "int8", "int16",
        "int32", "int64", "unsigned", "char", "wchar", "boolean", "octet", "const", "module", "readonly",
        "attribute", "void", "in", "rout", "inrout", "out", "inout", "TRUE", "FALSE", "local", "native",
        "async", "dmahandle", "ext_params",
    ]
}
