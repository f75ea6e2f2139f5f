/// Why a text is no JSON: one line with the place.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line, from 1.
    public let line: Int
    /// What is wrong there.
    public let problem: String

    /// The whole line.
    public var description: String { "line \(line): \(problem)" }
}

extension JSONValue {
    /// Reads JSON text. Numbers without a fraction that are too large for an integer become floating-point ones.
    public init(json text: String) throws(JSONError) {
        var parser = JSONParser(text)
        self = try parser.read()
    }
}

/// Reads JSON as RFC 8259 has it.
private struct JSONParser {
    static let greatestDepth = 90

    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    mutating func read() throws(JSONError) -> JSONValue {
        let value = try readValue()
        skipSpace()
        guard index == bytes.count else { throw failure("something follows the value") }
        return value
    }

    private func failure(_ problem: String) -> JSONError {
        JSONError(line: bytes[..<min(index, bytes.count)].count { $0 == 0x0a } + 1, problem: problem)
    }

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = current, [0x20, 0x0a, 0x0d, 0x09].contains(byte) { index += 1 }
    }

    private mutating func skip(_ text: StaticString) -> Bool {
        let end = index + text.utf8CodeUnitCount
        guard end <= bytes.count,
            (index..<end).allSatisfy({ bytes[$0] == text.utf8Start[$0 - index] })
        else { return false }
        index = end
        return true
    }

    private mutating func readValue() throws(JSONError) -> JSONValue {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.greatestDepth else { throw failure("values are nested too deeply") }
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try readObject()
        case UInt8(ascii: "["): return try readArray()
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "-"): return try readNumber()
        case let byte? where (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte): return try readNumber()
        default: break
        }
        if skip("true") { return .boolean(true) }
        if skip("false") { return .boolean(false) }
        if skip("null") { return .null }
        throw failure(current == nil ? "the text ends too early" : "a value is expected")
    }

    private mutating func readArray() throws(JSONError) -> JSONValue {
        index += 1
        var elements: [JSONValue] = []
        skipSpace()
        if skip("]") { return .array([]) }
        repeat {
            elements.append(try readValue())
            skipSpace()
        } while skip(",")
        guard skip("]") else { throw failure("']' is expected") }
        return .array(elements)
    }

    private mutating func readObject() throws(JSONError) -> JSONValue {
        index += 1
        var members: [JSONValue.Member] = []
        skipSpace()
        if skip("}") { return .object([]) }
        repeat {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw failure("a member's name is expected") }
            let name = try readString()
            skipSpace()
            guard skip(":") else { throw failure("':' is expected") }
            members.append(JSONValue.Member(name, try readValue()))
            skipSpace()
        } while skip(",")
        guard skip("}") else { throw failure("'}' is expected") }
        return .object(members)
    }

    private mutating func readNumber() throws(JSONError) -> JSONValue {
        let start = index
        var isInteger = true
        func digits() -> Int {
            var end = index
            while end < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[end]) { end += 1 }
            return end - index
        }
        _ = skip("-")
        let whole = digits()
        guard whole == 1 || (whole > 1 && current != UInt8(ascii: "0")) else {
            throw failure("a wrong number")
        }
        index += whole
        if skip(".") {
            isInteger = false
            let count = digits()
            guard count > 0 else { throw failure("a wrong number") }
            index += count
        }
        if skip("e") || skip("E") {
            isInteger = false
            _ = skip("+") || skip("-")
            let count = digits()
            guard count > 0 else { throw failure("a wrong number") }
            index += count
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        return .number(Double(text) ?? .infinity)
    }

    private mutating func readString() throws(JSONError) -> String {
        index += 1
        var result: [UInt8] = []
        while let byte = current {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
            case 0..<0x20: throw failure("a control character in a string")
            case UInt8(ascii: "\\"):
                guard let letter = current else { break }
                index += 1
                switch letter {
                case UInt8(ascii: "n"): result.append(0x0a)
                case UInt8(ascii: "t"): result.append(0x09)
                case UInt8(ascii: "r"): result.append(0x0d)
                case UInt8(ascii: "b"): result.append(0x08)
                case UInt8(ascii: "f"): result.append(0x0c)
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(letter)
                case UInt8(ascii: "u"): result += String(try readEscapedScalar()).utf8
                default: throw failure("a wrong escape in a string")
                }
            default: result.append(byte)
            }
        }
        throw failure("a string does not end")
    }

    private mutating func readUnit() throws(JSONError) -> UInt32 {
        let digits = bytes[index...].prefix(4)
        guard digits.count == 4,
            digits.allSatisfy({ Unicode.Scalar($0).digitValue.map { $0 < 16 } ?? false }),
            let unit = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw failure("a wrong escape in a string") }
        index += 4
        return unit
    }

    /// What follows `\u`. Half a pair becomes a replacement character.
    private mutating func readEscapedScalar() throws(JSONError) -> Unicode.Scalar {
        let unit = try readUnit()
        if (0xd800..<0xdc00).contains(unit), bytes[index...].starts(with: [0x5c, 0x75]) {
            let behindFirst = index
            index += 2
            let second = try readUnit()
            if (0xdc00..<0xe000).contains(second) {
                return Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (second - 0xdc00)) ?? "\u{fffd}"
            }
            index = behindFirst
        }
        return Unicode.Scalar(unit) ?? "\u{fffd}"
    }
}
