/// The words of one text that have been tokenized already, by their bytes.
struct WordCache {
    /// Where a word is in the text, and where its tokens are in the output.
    private struct Word {
        let text: Range<Int>
        let tokens: Range<Int>
    }

    private let text: UnsafeBufferPointer<UInt8>
    private var words: [Word] = []
    private var index = ByteStringIndex(capacity: 64)

    /// `text` must live as long as this does, and the output that words are recorded from may only grow.
    init(_ text: UnsafeBufferPointer<UInt8>) {
        self.text = text
    }

    /// Appends the tokens of a word that was seen before; for a new one returns its hash.
    @inline(__always)
    func replay(_ range: Range<Int>, into tokens: inout [Int32]) -> ByteHash? {
        let hash = ByteHash.of(UnsafeBufferPointer(rebasing: text[range]))
        let seen = index.find(hash) { number in
            let other = words[Int(number)].text
            guard other.count == range.count else { return false }
            for offset in 0..<range.count
            where text[other.lowerBound + offset] != text[range.lowerBound + offset] { return false }
            return true
        }
        guard let seen else { return hash }
        for token in words[Int(seen)].tokens { tokens.append(tokens[token]) }
        return nil
    }

    /// Remembers a new word's tokens.
    mutating func record(_ range: Range<Int>, _ hash: ByteHash, tokens: Range<Int>) {
        guard let number = Int32(exactly: words.count) else { return }
        index.insert(number, hash)
        words.append(Word(text: range, tokens: tokens))
    }
}
