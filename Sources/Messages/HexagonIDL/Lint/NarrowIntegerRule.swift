/// `long` has 32 bits in IDL, whatever it has in C on the host.
enum NarrowIntegerRule: LintRule {
    static let name = "long-width"
    static let summary = "a 32-bit integer (long is one) is named like something of 64 bits"

    private static let words: Set<String> = ["ptr", "pointer", "uintptr", "intptr"]

    private static func isWide(_ name: String) -> Bool {
        name.hasSuffix("64") || NameWords(name).words.last.map(words.contains) == true
    }

    private static func isNarrow(_ type: IDLType) -> Bool {
        type.scalar == .int32 || type.scalar == .uint32
    }

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        let hint = "long has 32 bits in IDL; write long long, int64_t or uint64_t"
        for (method, parameter) in unit.parameters where isNarrow(parameter.type) && isWide(parameter.name) {
            report(
                warning(
                    parameter.location,
                    "'\(parameter.name)' of '\(method.name)' is named like 64 bits and has 32", hint: hint))
        }
        for item in unit.items where !item.isIncluded {
            guard case .structure(let type) = item.declaration else { continue }
            for member in type.members where isNarrow(member.type) && isWide(member.name) {
                report(
                    warning(
                        item.location,
                        "'\(member.name)' of '\(type.name)' is named like 64 bits and has 32", hint: hint))
            }
        }
    }
}
