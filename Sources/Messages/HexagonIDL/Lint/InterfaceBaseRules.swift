/// The file includes remote.idl, but none of its interfaces derives from anything.
enum MissingBaseRule: LintRule {
    static let name = "missing-base"
    static let summary = "the file includes remote.idl, yet its interface derives from nothing"

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        guard unit.includesRemote, unit.interfaces.allSatisfy({ $0.base == nil }) else { return }
        for interface in unit.interfaces where !interface.methods.isEmpty {
            report(
                warning(
                    interface.location, "'\(interface.name)' has no handle of its own",
                    hint: PlainInterfaceRule.hint))
        }
    }
}

/// Any interface that does not derive from remote_handle64. Fine for what hosts and static handles serve.
enum PlainInterfaceRule: LintRule {
    static let name = "plain-interface"
    static let summary = "an interface does not derive from remote_handle64 (only when asked for)"
    static let isOptional = true

    static let hint =
        "without ': remote_handle64' a caller can choose neither domain nor session, and all callers share one"

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        for interface in unit.interfaces where !interface.hasHandle {
            report(
                warning(
                    interface.location, "'\(interface.name)' does not derive from remote_handle64", hint: hint
                ))
        }
    }
}
