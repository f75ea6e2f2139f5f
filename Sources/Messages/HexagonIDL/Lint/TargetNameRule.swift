/// A name that C or Swift takes for something else, so that the generated code spells it differently.
enum TargetNameRule: LintRule {
    static let name = "target-name"
    static let summary = "a name is a C keyword or a macro of C's headers"

    /// Macros that compilers and the standard headers define, whatever one includes.
    private static let macros: Set<String> = [
        "linux", "unix", "NULL", "errno", "stdin", "stdout", "stderr", "EOF", "assert", "offsetof", "INT_MAX",
        "INT_MIN", "SIZE_MAX", "UINT32_MAX", "INT32_MAX", "alloca", "I", "complex",
    ]

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        for (_, parameter) in unit.parameters { check(parameter.name, parameter.location, report) }
        for item in unit.items where !item.isIncluded {
            switch item.declaration {
            case .structure(let type):
                for member in type.members { check(member.name, item.location, report) }
            case .enumeration(let type):
                for value in type.cases { check(value.name, item.location, report) }
            case .alias(let type): check(type.name, item.location, report)
            case .constant(let constant): check(constant.name, item.location, report)
            }
        }
    }

    private static func check(_ name: String, _ location: Location, _ report: (Diagnostic) -> Void) {
        if macros.contains(name) {
            report(
                warning(
                    location, "C's compilers or headers define the macro '\(name)'",
                    hint: "give it another name"))
        } else if CNames.identifier(name) != name {
            report(
                warning(
                    location, "'\(name)' is a keyword of C or C++, and becomes '\(CNames.identifier(name))'",
                    hint: "give it another name"))
        }
    }
}
