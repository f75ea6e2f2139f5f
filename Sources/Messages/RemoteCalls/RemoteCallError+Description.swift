extension RemoteCallError: CustomStringConvertible {
    /// One line: what failed, the code with its name and meaning, and what to do about it.
    public var description: String {
        var line = "\(operation): \(result)"
        if let meaning = result.meaning { line += ", \(meaning)" }
        if !advice.isEmpty { line += "; \(advice)" }
        return line
    }
}
