import GGUF

/// Byte-level BPE: words of bytes, merged pair by pair in the order of the merges' ranks.
struct BytePairModel: Sendable {
    let preTokenizer: PreTokenizer
    fileprivate let merges: MergeTable
    /// The token of each byte, or -1.
    fileprivate let byteTokens: [Int32]
    /// What stands for a byte that has no token.
    fileprivate let unknown: Int32?

    /// Reads the merges: each is the two halves' texts with a space between, and all three are tokens.
    init(
        _ list: MetadataArray, vocabulary: Vocabulary, preTokenizer: PreTokenizer, unknown: Int32?,
        path: String
    ) throws(TokenizerError) {
        self.preTokenizer = preTokenizer
        self.unknown = unknown
        byteTokens = (0...255).map { byte in
            withUnsafeBytes(of: UInt8(byte)) { vocabulary.find($0.assumingMemoryBound(to: UInt8.self)) ?? -1 }
        }
        guard list.count <= UInt32.max else {
            throw TokenizerError(path, "tokenizer.ggml.merges has \(list.count) elements, which is too many")
        }
        var table = MergeTable(capacity: list.count)
        var rank: UInt32 = 0
        var scratch: [UInt8] = []
        var problem: String?
        list.forEachString { text in
            if problem == nil, let what = table.insert(text, rank: rank, vocabulary, &scratch) {
                problem = "\(quoted(String(decoding: text, as: UTF8.self))) \(what)"
            }
            rank += 1
        }
        if let problem { throw TokenizerError(path, "tokenizer.ggml.merges: merge \(problem)") }
        merges = table
    }
}

/// From pairs of tokens to the rank of their merge and what it makes.
private struct MergeTable: Sendable {
    private struct Slot {
        /// Left token above, right token below.
        var pair = UInt64.max
        /// Rank above, merged token below.
        var merge: UInt64 = 0
    }

    private var slots: [Slot]

    init(capacity: Int) {
        var size = 16
        while size * 3 < capacity * 4 { size *= 2 }
        slots = [Slot](repeating: Slot(), count: size)
    }

    @inline(__always)
    private func start(_ pair: UInt64) -> Int {
        let mixed = (pair ^ pair >> 31) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: mixed >> 24) & (slots.count - 1)
    }

    @inline(__always)
    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Adds a merge as the file has it; returns what is wrong with it, if anything.
    mutating func insert(
        _ text: UnsafeRawBufferPointer, rank: UInt32, _ vocabulary: Vocabulary, _ scratch: inout [UInt8]
    ) -> String? {
        // The first byte is never the separator.
        guard let space = text.dropFirst().firstIndex(of: UInt8(ascii: " ")) else {
            return "is not two texts with a space between"
        }
        scratch.removeAll(keepingCapacity: true)
        ByteAlphabet.decode(UnsafeRawBufferPointer(rebasing: text[..<space]), into: &scratch)
        let middle = scratch.count
        ByteAlphabet.decode(UnsafeRawBufferPointer(rebasing: text[(space + 1)...]), into: &scratch)
        return scratch.withUnsafeBufferPointer { bytes in
            let left = UnsafeBufferPointer(rebasing: bytes[..<middle])
            let right = UnsafeBufferPointer(rebasing: bytes[middle...])
            var hash = ByteHash.of(left)
            guard let leftToken = vocabulary.find(left, hash),
                let rightToken = vocabulary.find(right, ByteHash.of(right))
            else { return "joins texts that are no tokens" }
            for byte in right { hash.add(byte) }
            guard let merged = vocabulary.find(bytes, hash) else { return "makes a text that is no token" }
            insert(leftToken, rightToken, rank: rank, merged: merged)
            return nil
        }
    }

    /// Of two merges of the same pair the first counts.
    mutating func insert(_ left: Int32, _ right: Int32, rank: UInt32, merged: Int32) {
        let pair = Self.pair(left, right)
        var slot = start(pair)
        while slots[slot].pair != .max {
            if slots[slot].pair == pair { return }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = Slot(pair: pair, merge: UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merged)))
    }

    /// Rank above, merged token below; all ones where the pair does not merge.
    @inline(__always)
    func find(_ left: Int32, _ right: Int32) -> UInt64 {
        let pair = Self.pair(left, right)
        var slot = start(pair)
        while slots[slot].pair != .max {
            if slots[slot].pair == pair { return slots[slot].merge }
            slot = (slot + 1) & (slots.count - 1)
        }
        return .max
    }
}

/// One text's tokens, as they come.
struct BytePairEncoder {
    private let model: BytePairModel
    private let vocabulary: Vocabulary
    private let text: UnsafeBufferPointer<UInt8>
    private var merger: BytePairMerger
    private var cache: WordCache

