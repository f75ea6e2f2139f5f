import GGUF

/// 32 weights of 4 bits through a table of 16 unevenly spaced values: laid out as ``Q4_0``.
/// Value = scale × table[code].
package enum IQ4_NL: BlockFormat {
    package static let type = TensorType.iq4_NL
    package static let blockSize = 32
    package static let bytesPerBlock = 18

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        for i in 0..<16 {
            let codes = block.byte(2 + i)
            values[i] = scale * level(codes & 15)
            values[i + 16] = scale * level(codes >> 4)
        }
    }

    /// The table: -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113.
    @inline(__always)
    static func level(_ code: UInt8) -> Float {
        Float(levels[Int(code & 15)])
    }

    private static let levels = SIMD16<Int8>(
        -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
}
