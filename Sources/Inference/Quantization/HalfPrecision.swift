// IEEE half precision by its bits: without F16C in the target, Float16 would be a library call.

extension Float {
    /// The exact value of a half-precision number.
    @inline(__always)
    package init(halfBits half: UInt16) {
        let sign = UInt32(half & 0x8000) << 16
        let magnitude = UInt32(half & 0x7fff) << 13
        if magnitude >= 0x7c00 << 13 {
            self.init(bitPattern: sign | magnitude | 0x7f80_0000)
        } else {
            // Exponents differ by 112; the product is exact, subnormal halves included.
            let value = Float(bitPattern: magnitude) * 0x1p112
            self.init(bitPattern: sign | value.bitPattern)
        }
    }

    /// The nearest half-precision number, ties to even, infinity where it is too large.
    @inline(__always)
    package var halfBits: UInt16 {
        let sign = UInt16(truncatingIfNeeded: bitPattern >> 16) & 0x8000
        let magnitude = bitPattern & 0x7fff_ffff
        if magnitude > 0x7f80_0000 {
            return sign | 0x7e00 | UInt16(truncatingIfNeeded: magnitude >> 13) & 0x3ff
        }
        // From here on it rounds to 65536 or more.
        if magnitude >= 0x477f_f000 { return sign | 0x7c00 }
        if magnitude < 0x3880_0000 {
            // Subnormal: the sum with 0.5 rounds at 2^-24, the unit of subnormal halves.
            let shifted = Float(bitPattern: magnitude) + 0.5
            return sign | UInt16(truncatingIfNeeded: shifted.bitPattern &- 0x3f00_0000)
        }
        let rounded = magnitude &+ 0xfff &+ (magnitude >> 13 & 1) &- (112 << 23)
        return sign | UInt16(truncatingIfNeeded: rounded >> 13)
    }
}
