/// A scalar that is called an output and declared `in`.
enum ScalarInResultRule: LintRule {
    static let name = "in-scalar-result"
    static let summary = "a scalar named like an output (out, output, retval) is declared in"

    /// Not "result": callbacks send the result of something earlier.
    private static let names: Set<String> = [
        "out", "output", "retval", "outval", "ret val", "out val", "out value", "return value", "ret value",
        "result out", "out result",
    ]

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        for (method, parameter) in unit.parameters
        where parameter.direction == .in && parameter.type.scalar != nil
            && names.contains(NameWords(parameter.name).words.joined(separator: " "))
        {
            report(
                warning(
                    parameter.location,
                    "'\(parameter.name)' of '\(method.name)' is named like an output but declared in",
                    hint: "the callee cannot return anything in it; declare it rout"))
        }
    }
}
