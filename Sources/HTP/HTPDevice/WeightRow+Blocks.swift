/// Blocks of 32 weights, and the ternary formats with one scale for a row.
extension WeightRow {
    /// Low nibbles are weights 0…15, high ones 16…31.
    @inline(__always)
    private borrowing func decodeNibbles(_ nibbles: UnsafeRawPointer, _ block: Int) {
        let codes = codes + 32 * block
        for i in 0..<16 {
            let byte = nibbles.byte(i)
            codes[i] = byte & 15
            codes[i + 16] = byte >> 4
        }
    }

    /// The same with a fifth bit for each weight in a word.
    @inline(__always)
    private borrowing func decodeNibbles(_ nibbles: UnsafeRawPointer, fifth: UInt32, _ block: Int) {
        let codes = codes + 32 * block
        for i in 0..<16 {
            let byte = nibbles.byte(i)
            codes[i] = byte & 15 | UInt16(truncatingIfNeeded: fifth >> UInt32(i) & 1) << 4
            codes[i + 16] = byte >> 4 | UInt16(truncatingIfNeeded: fifth >> UInt32(i + 16) & 1) << 4
        }
    }

    borrowing func decodeQ4_0(_ source: UnsafeRawPointer, _ block: Int) {
        scales[block] = source.half(0)
        decodeNibbles(source + 2, block)
    }

    /// Tiles have the zero 8, so that 8 scales are part of the minimum.
    borrowing func decodeQ4_1(_ source: UnsafeRawPointer, _ block: Int) {
        scales[block] = source.half(0)
        minima[block] = -source.half(2) - 8 * scales[block]
        decodeNibbles(source + 4, block)
    }

    borrowing func decodeQ5_0(_ source: UnsafeRawPointer, _ block: Int) {
        scales[block] = source.half(0)
        decodeNibbles(source + 6, fifth: source.bits32(2), block)
    }

    /// Tiles have the zero 16.
    borrowing func decodeQ5_1(_ source: UnsafeRawPointer, _ block: Int) {
        scales[block] = source.half(0)
        minima[block] = -source.half(2) - 16 * scales[block]
        decodeNibbles(source + 8, fifth: source.bits32(4), block)
    }

    borrowing func decodeQ8_0(_ source: UnsafeRawPointer, _ block: Int) {
        scales[block] = source.half(0)
        for i in 0..<32 { codes[32 * block + i] = source.byte(2 + i) ^ 0x80 }
    }

    /// 2^(exponent − 128), the codes being doubled numbers; zero where all of them are, whatever the exponent.
    borrowing func decodeMXFP4(_ source: UnsafeRawPointer, _ block: Int) {
        decodeNibbles(source + 1, block)
        var any: UInt16 = 0
        for i in 0..<16 { any |= source.byte(1 + i) & 0x77 }
        let exponent = UInt32(source.byte(0))
        let power = Float(bitPattern: exponent < 2 ? 0x20_0000 << exponent : (exponent - 1) << 23)
        scales[block] = any == 0 ? 0 : power
    }

    /// Byte j of 32: weights j, 32 + j, 64 + j and 96 + j from the high bits down.
    borrowing func decodeI2_S(_ source: UnsafeRawPointer, _ block: Int) {
        for j in 0..<32 {
            for k in 0..<4 {
                codes[128 * block + 32 * k + j] = source.byte(j) >> UInt16(6 - 2 * k) & 3
            }
        }
    }

    /// Byte j of 16: weights j, 16 + j, 32 + j and 48 + j from the low bits up.
    borrowing func decodeIQ2_BN(_ source: UnsafeRawPointer, _ block: Int) {
        for j in 0..<16 {
            for k in 0..<4 { codes[64 * block + 16 * k + j] = source.byte(j) >> UInt16(2 * k) & 3 }
        }
    }
}