    /// `text` must live as long as this does.
    init(_ model: BytePairModel, _ vocabulary: Vocabulary, _ text: UnsafeBufferPointer<UInt8>) {
        self.model = model
        self.vocabulary = vocabulary
        self.text = text
        merger = BytePairMerger(model)
        cache = WordCache(text)
    }

    /// Appends the tokens of a piece of the text; between calls `tokens` may only grow.
    mutating func encode(_ piece: Range<Int>, into tokens: inout [Int32]) {
        let preTokenizer = model.preTokenizer
        preTokenizer.forEachWord(of: UnsafeBufferPointer(rebasing: text[piece])) { word in
            append(piece.lowerBound + word.lowerBound..<piece.lowerBound + word.upperBound, &tokens)
        }
    }

    private mutating func append(_ range: Range<Int>, _ tokens: inout [Int32]) {
        guard let hash = cache.replay(range, into: &tokens) else { return }
        let word = UnsafeBufferPointer(rebasing: text[range])
        let start = tokens.count
        if model.preTokenizer.takesWholeWords, word.count <= vocabulary.longestToken,
            let token = vocabulary.find(word, hash)
        {
            tokens.append(token)
        } else {
            merger.append(word, &tokens)
        }
        cache.record(range, hash, tokens: start..<tokens.count)
    }
}

/// Merges one word's bytes.
private struct BytePairMerger {
    private let model: BytePairModel
    /// Of the tokens so far, and of each with its right neighbour what the merge table says.
    private var tokens: [Int32] = []
    private var merges: [UInt64] = []
    /// For long words: neighbours by position (-1 is none), and the merges to come.
    private var previous: [Int] = []
    private var next: [Int] = []
    private var queue = BinaryHeap<Candidate>()

    /// Up to this many bytes, looking for the least rank beats keeping a queue.
    private static let shortWord = 48

    private struct Candidate: Comparable {
        let merge: UInt64
        let left: Int
        let leftToken: Int32
        let rightToken: Int32

        static func < (one: Candidate, other: Candidate) -> Bool {
            let (rank, otherRank) = (one.merge >> 32, other.merge >> 32)
            return rank == otherRank ? one.left < other.left : rank < otherRank
        }
    }

    init(_ model: BytePairModel) {
        self.model = model
    }

    mutating func append(_ word: UnsafeBufferPointer<UInt8>, _ output: inout [Int32]) {
        tokens.removeAll(keepingCapacity: true)
        for byte in word {
            let token = model.byteTokens[Int(byte)]
            // A byte that the vocabulary cannot say becomes the unknown token, or nothing.
            if token >= 0 {
                tokens.append(token)
            } else if let unknown = model.unknown {
                tokens.append(unknown)
            }
        }
        if tokens.count <= Self.shortWord { mergeByLooking() } else { mergeByQueue() }
        output.append(contentsOf: tokens)
    }

    private mutating func mergeByLooking() {
        guard tokens.count > 1 else { return }
        merges.removeAll(keepingCapacity: true)
        for left in 0..<tokens.count - 1 { merges.append(model.merges.find(tokens[left], tokens[left + 1])) }
        while true {
            var best = UInt64.max
            var left = 0
            for (place, merge) in merges.enumerated() where merge >> 32 < best >> 32 {
                best = merge
                left = place
            }
            guard best != .max else { return }
            tokens[left] = Int32(truncatingIfNeeded: best)
            tokens.remove(at: left + 1)
            merges.remove(at: left)
            if left < merges.count { merges[left] = model.merges.find(tokens[left], tokens[left + 1]) }
            if left > 0 { merges[left - 1] = model.merges.find(tokens[left - 1], tokens[left]) }
        }
    }

    private mutating func mergeByQueue() {
        let count = tokens.count
        previous = Array(-1..<count - 1)
        next = Array(1...count)
        next[count - 1] = -1
        queue.removeAll()
        for left in 0..<count - 1 { consider(left, left + 1) }
        while let candidate = queue.removeFirst() {
            let left = candidate.left
            let right = next[left]
            // Outdated where a neighbour has merged meanwhile; a merged-away token is -1.
            guard right >= 0, tokens[left] == candidate.leftToken, tokens[right] == candidate.rightToken
            else { continue }
            tokens[left] = Int32(truncatingIfNeeded: candidate.merge)
            tokens[right] = -1
            next[left] = next[right]
            if next[left] >= 0 { previous[next[left]] = left }
            consider(previous[left], left)
            consider(left, next[left])
        }
        tokens.removeAll { $0 < 0 }
    }

    private mutating func consider(_ left: Int, _ right: Int) {
        guard left >= 0, right >= 0 else { return }
        let merge = model.merges.find(tokens[left], tokens[right])
        guard merge != .max else { return }
        queue.insert(Candidate(merge: merge, left: left, leftToken: tokens[left], rightToken: tokens[right]))
    }
}
