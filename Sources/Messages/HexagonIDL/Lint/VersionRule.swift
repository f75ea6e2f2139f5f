/// An IDL_VERSION that nobody reads.
enum VersionRule: LintRule {
    static let name = "version"
    static let summary = "IDL_VERSION has no effect where it stands or with its type"

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        for item in unit.items where !item.isIncluded {
            guard case .constant(let constant) = item.declaration,
                item.key.split(separator: ":").last == "IDL_VERSION"
            else { continue }
            if item.key == "IDL_VERSION", case .string = constant.value { continue }
            report(
                warning(
                    item.location, "this IDL_VERSION has no effect",
                    hint: "write const string IDL_VERSION = \"1.0.0\" outside of modules and interfaces"))
        }
    }
}
