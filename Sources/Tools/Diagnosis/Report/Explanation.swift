import ErrorCodes
import Foundation

/// What is known of an error code, for a reader.
package struct Explanation {
    private let given: String
    private let codes: [ErrorCode]
    private let range: String?

    /// Explains a number or a name.
    package init(of text: String) {
        given = text
        if let number = Self.number(text) {
            codes = ErrorCodes.explanations(of: number)
            range = ErrorCodes.range(of: number)
        } else {
            codes = ErrorCodes.explanations(ofName: text.uppercased())
            range = nil
        }
    }

    /// Whether a text can be a code at all.
    package static func isCode(_ text: String) -> Bool {
        number(text) != nil
            || text.first?.isLetter == true && text.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
    }

    /// Decimal, hexadecimal with 0x, either with a minus sign; 64 bits as they are printed.
    static func number(_ text: String) -> Int64? {
        let isNegative = text.hasPrefix("-")
        let digits = isNegative ? text.dropFirst() : text[...]
        guard digits.first?.isNumber == true else { return nil }
        let isHexadecimal = digits.lowercased().hasPrefix("0x")
        let magnitude = isHexadecimal ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits)
        guard let magnitude else { return nil }
        guard isNegative else { return Int64(bitPattern: magnitude) }
        return magnitude <= UInt64(Int64.max) ? -Int64(magnitude) : nil
    }

    package var isUnknown: Bool { codes.isEmpty }

    package var text: String {
        guard !codes.isEmpty else {
            let hint = range.map { "\nBy its number it is about \($0)." } ?? ""
            return """
                \(given): unknown. It is no code of AEEStdErr.h, with or without the DSP's offset, and no errno; a \
                module may have returned a code of its own.\(hint)
                """
        }
        return codes.map(Self.text).joined(separator: "\n\n")
    }

    private static func text(_ code: ErrorCode) -> String {
        var lines = ["\(code.name), \(who(code)): \(code.meaning)", "  " + forms(code)]
        if code.causes.isEmpty {
            lines.append("  no cause stands out; the message around the code tells more")
        }
        for cause in code.causes {
            let situation = cause.situation.map { " (\($0.rawValue))" } ?? ""
            lines.append("  - \(cause.reason)\(situation)")
            if !cause.remedy.isEmpty { lines.append("    try: \(ErrorCodes.readable(cause.remedy))") }
        }
        return lines.joined(separator: "\n")
    }

    private static func who(_ code: ErrorCode) -> String {
        switch code.family {
        case .library: "from libcdsprpc or HexagonRPC on the host"
        case .dsp: "from the DSP"
        case .errno: "errno of the kernel"
        }
    }

    /// The same code in the ways in which programs print it.
    private static func forms(_ code: ErrorCode) -> String {
        let hexadecimal = "0x" + String(code.number, radix: 16)
        let signed = Int32(bitPattern: code.number)
        return signed < 0 ? "\(hexadecimal) = \(signed) = \(code.number)" : "\(hexadecimal) = \(code.number)"
    }

    private struct Output: Encodable {
        struct Code: Encodable {
            var family: String
            var number: UInt32
            var name: String
            var meaning: String
            var causes: [Cause]
        }

        struct Cause: Encodable {
            var situation: String?
            var reason: String
            var remedy: String
        }

        var version = 1
        var codes: [Code]
    }

    package func json() throws -> String {
        let output = Output(
            codes: codes.map { code in
                Output.Code(
                    family: code.family.rawValue, number: code.number, name: code.name, meaning: code.meaning,
                    causes: code.causes.map {
                        Output.Cause(
                            situation: $0.situation?.rawValue, reason: $0.reason,
                            remedy: ErrorCodes.readable($0.remedy))
                    })
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(output), as: UTF8.self)
    }
}
