/// The little of YAML that board files use: `machines`, below it models, below each `DSP_LIBRARY_PATH`.
package enum BoardFile {
    /// The library path of a model, or nil.
    package static func libraryPath(of model: String, in lines: [Substring]) -> String? {
        var inMachines = false
        var modelIndent: Int?
        var inModel = false
        var result: String?
        for line in lines {
            let indent = line.prefix { $0 == " " }.count
            let content = line.dropFirst(indent)
            guard !content.isEmpty, !content.hasPrefix("#"), let (key, value) = split(content) else {
                continue
            }
            if indent == 0 {
                inMachines = key == "machines"
                modelIndent = nil
                inModel = false
            } else if inMachines, indent == modelIndent ?? indent {
                modelIndent = indent
                inModel = key == model
            } else if inModel, key == "DSP_LIBRARY_PATH" {
                result = value
            }
        }
        return result
    }

    /// Key and value of a line; either may be quoted.
    private static func split(_ line: Substring) -> (key: String, value: String)? {
        let key: Substring
        var rest: Substring
        if let quote = line.first, quote == "\"" || quote == "'" {
            guard let end = line.dropFirst().firstIndex(of: quote) else { return nil }
            key = line[line.index(after: line.startIndex)..<end]
            rest = line[line.index(after: end)...]
        } else {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            key = line[..<colon]
            rest = line[colon...]
        }
        guard rest.first == ":" else { return nil }
        rest = rest.dropFirst().drop { $0 == " " }
        if let quote = rest.first, quote == "\"" || quote == "'" {
            rest = rest.dropFirst().prefix { $0 != quote }
        } else {
            if let comment = rest.firstRange(of: " #") { rest = rest[..<comment.lowerBound] }
            while rest.last == " " || rest.last == "\r" { rest = rest.dropLast() }
        }
        return (String(key), String(rest))
    }
}
