/// SentencePiece BPE: characters, merged pair by pair in the order of the results' scores.
struct SentencePieceModel: Sendable {
    private let scores: [Float]
    /// The token of each byte, for characters that are no tokens, or -1.
    private let byteTokens: [Int32]
    private let unknown: Int32?

    init(scores: [Float], byteTokens: [Int32], unknown: Int32?) {
        self.scores = scores
        self.byteTokens = byteTokens
        self.unknown = unknown
    }

    /// A stretch of the text that is one token or one character so far; none where it was merged away.
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

    /// Appends the tokens of a text whose spaces are as the vocabulary has them.
    func encode(
        _ text: UnsafeBufferPointer<UInt8>, _ vocabulary: Vocabulary, into tokens: inout [Int32]
    ) {
        let reader = ScalarReader(text)
        var symbols: [Symbol] = []
        symbols.reserveCapacity(text.count)
        var offset = 0
        while offset < text.count {
            let next = reader.scalar(at: offset, text.count)?.next ?? offset + 1
            symbols.append(Symbol(range: offset..<next, previous: symbols.count - 1, next: symbols.count + 1))
            offset = next
        }
        guard !symbols.isEmpty else { return }
        symbols[symbols.count - 1].next = -1

        var queue = BinaryHeap<Candidate>()
        func consider(_ left: Int, _ right: Int) {
            guard left >= 0, right >= 0 else { return }
            let range = symbols[left].range.lowerBound..<symbols[right].range.upperBound
            guard let token = vocabulary.find(UnsafeBufferPointer(rebasing: text[range])) else { return }
            queue.insert(Candidate(score: scores[Int(token)], left: left, byteCount: range.count))
        }
        for left in 0..<symbols.count - 1 { consider(left, left + 1) }
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
            consider(symbols[left].previous, left)
            consider(left, symbols[left].next)
        }

        var symbol = 0
        while symbol >= 0 {
            let bytes = UnsafeBufferPointer(rebasing: text[symbols[symbol].range])
            if let token = vocabulary.find(bytes) {
                tokens.append(token)
            } else if bytes.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
                for byte in bytes { tokens.append(byteTokens[Int(byte)]) }
            } else if let unknown {
                tokens.append(unknown)
            }
            symbol = symbols[symbol].next
        }
    }
}
