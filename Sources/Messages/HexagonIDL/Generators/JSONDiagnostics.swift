/// What lint finds, as JSON.
package enum JSONDiagnostics {
    package static func generate(_ diagnostics: [Diagnostic], file: String) -> String {
        JSON.object([
            ("version", .int(1)), ("file", .string(file)),
            ("errors", .int(diagnostics.count { $0.severity == .error })),
            ("warnings", .int(diagnostics.count { $0.severity == .warning })),
            ("diagnostics", .array(diagnostics.map(describe))),
        ]).text() + "\n"
    }

    private static func describe(_ diagnostic: Diagnostic) -> JSON {
        .object([
            ("severity", .string(diagnostic.severity.rawValue)), ("rule", .string(diagnostic.rule)),
            ("location", describe(diagnostic.location)), ("message", .string(diagnostic.message)),
            ("hint", .string(diagnostic.hint)),
            ("related", diagnostic.related.map(describe) ?? .null),
        ])
    }

    private static func describe(_ location: Location) -> JSON {
        .object([
            ("file", .string(location.file)), ("line", .int(location.line)),
            ("column", .int(location.column)),
        ])
    }
}
