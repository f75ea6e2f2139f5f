extension Diagnostic {
    private static let widest = 120

    /// The diagnostic with the line of the source that it is about and a caret below the place.
    ///
    /// - Parameter source: the text of the file that `location` names, or nil where it is not at hand.
    package func text(withExcerptFrom source: [UInt8]?) -> String {
        guard let source, let excerpt = Self.excerpt(of: source, at: location) else { return description }
        return headline + "\n" + excerpt + (hint.isEmpty ? "" : "\n    \(hint)")
    }

    private static func excerpt(of source: [UInt8], at location: Location) -> String? {
        let lines = source.split(
            separator: UInt8(ascii: "\n"), maxSplits: location.line, omittingEmptySubsequences: false)
        guard location.line >= 1, location.line <= lines.count else { return nil }
        var line = lines[location.line - 1]
        if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
        var before = location.column - 1
        guard before >= 0, before <= line.count, !line.isEmpty else { return nil }
        // Of a long line, what surrounds the place.
        if line.count > widest {
            let dropped = max(0, min(before - widest / 2, line.count - widest))
            line = line.dropFirst(dropped).prefix(widest)
            before -= dropped
        }
        // Every character before the place takes one column; tabs stay tabs so that the caret lines up.
        let prefix = String(decoding: line.prefix(before), as: UTF8.self)
        let indentation = String(prefix.map { $0 == "\t" ? "\t" : " " })
        let shown = String(
            String.UnicodeScalarView(
                String(decoding: line, as: UTF8.self).unicodeScalars.map {
                    $0.value < 0x20 && $0 != "\t" || $0.value == 0x7f ? "\u{fffd}" : $0
                }))
        return "    \(shown)\n    \(indentation)^"
    }
}
