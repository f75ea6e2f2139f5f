import GGUF

/// 256 weights of 4 bits in 8 sub-blocks: half-precision scale of scales and of minima, 12 bytes of 6-bit scales and
/// minima, 128 bytes of codes.
/// Each 32 bytes hold one sub-block in the low nibbles and the next in the high ones.
package enum Q4_K: BlockFormat {
    package static let type = TensorType.q4_K
    package static let blockSize = 256
    package static let bytesPerBlock = 144

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        let minimumScale = block.half(2)
        for subBlock in 0..<8 {
            let (factor, minimumFactor) = factors(block + 4, subBlock)
            let step = scale * Float(factor)
            let minimum = minimumScale * Float(minimumFactor)
            let codes = block + 16 + subBlock / 2 * 32
            let shift = UInt8(subBlock % 2 * 4)
            for i in 0..<32 {
                values[subBlock * 32 + i] = step * Float(codes.byte(i) >> shift & 15) - minimum
            }
        }
    }

    /// Scale and minimum of sub-block s, of 6 bits each. The first four of each lie in the low six bits of bytes
    /// 0...3 and 4...7; the others are nibbles in bytes 8...11 with their two upper bits on top of those.
    @inline(__always)
    static func factors(_ packed: UnsafeRawPointer, _ s: Int) -> (scale: UInt8, minimum: UInt8) {
        if s < 4 { return (packed.byte(s) & 63, packed.byte(s + 4) & 63) }
        let nibbles = packed.byte(s + 4)
        return (
            nibbles & 15 | (packed.byte(s - 4) & 0xc0) >> 2,
            nibbles >> 4 | (packed.byte(s) & 0xc0) >> 2
        )
    }
}
