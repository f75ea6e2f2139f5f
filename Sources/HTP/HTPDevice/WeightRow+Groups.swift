/// Blocks of 256 weights.
extension WeightRow {
    /// 64 bytes of pairs of bits: byte 32·h + i holds weights 128·h + i + 0, 32, 64, 96 from the low bits up.
    @inline(__always)
    private borrowing func decodePairs(_ source: UnsafeRawPointer, _ group: Int) {
        let codes = codes + 256 * group
        for h in 0..<2 {
            for k in 0..<4 {
                for i in 0..<32 {
                    codes[128 * h + 32 * k + i] = source.byte(32 * h + i) >> UInt16(2 * k) & 3
                }
            }
        }
    }

    borrowing func decodeQ2_K(_ source: UnsafeRawPointer, _ group: Int) {
        scales[group] = source.half(80)
        minima[group] = source.half(82)
        for h in 0..<16 {
            factors[16 * group + h] = UInt8(source.byte(h) & 15)
            minimumFactors[16 * group + h] = UInt8(source.byte(h) >> 4)
        }
        decodePairs(source + 16, group)
    }

    /// A high bit for four more, bit b of byte i being weight 32·b + i; zero 4. Factors have the zero 32.
    borrowing func decodeQ3_K(_ source: UnsafeRawPointer, _ group: Int) {
        scales[group] = source.half(108)
        let packed = source + 96
        for h in 0..<16 {
            let low = packed.byte(h % 8) >> UInt16(h / 8 * 4) & 15
            let high = packed.byte(8 + h % 4) >> UInt16(h / 4 * 2) & 3
            factors[16 * group + h] = UInt8(low | high << 4)
        }
        decodePairs(source + 32, group)
        for b in 0..<8 {
            for i in 0..<32 { codes[256 * group + 32 * b + i] |= (source.byte(i) >> UInt16(b) & 1) << 2 }
        }
    }

    /// The scale and minimum of block s of a group: six bits each.
    @inline(__always)
    private static func factors(_ packed: UnsafeRawPointer, _ s: Int) -> (scale: Float, minimum: Float) {
        if s < 4 { return (Float(packed.byte(s) & 63), Float(packed.byte(s + 4) & 63)) }
        let nibbles = packed.byte(s + 4)
        return (
            Float(nibbles & 15 | (packed.byte(s - 4) & 0xc0) >> 2),
            Float(nibbles >> 4 | (packed.byte(s) & 0xc0) >> 2)
        )
    }

    /// Tiles have the zero 8 or 16: as many scales are part of the minimum.
    @inline(__always)
    private borrowing func decodeScales(_ source: UnsafeRawPointer, zero: Float, _ group: Int) {
        let scale = source.half(0), minimum = source.half(2)
        for s in 0..<8 {
            let found = Self.factors(source + 4, s)
            scales[8 * group + s] = scale * found.scale
            minima[8 * group + s] = minimum * found.minimum - zero * (scale * found.scale)
        }
    }

    /// Each 32 bytes hold one block in the low nibbles and the next in the high ones.
    borrowing func decodeQ4_K(_ source: UnsafeRawPointer, _ group: Int) {
        decodeScales(source, zero: 8, group)
        let codes = codes + 256 * group
        for pair in 0..<4 {
            for i in 0..<32 {
                let byte = source.byte(16 + 32 * pair + i)
                codes[64 * pair + i] = byte & 15
                codes[64 * pair + 32 + i] = byte >> 4
            }
        }
    }

    /// The same with fifth bits: bit s of byte i is weight i of block s.
    borrowing func decodeQ5_K(_ source: UnsafeRawPointer, _ group: Int) {
        decodeScales(source, zero: 16, group)
        let codes = codes + 256 * group
        for pair in 0..<4 {
            for i in 0..<32 {
                let byte = source.byte(48 + 32 * pair + i), high = source.byte(16 + i)
                codes[64 * pair + i] = byte & 15 | (high >> UInt16(2 * pair) & 1) << 4
                codes[64 * pair + 32 + i] = byte >> 4 | (high >> UInt16(2 * pair + 1) & 1) << 4
            }
        }
    }

    /// Half h, quarter q: nibble q / 2 of byte 64·h + 32·(q % 2) + i, pair q of byte 32·h + i.
    borrowing func decodeQ6_K(_ source: UnsafeRawPointer, _ group: Int) {
        let scale = source.half(208)
        for h in 0..<16 {
            let factor = Int8(truncatingIfNeeded: source.byte(192 + h))
            scales[16 * group + h] = scale * Float(factor)
        }
        let codes = codes + 256 * group
        for block in 0..<8 {
            let (h, q) = (block / 4, block % 4)
            for i in 0..<32 {
                let low = source.byte(64 * h + 32 * (q % 2) + i) >> UInt16(q / 2 * 4) & 15
                let high = source.byte(128 + 32 * h + i) >> UInt16(2 * q) & 3
                codes[32 * block + i] = low | high << 4
            }
        }
    }

    /// Bytes of five ternary digits, and four of four, each a fraction of 256 in base 3.
    borrowing func decodeTQ1_0(_ source: UnsafeRawPointer, _ group: Int) {
        scales[group] = source.half(52)
        var output = codes + 256 * group
        for (first, width, digits) in [(0, 32, 5), (32, 16, 5), (48, 4, 4)] {
            var power: UInt16 = 1
            for _ in 0..<digits {
                for i in 0..<width { output[i] = ((source.byte(first + i) &* power & 255) * 3) >> 8 }
                output += width
                power = power * 3 & 255
            }
        }
    }

    borrowing func decodeTQ2_0(_ source: UnsafeRawPointer, _ group: Int) {
        scales[group] = source.half(64)
        decodePairs(source, group)
    }
}
