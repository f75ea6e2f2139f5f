import GGUF

/// 256 ternary weights: 48 bytes of five digits and 4 bytes of four, then a half-precision scale.
/// A byte is its digits as a fraction of 256 in base 3, the first digit leading. Digit n of bytes 0...31 are weights
/// 32·n + i, of bytes 32...47 160 + 16·n + i, of bytes 48...51 240 + 4·n + i. Value = scale × (digit - 1).
package enum TQ1_0: BlockFormat {
    package static let type = TensorType.tq1_0
    package static let blockSize = 256
    package static let bytesPerBlock = 54

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(52)
        var output = values
        for (first, width, digits) in [(0, 32, 5), (32, 16, 5), (48, 4, 4)] {
            var power: UInt8 = 1
            for _ in 0..<digits {
                for i in 0..<width {
                    let rest = block.byte(first + i) &* power
                    output[i] = scale * Float((Int(rest) * 3) >> 8 - 1)
                }
                output += width
                power &*= 3
            }
        }
    }
}
