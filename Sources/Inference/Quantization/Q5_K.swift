import GGUF

/// 256 weights of 5 bits in 8 sub-blocks: scales and minima as in ``Q4_K``, 32 bytes of fifth bits (bit s of byte i:
/// weight i of sub-block s), 128 bytes of nibbles as in ``Q4_K``.
package enum Q5_K: QuantizableFormat {
    package static let type = TensorType.q5_K
    package static let blockSize = 256
    package static let bytesPerBlock = 176

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        let minimumScale = block.half(2)
        for subBlock in 0..<8 {
            let (factor, minimumFactor) = Q4_K.factors(block + 4, subBlock)
            let step = scale * Float(factor)
            let minimum = minimumScale * Float(minimumFactor)
            let high = block + 16
            let low = block + 48 + subBlock / 2 * 32
            let shift = UInt8(subBlock % 2 * 4)
            for i in 0..<32 {
                let code = low.byte(i) >> shift & 15 | (high.byte(i) >> UInt8(subBlock) & 1) << 4
                values[subBlock * 32 + i] = step * Float(code) - minimum
            }
        }
    }

    private static let search = AffineSearch(
        top: 31, start: -0.5, step: 0.1, tries: 15, usesMagnitude: false)

    /// As ``Q4_K``.
    package static func quantize(
        blocks: Int, from values: UnsafePointer<Float>, into bytes: UnsafeMutableRawPointer
    ) {
        SuperBlock.each(of: blocks, Self.self, from: values, into: bytes) { room, values, block in
            Q4_K.quantizeCodes(room, values, search, into: block)
            for i in 0..<32 {
                var high: UInt8 = 0
                for bit in 0..<8 { high |= (room.codes[bit * 32 + i] >> 4) << UInt8(bit) }
                block.store(high, at: 16 + i)
            }
            for pair in 0..<4 {
                for i in 0..<32 {
                    let (low, high) = (room.codes[pair * 64 + i], room.codes[pair * 64 + 32 + i])
                    block.store(low & 15 | high << 4, at: 48 + pair * 32 + i)
                }
            }
        }
    }
}
