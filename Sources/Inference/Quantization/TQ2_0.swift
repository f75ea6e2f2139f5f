import GGUF

/// 256 ternary weights of 2 bits: 64 bytes placed as in ``Q2_K``, then a half-precision scale.
/// Value = scale × (code - 1).
package enum TQ2_0: BlockwiseFormat {
    package static let type = TensorType.tq2_0
    package static let blockSize = 256
    package static let bytesPerBlock = 66

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(64)
        for quarter in 0..<8 {
            let codes = block + quarter / 4 * 32
            let shift = UInt8(quarter % 4 * 2)
            for i in 0..<32 {
                values[quarter * 32 + i] = scale * Float(Int(codes.byte(i) >> shift & 3) - 1)
            }
        }
    }

    /// The scale is the largest magnitude; what is at least half of it becomes -1 or 1.
    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let scale = extreme(values, count: 256).magnitude
        let inverse = scale == 0 ? 0 : 1 / scale
        block.storeHalf(scale, at: 64)
        for byte in stride(from: 0, to: 64, by: 8) {
            let first = values + byte / 32 * 128 + byte % 32
            var codes = Lanes.zero
            for digit in (0..<4).reversed() {
                codes = codes * 4 + ternaryDigits(Lanes(at: first + 32 * digit) * inverse)
            }
            block.storeBytes(of: codes.bytes, toByteOffset: byte, as: SIMD8<UInt8>.self)
        }
    }

    /// 0, 1 and 2 for what rounds to -1, 0 and 1, ties away from zero; 1 for a NaN.
    @inline(__always)
    static func ternaryDigits(_ values: Lanes) -> Lanes {
        let up = Lanes(repeating: 1).replacing(with: 2, where: values .>= 0.5)
        return up.replacing(with: 0, where: values .<= -0.5)
    }
}
