/// The errors of one phase, of which only so many are kept.
struct ErrorList {
    private static let limit = 20

    private var diagnostics: [Diagnostic] = []

    private(set) var isFull = false

    /// Notes an error, but only one for each place. An error without diagnostics follows from one that is
    /// noted already.
    mutating func add(_ error: IDLError) {
        for diagnostic in error.diagnostics where !isFull {
            if diagnostics.contains(where: { $0.location == diagnostic.location }) { continue }
            diagnostics.append(diagnostic)
            guard diagnostics.count == Self.limit else { continue }
            isFull = true
            diagnostics.append(
                Diagnostic(.error, at: diagnostic.location, "too many errors; the rest is not shown"))
        }
    }

    /// Notes an error and throws all when there is no room for more.
    mutating func addOrThrow(_ error: IDLError) throws(IDLError) {
        add(error)
        if isFull { throw IDLError(diagnostics) }
    }

    /// Throws if any error was noted.
    func check() throws(IDLError) {
        if !diagnostics.isEmpty { throw IDLError(diagnostics) }
    }
}
