import GGUF

/// 256 weights of 4 bits through the table of ``IQ4_NL``, in 8 sub-blocks: half-precision scale of scales, a 16-bit
/// word with the upper pairs of the scales, 4 bytes with their low nibbles, 128 bytes of codes.
/// Scales are offset by 32; each sub-block's 16 bytes are laid out as in ``Q4_0``.
package enum IQ4_XS: BlockFormat {
    package static let type = TensorType.iq4_XS
    package static let blockSize = 256
    package static let bytesPerBlock = 136

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        let pairs = UInt16(littleEndian: block.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        for subBlock in 0..<8 {
            let low = block.byte(4 + subBlock / 2) >> UInt8(subBlock % 2 * 4) & 15
            let high = pairs >> UInt16(subBlock * 2) & 3
            let step = scale * Float(Int(low) + Int(high) * 16 - 32)
            for i in 0..<16 {
                let codes = block.byte(8 + subBlock * 16 + i)
                values[subBlock * 32 + i] = step * IQ4_NL.level(codes & 15)
                values[subBlock * 32 + i + 16] = step * IQ4_NL.level(codes >> 4)
            }
        }
    }
}
