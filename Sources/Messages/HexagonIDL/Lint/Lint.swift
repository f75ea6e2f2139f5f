/// Something that compiles and is probably wrong.
package protocol LintRule: Sendable {
    /// The name by which warnings are switched off.
    static var name: String { get }
    /// What the rule finds, in one line.
    static var summary: String { get }
    /// Whether the rule only applies when it is asked for.
    static var isOptional: Bool { get }

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void)
}

extension LintRule {
    package static var isOptional: Bool { false }

    static func warning(_ location: Location, _ message: String, hint: String) -> Diagnostic {
        Diagnostic(.warning, at: location, message, hint: hint, rule: name)
    }
}

/// Looks for what compiles and is probably wrong.
package enum Lint {
    package static let rules: [any LintRule.Type] = [
        InResultRule.self, ScalarInResultRule.self, RoutInputRule.self, StringRoomRule.self,
        AddressRule.self, NarrowIntegerRule.self, MissingBaseRule.self, PlainInterfaceRule.self,
        BufferLimitRule.self, TargetNameRule.self, UnusedTypeRule.self, VersionRule.self,
    ]

    /// The warnings of all rules that are not optional, in the order of the source.
    ///
    /// - Parameters:
    ///   - disabled: names of rules that are left out.
    ///   - enabled: names of optional rules that are applied too.
    package static func check(
        _ unit: IDLUnit, disabled: Set<String> = [], enabled: Set<String> = []
    ) -> [Diagnostic] {
        var warnings: [Diagnostic] = []
        for rule in rules
        where !disabled.contains(rule.name) && (!rule.isOptional || enabled.contains(rule.name)) {
            rule.check(unit) { warnings.append($0) }
        }
        // Inherited methods belong to several interfaces.
        var seen: Set<Diagnostic> = []
        return warnings.filter { seen.insert($0).inserted }.sorted {
            ($0.location.file, $0.location.line, $0.location.column)
                < ($1.location.file, $1.location.line, $1.location.column)
        }
    }
}

extension IDLUnit {
    /// The methods of all interfaces, inherited ones included.
    var methods: [Method] { interfaces.flatMap(\.methods) }

    /// Every parameter with its method.
    var parameters: [(method: Method, parameter: Parameter)] {
        methods.flatMap { method in method.parameters.map { (method, $0) } }
    }
}

extension IDLType {
    /// Whether a value is memory that a callee may fill: a sequence, a string, an array or a struct.
    var isBuffer: Bool {
        switch resolved {
        case .sequence, .string, .wideString, .array, .structure: true
        default: false
        }
    }

    /// The scalar, if it is one.
    var scalar: ScalarType? {
        if case .scalar(let scalar) = resolved { scalar } else { nil }
    }
}
