import GGUF

/// 256 weights of 2 bits in 16 sub-blocks: 16 bytes (scale in the low nibble, minimum in the high one), 64 bytes of
/// codes, half-precision scale of scales, half-precision scale of minima.
/// Byte 32·h + i holds weights 128·h + i + 0, 32, 64, 96 from the low bits up.
package enum Q2_K: BlockFormat {
    package static let type = TensorType.q2_K
    package static let blockSize = 256
    package static let bytesPerBlock = 84

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(80)
        let minimumScale = block.half(82)
        for subBlock in 0..<16 {
            let factors = block.byte(subBlock)
            let step = scale * Float(factors & 15)
            let minimum = minimumScale * Float(factors >> 4)
            let shift = UInt8(subBlock % 8 / 2 * 2)
            let codes = block + 16 + subBlock / 8 * 32 + subBlock % 2 * 16
            for i in 0..<16 {
                values[subBlock * 16 + i] = step * Float(codes.byte(i) >> shift & 3) - minimum
            }
        }
    }
}
