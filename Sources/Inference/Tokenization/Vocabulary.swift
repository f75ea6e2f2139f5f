import GGUF

/// What a token is for; the numbers are those of `tokenizer.ggml.token_type`.
enum TokenKind: UInt8 {
    case undefined = 0
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6

    /// Recognised in text only when the caller asks for it.
    var isSpecial: Bool { self == .control || self == .unknown }
    /// Found as it is written, before the rest of the text is tokenized; not by merging.
    var isTakenFromText: Bool { isSpecial || self == .userDefined }
}

/// Every token's bytes as they appear in text, and the way back from bytes to tokens.
struct Vocabulary: Sendable {
    /// All tokens' bytes, one behind the other: text, without the vocabulary's own escapes.
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private(set) var kinds: [TokenKind] = []
    private var index = ByteStringIndex(capacity: 0)
    /// The longest token that text can become without being asked for.
    private(set) var longestToken = 0

    var count: Int { kinds.count }

    init(capacity: Int) {
        ends.reserveCapacity(capacity)
        kinds.reserveCapacity(capacity)
    }

    /// Appends a token; `write` appends its bytes to the array it is given.
    mutating func append(_ kind: TokenKind, _ write: (inout [UInt8]) -> Void) {
        write(&bytes)
        ends.append(bytes.count)
        kinds.append(kind)
    }

    mutating func setKind(_ kind: TokenKind, of token: Int32) {
        kinds[Int(token)] = kind
    }

    func range(of token: Int) -> Range<Int> {
        (token == 0 ? 0 : ends[token - 1])..<ends[token]
    }

    /// The bytes of a token, or none for a number that is no token.
    func bytes(of token: Int32) -> ArraySlice<UInt8> {
        kinds.indices.contains(Int(token)) ? bytes[range(of: Int(token))] : []
    }

    /// Makes the tokens of these kinds findable by their bytes; of equal ones the first of the first kind is.
    mutating func buildIndex(of kindsInOrder: [TokenKind]) {
        index = ByteStringIndex(capacity: count)
        longestToken = 0
        for kind in kindsInOrder {
            for token in kinds.indices where kinds[token] == kind {
                let range = range(of: token)
                longestToken = max(longestToken, range.count)
                let (hash, isNew) = bytes.withUnsafeBufferPointer { bytes in
                    let key = UnsafeBufferPointer(rebasing: bytes[range])
                    let hash = ByteHash.of(key)
                    return (hash, find(key, hash) == nil)
                }
                if isNew { index.insert(Int32(token), hash) }
            }
        }
    }

    /// The token with exactly these bytes.
    func find(_ key: UnsafeBufferPointer<UInt8>) -> Int32? {
        key.count > longestToken ? nil : find(key, ByteHash.of(key))
    }

    /// The token with exactly these bytes, whose hash is known.
    func find(_ key: UnsafeBufferPointer<UInt8>, _ hash: ByteHash) -> Int32? {
        index.find(hash) { token in
            let range = range(of: Int(token))
            guard range.count == key.count else { return false }
            for offset in key.indices where bytes[range.lowerBound + offset] != key[offset] { return false }
            return true
        }
    }
}

/// FNV-1a, 64 bit: the hash of two strings in a row goes on from the first one's.
struct ByteHash {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    @inline(__always)
    mutating func add(_ byte: UInt8) {
        value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
    }

    @inline(__always)
    static func of(_ bytes: UnsafeBufferPointer<UInt8>) -> ByteHash {
        var hash = ByteHash()
        for byte in bytes { hash.add(byte) }
        return hash
    }

    /// 32 well mixed bits.
    @inline(__always)
    var mixed: UInt32 {
        let folded = (value ^ value >> 29) &* 0x9e37_79b9_7f4a_7c15
        return UInt32(truncatingIfNeeded: folded >> 32)
    }
}

/// An open-addressing table from hashes to numbers; the caller compares what the numbers stand for.
struct ByteStringIndex: Sendable {
    /// The hash, and the number plus one below it; 0 is an empty slot.
    private var slots: [UInt64]
    private var count = 0

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = [UInt64](repeating: 0, count: size)
    }

    @inline(__always)
    func find(_ hash: ByteHash, isEqual: (Int32) -> Bool) -> Int32? {
        let mixed = hash.mixed
        var slot = Int(mixed) & (slots.count - 1)
        while slots[slot] != 0 {
            if slots[slot] >> 32 == mixed {
                let number = Int32(truncatingIfNeeded: slots[slot]) &- 1
                if isEqual(number) { return number }
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Adds a number that is not there yet.
    mutating func insert(_ number: Int32, _ hash: ByteHash) {
        if count * 4 >= slots.count * 3 { grow() }
        Self.put(UInt64(hash.mixed) << 32 | UInt64(UInt32(bitPattern: number &+ 1)), in: &slots)
        count += 1
    }

    private static func put(_ entry: UInt64, in slots: inout [UInt64]) {
        var slot = Int(entry >> 32) & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = entry
    }

    private mutating func grow() {
        var larger = [UInt64](repeating: 0, count: slots.count * 2)
        for entry in slots where entry != 0 { Self.put(entry, in: &larger) }
        slots = larger
    }
}
