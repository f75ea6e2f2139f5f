/// A digest of 64 bits, for telling apart what was not made to be alike.
package struct Digest {
    package private(set) var value: UInt64 = 0x9e37_79b9_7f4a_7c15

    package init() {}

    package mutating func add(_ word: UInt64) {
        // Both steps can be undone, so two words that differ leave two values.
        value = (value ^ word) &* 0xff51_afd7_ed55_8ccd
        value ^= value &>> 32
    }

    package mutating func add(_ text: String) {
        add(UInt64(text.utf8.count))
        for byte in text.utf8 { add(UInt64(byte)) }
    }

    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        add(UInt64(bytes.count))
        for offset in stride(from: 0, through: bytes.count - 8, by: 8) {
            add(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
        }
        for byte in bytes.suffix(bytes.count % 8) { add(UInt64(byte)) }
    }
}
