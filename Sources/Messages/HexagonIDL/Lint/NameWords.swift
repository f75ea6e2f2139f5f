/// The words of a name: `outBuffer`, `out_buffer` and `OUT_BUFFER0` are all "out", "buffer".
struct NameWords {
    let words: [String]

    init(_ name: String) {
        var words: [String] = []
        var current = ""
        var previousIsLower = false
        func finish() {
            if !current.isEmpty { words.append(current.lowercased()) }
            current = ""
        }
        for character in name.unicodeScalars {
            let isUpper = ("A"..."Z").contains(character)
            if character == "_" || ("0"..."9").contains(character) || (isUpper && previousIsLower) {
                finish()
            }
            if character != "_", !("0"..."9").contains(character) { current.unicodeScalars.append(character) }
            previousIsLower = ("a"..."z").contains(character)
        }
        finish()
        self.words = words
    }

    private static let containers: Set<String> = [
        "buf", "buffer", "data", "ptr", "vec", "vector", "array", "tensor", "matrix", "image", "img", "str",
        "string", "values", "mem", "memory", "samples", "bytes",
    ]

    /// Whether the name says one of these and nothing else but what kind of buffer it is.
    func means(_ roles: Set<String>) -> Bool {
        switch words.count {
        case 1: roles.contains(words[0])
        case 2:
            roles.contains(words[0]) && Self.containers.contains(words[1])
                || roles.contains(words[1]) && Self.containers.contains(words[0])
        default: false
        }
    }
}
