/// A place in an IDL file. Lines and columns count from 1; a column is a byte.
package struct Location: Hashable, Sendable {
    package var file: String
    package var line: Int
    package var column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }
}

extension Location: CustomStringConvertible {
    package var description: String { "\(file):\(line):\(column)" }
}

/// Something wrong with an IDL file, where, and what to do about it.
package struct Diagnostic: Hashable, Sendable {
    package enum Severity: String, Sendable {
        case error
        case warning
    }

    package var severity: Severity
    package var location: Location
    package var message: String
    /// What the author may do about it, or an empty string.
    package var hint: String
    /// The lint rule that a warning comes from, or an empty string.
    package var rule: String
    /// Another place that the message is about, such as an earlier version's.
    package var related: Location?

    package init(
        _ severity: Severity, at location: Location, _ message: String, hint: String = "", rule: String = "",
        related: Location? = nil
    ) {
        self.severity = severity
        self.location = location
        self.message = message
        self.hint = hint
        self.rule = rule
        self.related = related
    }
}

extension Diagnostic: CustomStringConvertible {
    package var description: String {
        headline + (hint.isEmpty ? "" : "\n    \(hint)")
    }

    /// Place, severity, message and rule on one line.
    var headline: String {
        "\(location): \(severity.rawValue): \(message)" + (rule.isEmpty ? "" : " [\(rule)]")
    }
}

/// Why an IDL file was refused: at least one error.
package struct IDLError: Error, CustomStringConvertible {
    package var diagnostics: [Diagnostic]

    package init(_ diagnostics: [Diagnostic]) {
        self.diagnostics = diagnostics
    }

    init(at location: Location, _ message: String, hint: String = "") {
        diagnostics = [Diagnostic(.error, at: location, message, hint: hint)]
    }

    package var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
