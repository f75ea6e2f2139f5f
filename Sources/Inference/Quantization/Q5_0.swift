import GGUF

/// 32 weights of 5 bits: a half-precision scale, a 32-bit word with the fifth bits, then nibbles as in ``Q4_0``.
/// Value = scale × (code - 16).
package enum Q5_0: BlockFormat {
    package static let type = TensorType.q5_0
    package static let blockSize = 32
    package static let bytesPerBlock = 22

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        let high = fifthBits(block, at: 2)
        for i in 0..<16 {
            let codes = block.byte(6 + i)
            let low = Int(codes & 15) | Int(high >> UInt32(i) & 1) << 4
            let upper = Int(codes >> 4) | Int(high >> UInt32(i + 16) & 1) << 4
            values[i] = scale * Float(low - 16)
            values[i + 16] = scale * Float(upper - 16)
        }
    }

    /// The codes' fifth bits: bit i of the word belongs to weight i.
    @inline(__always)
    static func fifthBits(_ block: UnsafeRawPointer, at offset: Int) -> UInt32 {
        UInt32(littleEndian: block.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
