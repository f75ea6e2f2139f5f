/// Finds tokens that are taken out of the text before anything else happens to it.
///
/// The leftmost one counts, and of several there the longest.
struct SpecialTokenMatcher: Sendable {
    /// A trie: from a node (above) and a byte (below) to the next node.
    private var edges: [UInt64: Int] = [:]
    /// By node, the token that ends there, or -1. Node 0 is the root.
    private var tokens: [Int32] = [-1]
    private var begins = [Bool](repeating: false, count: 256)

    mutating func insert(_ text: some Sequence<UInt8>, _ token: Int32) {
        var node = 0
        for byte in text {
            if node == 0 { begins[Int(byte)] = true }
            let edge = UInt64(node) << 8 | UInt64(byte)
            if let child = edges[edge] {
                node = child
            } else {
                edges[edge] = tokens.count
                node = tokens.count
                tokens.append(-1)
            }
        }
        if node > 0, tokens[node] < 0 { tokens[node] = token }
    }

    /// The token with exactly this text.
    func find(_ text: some Sequence<UInt8>) -> Int32? {
        var node = 0
        for byte in text {
            guard let child = edges[UInt64(node) << 8 | UInt64(byte)] else { return nil }
            node = child
        }
        return tokens[node] >= 0 ? tokens[node] : nil
    }

    /// The next token at or behind `offset` that `accepts` allows.
    func next(
        in text: UnsafeBufferPointer<UInt8>, from offset: Int, accepts: (Int32) -> Bool
    ) -> (token: Int32, range: Range<Int>)? {
        for start in offset..<text.count where begins[Int(text[start])] {
            var found: (Int32, Range<Int>)?
            var node = 0
            for end in start..<text.count {
                guard let child = edges[UInt64(node) << 8 | UInt64(text[end])] else { break }
                node = child
                if tokens[node] >= 0, accepts(tokens[node]) { found = (tokens[node], start..<end + 1) }
            }
            if let found { return found }
        }
        return nil
    }
}

/// Tokens that are known by their text, because files do not say what they are for. As llama.cpp has them.
enum KnownTokens {
    /// Generation ends at these.
    static let endsOfGeneration = [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
        "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]",
        "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>",
        "<｜end▁of▁sentence｜>",
    ]

    /// And at the first there is of each of these: padding, repository and file marks of code completion.
    static let fillInTheMiddle = [
        ["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"],
        ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
        ["<|file_sep|>"],
    ]

    /// Where all of a group are, the group's last ends a message or is text, and generation goes on.
    static let exceptions = [
        ["<|return|>", "<|call|>", "<|end|>"], ["<|calls|>", "<|flush|>", "<|end|>"],
        ["<|tool_response>", "</s>"],
    ]

    static let all = Set((endsOfGeneration + fillInTheMiddle.joined()).map { Array($0.utf8) })
    /// The bytes they begin with and the longest one's length, to sort most tokens out at once.
    static let firstBytes = Set(all.compactMap(\.first))
    static let longest = all.map(\.count).max() ?? 0
}
