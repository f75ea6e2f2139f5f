extension SIMD8 where Scalar == Float {
    /// Eight half-precision numbers, by their bits: a conversion instruction cannot be counted on.
    @inline(__always)
    init(halves: SIMD8<UInt16>) {
        let bits = SIMD8<UInt32>(truncatingIfNeeded: halves)
        let magnitude = (bits & 0x7fff) &<< 13
        // Exponents differ by 112; the product is exact, subnormal halves included.
        let finite = unsafeBitCast(
            unsafeBitCast(magnitude, to: SIMD8<Float>.self) * 0x1p112, to: SIMD8<UInt32>.self)
        // All bits of an infinity's or NaN's exponent.
        let infinite = unsafeBitCast(
            (0x7bff << 13 &- unsafeBitCast(magnitude, to: SIMD8<Int32>.self)) &>> 31, to: SIMD8<UInt32>.self)
        self = unsafeBitCast(finite | infinite & 0x7f80_0000 | (bits & 0x8000) &<< 16, to: Self.self)
    }
}
