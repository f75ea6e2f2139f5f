/// SentencePiece BPE: characters, merged pair by pair in the order of the results' scores.
struct SentencePieceModel: Sendable {
    fileprivate let scores: [Float]
    /// The token of each byte, for characters that are no tokens, or -1.
    fileprivate let byteTokens: [Int32]
    fileprivate let unknown: Int32?
    /// Whether no token goes on behind a word into the space that follows, so that words can be taken one by one.
    private let keepsWordsApart: Bool

    init(_ vocabulary: Vocabulary, scores: [Float], byteTokens: [Int32], unknown: Int32?) {
        self.scores = scores
        self.byteTokens = byteTokens
        self.unknown = unknown
        keepsWordsApart = (0..<Int32(vocabulary.count)).allSatisfy { token in
            let bytes = vocabulary.bytes(of: token)
            return vocabulary.kinds[Int(token)].isSpecial || !bytes.drop { $0 == 0x20 }.contains(0x20)
        }
    }

    /// Appends the tokens of a text whose spaces are as the vocabulary has them.
    func encode(_ text: UnsafeBufferPointer<UInt8>, _ vocabulary: Vocabulary, into tokens: inout [Int32]) {
        var merger = SentencePieceMerger(self, vocabulary)
        guard keepsWordsApart else { return merger.append(text, &tokens) }
        var cache = WordCache(text)
        var start = 0
        while start < text.count {
            var end = start
            while end < text.count, text[end] == 0x20 { end += 1 }
            while end < text.count, text[end] != 0x20 { end += 1 }
            if let hash = cache.replay(start..<end, into: &tokens) {
                let first = tokens.count
                merger.append(UnsafeBufferPointer(rebasing: text[start..<end]), &tokens)
                cache.record(start..<end, hash, tokens: first..<tokens.count)
            }
            start = end
        }
    }
}

/// Merges one stretch of text.
private struct SentencePieceMerger {
    /// A stretch of the text that is one token or one character so far; empty where it was merged away.
    private struct Symbol {
        var range: Range<Int>
        var previous: Int
        var next: Int
    }

    private struct Candidate: Comparable {
        let score: Float
        let left: Int
        let byteCount: Int

        /// The higher score first, then the one further left.
        static func < (one: Candidate, other: Candidate) -> Bool {
            one.score == other.score ? one.left < other.left : one.score > other.score
        }
    }

    private let model: SentencePieceModel
    private let vocabulary: Vocabulary
    private var symbols: [Symbol] = []
    private var queue = BinaryHeap<Candidate>()

    init(_ model: SentencePieceModel, _ vocabulary: Vocabulary) {
        self.model = model
        self.vocabulary = vocabulary
    }

    mutating func append(_ text: UnsafeBufferPointer<UInt8>, _ tokens: inout [Int32]) {
        guard !text.isEmpty else { return }
        split(text)
        queue.removeAll()
        for left in 0..<symbols.count - 1 { consider(left, left + 1, text) }
        while let candidate = queue.removeFirst() {
            let left = candidate.left
            let right = symbols[left].next
            // Outdated where one of the two has merged with another meanwhile.
            guard right >= 0, !symbols[left].range.isEmpty,
                symbols[right].range.upperBound - symbols[left].range.lowerBound == candidate.byteCount
            else { continue }
            symbols[left].range = symbols[left].range.lowerBound..<symbols[right].range.upperBound
            symbols[right].range = 0..<0
            symbols[left].next = symbols[right].next
            if symbols[left].next >= 0 { symbols[symbols[left].next].previous = left }
            consider(symbols[left].previous, left, text)
            consider(left, symbols[left].next, text)
        }
        var symbol = 0
        while symbol >= 0 {
            append(symbolOf: UnsafeBufferPointer(rebasing: text[symbols[symbol].range]), &tokens)
            symbol = symbols[symbol].next
        }
    }

    private mutating func split(_ text: UnsafeBufferPointer<UInt8>) {
        let reader = ScalarReader(text)
        symbols.removeAll(keepingCapacity: true)
        var offset = 0
        while offset < text.count {
            let next = reader.scalar(at: offset, text.count)?.next ?? offset + 1
            symbols.append(Symbol(range: offset..<next, previous: symbols.count - 1, next: symbols.count + 1))
            offset = next
        }
        symbols[symbols.count - 1].next = -1
    }

    private mutating func consider(_ left: Int, _ right: Int, _ text: UnsafeBufferPointer<UInt8>) {
        guard left >= 0, right >= 0 else { return }
        let range = symbols[left].range.lowerBound..<symbols[right].range.upperBound
        guard let token = vocabulary.find(UnsafeBufferPointer(rebasing: text[range])) else { return }
        queue.insert(Candidate(score: model.scores[Int(token)], left: left, byteCount: range.count))
    }

    private func append(symbolOf bytes: UnsafeBufferPointer<UInt8>, _ tokens: inout [Int32]) {
        if let token = vocabulary.find(bytes) {
            tokens.append(token)
        } else if bytes.allSatisfy({ model.byteTokens[Int($0)] >= 0 }) {
            for byte in bytes { tokens.append(model.byteTokens[Int(byte)]) }
        } else if let unknown = model.unknown {
            tokens.append(unknown)
        }
    }
}
