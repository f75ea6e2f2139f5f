import GGUF

/// 32 weights of 5 bits: a half-precision scale, a 32-bit word with the fifth bits, then nibbles as in ``Q4_0``.
/// Value = scale × (code - 16).
package enum Q5_0: BlockwiseFormat {
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

    /// The value of largest magnitude (the first such) becomes code 0, that is -16 scales.
    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let scale = extreme(values, count: 32) / -16
        let inverse = scale == 0 ? 0 : 1 / scale
        block.storeHalf(scale, at: 0)
        storeCodes(into: block, at: 2) { i in
            (Lanes(at: values + i) * inverse + 16.5).clamped(0, 31).floor
        }
    }

    /// Writes the word of fifth bits and the nibbles of 32 codes, of which `codes` gives eight at a time.
    @inline(__always)
    static func storeCodes(
        into block: UnsafeMutableRawPointer, at offset: Int, _ codes: (_ first: Int) -> Lanes
    ) {
        let bits = SIMD8<UInt32>(1, 2, 4, 8, 16, 32, 64, 128)
        var fifths: UInt32 = 0
        for i in stride(from: 0, to: 16, by: 8) {
            let (low, high) = (codes(i), codes(i + 16))
            let (isLarge, isLargeToo) = (low .>= 16, high .>= 16)
            let set = SIMD8<UInt32>.zero.replacing(with: bits, where: isLarge)
            let setToo = SIMD8<UInt32>.zero.replacing(with: bits, where: isLargeToo)
            fifths |= set.wrappedSum() << UInt32(i) | setToo.wrappedSum() << UInt32(i + 16)
            let lowNibbles = low - Lanes.zero.replacing(with: 16, where: isLarge)
            let highNibbles = high - Lanes.zero.replacing(with: 16, where: isLargeToo)
            block.storeBytes(
                of: (lowNibbles + highNibbles * 16).bytes, toByteOffset: offset + 4 + i,
                as: SIMD8<UInt8>.self)
        }
        block.storeBytes(of: fifths.littleEndian, toByteOffset: offset, as: UInt32.self)
    }
}
