/// GPT-2's alphabet for bytes: every byte is written as a printable character, so that vocabularies can be
/// kept as text. Printable Latin-1 stands for itself; the other 68 bytes are U+0100 and up, in order.
enum ByteAlphabet {
    /// By code point (below U+0144), the byte, or -1.
    private static let byteOfScalar: [Int16] = {
        var table = [Int16](repeating: -1, count: 0x144)
        var next = 0x100
        for byte in 0..<256 {
            if (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || (0xae...0xff).contains(byte) {
                table[byte] = Int16(byte)
            } else {
                table[next] = Int16(byte)
                next += 1
            }
        }
        return table
    }()

    /// Appends the bytes that a text in the alphabet stands for; what is not in it stands for itself.
    static func decode(_ text: UnsafeRawBufferPointer, into bytes: inout [UInt8]) {
        byteOfScalar.withUnsafeBufferPointer { table in
            var offset = 0
            while offset < text.count {
                let first = text[offset]
                // U+0080…U+0143 begin with C2…C5 and take two bytes.
                if first >= 0xc2, first <= 0xc5, offset + 1 < text.count, text[offset + 1] & 0xc0 == 0x80 {
                    let scalar = Int(first & 0x1f) << 6 | Int(text[offset + 1] & 0x3f)
                    if scalar < table.count, table[scalar] >= 0 {
                        bytes.append(UInt8(table[scalar]))
                        offset += 2
                        continue
                    }
                }
                bytes.append(first)
                offset += 1
            }
        }
    }
}
