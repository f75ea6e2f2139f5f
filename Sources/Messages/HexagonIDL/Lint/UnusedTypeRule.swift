/// A struct or typedef of a file with interfaces that nothing refers to.
enum UnusedTypeRule: LintRule {
    static let name = "unused-type"
    static let summary = "a struct or typedef is not used by anything in the file"

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        // Files of types alone are there for others.
        guard unit.interfaces.contains(where: { !$0.methods.isEmpty }) else { return }
        for item in unit.items where !item.isIncluded && !item.isUsed {
            switch item.declaration {
            case .structure, .alias: break
            case .enumeration, .constant: continue
            }
            report(
                warning(
                    item.location, "nothing uses the type '\(item.declaration.name)'",
                    hint: "remove it, or move it to a file of types that others include"))
        }
    }
}
