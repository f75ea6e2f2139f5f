/// A returned string with a bound. The bound is not sent: the caller's capacity decides, and its last byte
/// always becomes the NUL.
enum StringRoomRule: LintRule {
    static let name = "string-room"
    static let summary = "a returned string has a bound, which leaves no room for its NUL"

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        for (method, parameter) in unit.parameters
        where parameter.direction != .in && parameter.isBounded && isString(parameter.type) {
            report(
                warning(
                    parameter.location,
                    "the bound of '\(parameter.name)' of '\(method.name)' reserves nothing, not even its NUL",
                    hint:
                        "the caller's capacity counts, and stub and skel put a NUL into its last place: "
                        + "remove the bound, and pass one more than the longest text"))
        }
    }

    private static func isString(_ type: IDLType) -> Bool {
        switch type.resolved {
        case .string, .wideString: true
        default: false
        }
    }
}
