import GGUF

/// 256 ternary weights of 2 bits: 64 bytes placed as in ``Q2_K``, then a half-precision scale.
/// Value = scale × (code - 1).
package enum TQ2_0: BlockFormat {
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
}
