/// Collects the lines of a generated file.
struct SourceWriter {
    private(set) var text = ""
    private var depth = 0
    private let unit: String

    init(indentation: Int = 4) {
        unit = String(repeating: " ", count: indentation)
    }

    /// The column where a line's text begins.
    var margin: Int { depth * unit.utf8.count }

    mutating func line(_ line: String = "") {
        if !line.isEmpty {
            for _ in 0..<depth { text += unit }
            text += line
        }
        text += "\n"
    }

    mutating func lines(_ lines: [String]) {
        for line in lines { self.line(line) }
    }

    /// Writes what `body` writes one level deeper, between two lines.
    mutating func block(
        _ opening: String, _ closing: String = "}", _ body: (inout SourceWriter) throws(IDLError) -> Void
    ) throws(IDLError) {
        line(opening)
        depth += 1
        try body(&self)
        depth -= 1
        line(closing)
    }

    /// Documentation as `///` lines.
    mutating func doc(_ lines: [String]) {
        for text in lines { line(text.isEmpty ? "///" : "/// " + text) }
    }

    /// `opening item, item, … closing` on one line, or with the items on lines of their own.
    mutating func list(_ opening: String, _ items: [String], _ closing: String, limit: Int) {
        let whole = opening + items.joined(separator: ", ") + closing
        if margin + whole.count <= limit { return line(whole) }
        line(opening)
        wrapped(items, limit: limit)
        line(closing)
    }

    /// `item, item, …` one level deeper, as many to a line as fit.
    mutating func wrapped(_ items: [String], limit: Int) {
        depth += 1
        var current = ""
        for (index, item) in items.enumerated() {
            let next = item + (index + 1 < items.count ? "," : "")
            if !current.isEmpty, margin + current.count + 1 + next.count > limit {
                line(current)
                current = ""
            }
            current += (current.isEmpty ? "" : " ") + next
        }
        line(current)
        depth -= 1
    }
}

extension Interface {
    /// The shared object that holds the skel.
    package var moduleFile: String { "lib\(name)_skel.so" }

    /// The function that the DSP's loader looks up in it.
    package var skelSymbol: String { hasHandle ? "\(name)_skel_handle_invoke" : "\(name)_skel_invoke" }

    /// What a session opens, without the domain.
    package func uri(version: String?) -> String {
        "file:///\(moduleFile)?\(skelSymbol)&_modver=1.0" + (version.map { "&_idlver=\($0)" } ?? "")
    }
}

/// The unit's interface; generators of code cannot do without one.
func requireInterface(_ unit: IDLUnit, for what: String) throws(IDLError) -> Interface {
    guard let interface = unit.interface else {
        throw IDLError(
            at: Location(file: unit.path, line: 1, column: 1),
            "there is no interface to generate \(what) from",
            hint: "included interfaces generate nothing; a file of types alone has a C header")
    }
    return interface
}

/// The last component of a path.
func fileName(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
}
