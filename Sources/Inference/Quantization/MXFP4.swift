import GGUF

/// OCP microscaling: 32 E2M1 numbers under one E8M0 exponent, in the first byte; nibbles as in ``Q4_0``.
/// The table holds the E2M1 values doubled, the scale is half of 2^(exponent - 127).
package enum MXFP4: BlockFormat {
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
}
