import GGUF

/// What a GGUF file says about its tokenizer, as it says it.
struct TokenizerMetadata {
    let path: String
    let model: String
    let preTokenizer: String?
    let tokens: MetadataArray
    let kinds: [Int]?
    let scores: [Float]?
    let merges: MetadataArray?
    let bos: Int?
    let eos: Int?
    let unknown: Int?
    let separator: Int?
    let padding: Int?
    /// More ids at which generation ends.
    let endsOfGeneration: [Int]
    let addsBOS: Bool?
    let addsEOS: Bool?
    let addsSpacePrefix: Bool?
    let modelName: String?

    init(_ file: GGUFFile) throws(GGUFError) {
        let metadata = file.metadata
        func id(_ names: String...) throws(GGUFError) -> Int? {
            for name in names {
                if let id = try metadata.integerIfPresent("tokenizer.ggml.\(name)_token_id") { return id }
            }
            return nil
        }
        path = file.path
        model = try metadata.string("tokenizer.ggml.model")
        preTokenizer = try metadata.stringIfPresent("tokenizer.ggml.pre")
        tokens = try metadata.array("tokenizer.ggml.tokens")
        kinds = try metadata.integersIfPresent("tokenizer.ggml.token_type")
        scores = try metadata.floatsIfPresent("tokenizer.ggml.scores")
        merges = try metadata.arrayIfPresent("tokenizer.ggml.merges")
        bos = try id("bos", "cls")
        eos = try id("eos")
        unknown = try id("unknown")
        // "seperator" is how the key is spelt.
        separator = try id("seperator", "separator")
        padding = try id("padding")
        var ends: [Int] = []
        for name in ["eot", "eom", "fim_pad", "fim_rep", "fim_sep"] {
            if let end = try id(name) { ends.append(end) }
        }
        endsOfGeneration = ends
        addsBOS = try metadata.boolIfPresent("tokenizer.ggml.add_bos_token")
        addsEOS = try metadata.boolIfPresent("tokenizer.ggml.add_eos_token")
        addsSpacePrefix = try metadata.boolIfPresent("tokenizer.ggml.add_space_prefix")
        modelName = try metadata.stringIfPresent("general.name")
    }

    /// Checks the arrays against each other.
    func check() throws(TokenizerError) {
        guard tokens.elementType == .string else {
            throw TokenizerError(path, "tokenizer.ggml.tokens is no array of strings")
        }
        guard (1...Int(Int32.max)).contains(tokens.count) else {
            throw TokenizerError(path, "tokenizer.ggml.tokens has \(tokens.count) elements")
        }
        for (name, count) in [("token_type", kinds?.count), ("scores", scores?.count)] {
            if let count, count != tokens.count {
                throw TokenizerError(
                    path, "tokenizer.ggml.\(name) has \(count) elements for \(tokens.count) tokens")
            }
        }
        let ids = [
            ("bos", bos), ("eos", eos), ("unknown", unknown), ("seperator", separator), ("padding", padding),
        ]
        for (name, id) in ids + endsOfGeneration.map({ ("end-of-generation", $0) }) {
            if let id, !(0..<tokens.count).contains(id) {
                throw TokenizerError(path, "the \(name) token is \(id), but there are \(tokens.count) tokens")
            }
        }
    }
}
