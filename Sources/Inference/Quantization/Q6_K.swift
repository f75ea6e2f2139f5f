import GGUF

/// 256 weights of 6 bits in 16 sub-blocks: 128 bytes of nibbles, 64 bytes of upper pairs, 16 signed 8-bit scales,
/// half-precision scale of scales. Codes are offset by 32.
/// Half h, quarter q, weight i of 128 × 32 × 1: nibble q / 2 of byte 64·h + 32·(q % 2) + i, pair q of byte 32·h + i.
package enum Q6_K: BlockFormat {
    package static let type = TensorType.q6_K
    package static let blockSize = 256
    package static let bytesPerBlock = 210

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(208)
        for quarter in 0..<8 {
            let (h, q) = (quarter / 4, quarter % 4)
            let low = block + h * 64 + q % 2 * 32
            let high = block + 128 + h * 32
            for i in 0..<32 {
                let factor = Int8(bitPattern: block.byte(192 + quarter * 2 + i / 16))
                let code = low.byte(i) >> UInt8(q / 2 * 4) & 15 | (high.byte(i) >> UInt8(q * 2) & 3) << 4
                values[quarter * 32 + i] = scale * Float(factor) * Float(Int(code) - 32)
            }
        }
    }
}
