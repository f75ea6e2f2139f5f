import GGUF

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// OCP microscaling: 32 E2M1 numbers under one E8M0 exponent, in the first byte; nibbles as in ``Q4_0``.
/// The table holds the E2M1 values doubled, the scale is half of 2^(exponent - 127).
package enum MXFP4: BlockwiseFormat {
    package static let type = TensorType.mxfp4
    package static let blockSize = 32
    package static let bytesPerBlock = 17

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = halvedScale(block.byte(0))
        for i in 0..<16 {
            let codes = block.byte(1 + i)
            values[i] = scale * Float(doubled[Int(codes & 15)])
            values[i + 16] = scale * Float(doubled[Int(codes >> 4)])
        }
    }

    private static let doubled = SIMD16<Int8>(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)

    /// 2^(exponent - 128), subnormal for exponents 0 and 1.
    @inline(__always)
    private static func halvedScale(_ exponent: UInt8) -> Float {
        let exponent = UInt32(exponent)
        return Float(bitPattern: exponent < 2 ? 0x20_0000 << exponent : (exponent - 1) << 23)
    }

    /// The exponent is that of the largest magnitude less 2, so that 4 to 6 (and what is above, down to 6) are its codes. Every
    /// value takes the nearest number, of two as near the smaller.
    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let largest = extreme(values, count: 32).magnitude
        // The logarithm is rounded, so that a number just below a power of two can count as that.
        let exponent = largest > 0 ? min(max(log2f(largest).rounded(.down) - 2 + 127, 0), 254) : 0
        block.store(UInt8(exponent), at: 0)
        let scale = halvedScale(UInt8(exponent))
        for i in stride(from: 0, to: 16, by: 8) {
            let low = codes(Lanes(at: values + i), scale)
            let high = codes(Lanes(at: values + i + 16), scale)
            block.storeBytes(of: (low + high * 16).bytes, toByteOffset: 1 + i, as: SIMD8<UInt8>.self)
        }
    }

    @inline(__always)
    private static func codes(_ values: Lanes, _ scale: Float) -> Lanes {
        let magnitudes = values.magnitudes
        var codes = Lanes.zero
        for upper in 1..<8 {
            let middle = (Float(doubled[upper - 1]) + Float(doubled[upper])) / 2
            codes += Lanes.zero.replacing(with: 1, where: magnitudes .> Lanes(repeating: middle * scale))
        }
        return codes + Lanes.zero.replacing(with: 8, where: (values .< 0) .& (codes .> 0))
    }
}
