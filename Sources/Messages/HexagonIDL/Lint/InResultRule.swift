/// A buffer that is called a result and declared `in`: what the callee writes there is lost.
enum InResultRule: LintRule {
    static let name = "in-result"
    static let summary = "a buffer named like a result (dst, out, result, …) is declared in"

    private static let roles: Set<String> = [
        "dst", "dest", "destination", "out", "output", "result", "res", "ret", "retval",
    ]

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        for (method, parameter) in unit.parameters
        where parameter.direction == .in && parameter.type.isBuffer && isResult(parameter, of: method) {
            report(
                warning(
                    parameter.location,
                    "'\(parameter.name)' of '\(method.name)' is named like a result but declared in",
                    hint: "what the callee writes into an in buffer is lost; declare it rout"))
        }
    }

    private static func isResult(_ parameter: Parameter, of method: Method) -> Bool {
        let name = NameWords(parameter.name)
        if name.means(roles) { return true }
        // y = f(x), as mathematics calls them.
        return name.words == ["y"]
            && method.parameters.contains { $0.name.lowercased() == "x" && $0.type.isBuffer }
            && !method.parameters.contains { $0.direction != .in && $0.type.isBuffer }
    }
}
