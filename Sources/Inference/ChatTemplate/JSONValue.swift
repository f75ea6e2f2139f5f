/// A JSON value; objects keep their order.
///
/// What templates are given, and what is read and written where conversations are kept.
public indirect enum JSONValue: Hashable, Sendable {
    /// `null`
    case null
    /// `true` or `false`
    case boolean(Bool)
    /// A number without a fraction.
    case integer(Int)
    /// Any other number.
    case number(Double)
    /// A string.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object, its members in order.
    case object([Member])

    /// A member of an object.
    public struct Member: Hashable, Sendable {
        /// The member's name.
        public var name: String
        /// The member's value.
        public var value: JSONValue

        /// A member.
        public init(_ name: String, _ value: JSONValue) { (self.name, self.value) = (name, value) }
    }

    /// A member of an object by its name; nil where there is none, or it is no object.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    /// The elements of an array; nil for anything else.
    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The text of a string; nil for anything else.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// An object with these members.
    public static func object(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
        .object(members.map { Member($0.key, $0.value) })
    }

    /// The value as JSON text.
    ///
    /// - Parameter isIndented: whether it has lines and two spaces a level.
    public func text(isIndented: Bool = false) -> String {
        var result = ""
        write(to: &result, indent: isIndented ? "\n" : nil)
        return result
    }

    private func write(to result: inout String, indent: String?) {
        func write<Element>(
            _ elements: [Element], _ open: String, _ close: String, _ body: (Element, String?) -> Void
        ) {
            result += open
            for (index, element) in elements.enumerated() {
                if index > 0 { result += indent == nil ? ", " : "," }
                if let indent { result += indent + "  " }
                body(element, indent.map { $0 + "  " })
            }
            if let indent, !elements.isEmpty { result += indent }
            result += close
        }
        switch self {
        case .null: result += "null"
        case .boolean(let value): result += value ? "true" : "false"
        case .integer(let value): result += String(value)
        case .number(let value): result += value.isFinite ? Representation.text(of: value) : "null"
        case .string(let text): Self.write(quoted: text, to: &result)
        case .array(let elements):
            write(elements, "[", "]") { element, indent in element.write(to: &result, indent: indent) }
        case .object(let members):
            write(members, "{", "}") { member, indent in
                Self.write(quoted: member.name, to: &result)
                result += ": "
                member.value.write(to: &result, indent: indent)
            }
        }
    }

    private static func write(quoted text: String, to result: inout String) {
        result += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        result += "\""
    }

    /// The template's value.
    ///
    /// - Parameter isContent: whether its strings are what somebody said, so that no token of the model's may be read out
    ///   of them; the names of roles are not, as templates make such tokens of them.
    func value(isContent: Bool) throws -> Value {
        switch self {
        case .null: .none
        case .boolean(let value): .boolean(value)
        case .integer(let value): .integer(value)
        case .number(let value): .float(value)
        case .string(let text): .string(Text(text, isContent: isContent))
        case .array(let elements): try .list(of: try elements.map { try $0.value(isContent: isContent) })
        case .object(let members):
            .dictionary(
                try ValueDictionary(
                    try members.map { member in
                        (
                            .string(Text(member.name, isContent: isContent)),
                            try member.value.value(isContent: isContent && member.name != "role")
                        )
                    }))
        }
    }
}
