/// A buffer that is called an input and declared `rout`: its contents never reach the callee.
enum RoutInputRule: LintRule {
    static let name = "rout-input"
    static let summary = "a buffer named like an input (src, in, input, source) is declared rout"

    private static let roles: Set<String> = ["src", "source", "in", "input", "inp"]

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        for (method, parameter) in unit.parameters
        where parameter.direction == .rout && parameter.type.isBuffer
            && NameWords(parameter.name).means(roles)
        {
            report(
                warning(
                    parameter.location,
                    "'\(parameter.name)' of '\(method.name)' is named like an input but declared rout",
                    hint: "the callee gets empty memory; declare it in, or inrout if it is changed in place"))
        }
    }
}
