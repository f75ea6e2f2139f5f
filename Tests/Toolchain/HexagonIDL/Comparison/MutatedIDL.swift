#if canImport(TestSupport)
    import TestSupport
#endif

/// Damage to an IDL file that keeps it looking like one.
enum MutatedIDL {
    private static let words = [
        "in", "rout", "inrout", "out", "long", "octet", "string", "sequence", "struct", "enum", "interface",
        "typedef", "const", "async", "readonly", "attribute", "dmahandle", "void", "unsigned", "wstring",
        "boolean", "module", "union", "{", "}", "(", ")", "<", ">", ";", ",", ":", "::", "[", "]", "=", "-",
        "~",
        "0", "1", "x", "\"text\"", "1.5",
    ]

    /// The text with a word or two removed, doubled, exchanged or replaced.
    static func mutated(_ text: String, seed: UInt64) -> String {
        var random = SeededGenerator(seed)
        var tokens = split(text)
        // Include lines are no words.
        guard tokens.count > 4 else { return text }
        for _ in 0..<(Int.random(in: 0..<4, using: &random) == 0 ? 2 : 1) {
            let at = Int.random(in: 0..<tokens.count, using: &random)
            guard !tokens[at].hasPrefix("#") else { continue }
            switch Int.random(in: 0..<10, using: &random) {
            case 0: tokens.remove(at: at)
            case 1: tokens.insert(tokens[at], at: at)
            case 2: tokens[at] = words.randomElement(using: &random) ?? ""
            case 3:
                let other = Int.random(in: 0..<tokens.count, using: &random)
                if !tokens[other].hasPrefix("#") { tokens.swapAt(at, other) }
            default:
                // A name or keyword for another, which the grammar often allows.
                let named = tokens.indices.filter { tokens[$0].first?.isLetter == true }
                guard let from = named.randomElement(using: &random),
                    let to = named.randomElement(using: &random)
                else { continue }
                tokens[to] = tokens[from]
            }
        }
        return tokens.map { $0.hasPrefix("#") ? "\n\($0)\n" : "\($0) " }.joined()
    }

    /// Words, marks, strings, and lines that begin with `#`; comments are left out.
    static func split(_ text: String) -> [String] {
        var tokens: [String] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") {
                tokens.append(String(line))
                continue
            }
            var word = ""
            var isQuoted = false
            func isPart(_ character: Character) -> Bool {
                character.isLetter || character.isNumber || character == "_" || character == "."
            }
            var rest = line[...]
            while let character = rest.first {
                if word.isEmpty, !isQuoted, rest.hasPrefix("//") || rest.hasPrefix("/*") { break }
                rest.removeFirst()
                if isQuoted || character == "\"" {
                    word.append(character)
                    if character == "\"" { isQuoted.toggle() }
                } else if isPart(character) {
                    word.append(character)
                } else {
                    if !word.isEmpty { tokens.append(word) }
                    word = ""
                    if [":", "<", ">"].contains(character), rest.first == character {
                        rest.removeFirst()
                        tokens.append("\(character)\(character)")
                    } else if !character.isWhitespace {
                        tokens.append(String(character))
                    }
                }
            }
            if !word.isEmpty { tokens.append(word) }
        }
        return tokens
    }
}
