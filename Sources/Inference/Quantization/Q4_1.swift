import GGUF

/// 32 weights of 4 bits: half-precision scale and minimum, then nibbles as in ``Q4_0``.
/// Value = scale × code + minimum.
package enum Q4_1: BlockFormat {
    package static let type = TensorType.q4_1
    package static let blockSize = 32
    package static let bytesPerBlock = 20

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        let minimum = block.half(2)
        for i in 0..<16 {
            let codes = block.byte(4 + i)
            values[i] = scale * Float(codes & 15) + minimum
            values[i + 16] = scale * Float(codes >> 4) + minimum
        }
    }
}
