import GGUF

/// 256 weights of 3 bits in 16 sub-blocks: 32 bytes of high bits, 64 bytes of low pairs (placed as in ``Q2_K``), 12
/// bytes of 6-bit scales, half-precision scale of scales.
/// A high bit that is clear means -4; scales are offset by 32.
package enum Q3_K: BlockFormat {
    package static let type = TensorType.q3_K
    package static let blockSize = 256
    package static let bytesPerBlock = 110

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(108)
        for subBlock in 0..<16 {
            let step = scale * Float(factor(block + 96, subBlock))
            let shift = UInt8(subBlock % 8 / 2 * 2)
            let highBit = UInt8(subBlock / 2)
            let high = block + subBlock % 2 * 16
            let low = block + 32 + subBlock / 8 * 32 + subBlock % 2 * 16
            for i in 0..<16 {
                let code = Int(low.byte(i) >> shift & 3) - (high.byte(i) >> highBit & 1 == 0 ? 4 : 0)
                values[subBlock * 16 + i] = step * Float(code)
            }
        }
    }

    /// Scale s of 16: its low nibble in byte s % 8 (the high half of it from 8 on), its two upper bits in byte
    /// 8 + s % 4.
    @inline(__always)
    private static func factor(_ scales: UnsafeRawPointer, _ s: Int) -> Int {
        let low = scales.byte(s % 8) >> UInt8(s / 8 * 4) & 15
        let high = scales.byte(8 + s % 4) >> UInt8(s / 4 * 2) & 3
        return Int(low | high << 4) - 32
    }
}
