import GGUF

/// 32 weights of 4 bits: half-precision scale and minimum, then nibbles as in ``Q4_0``.
/// Value = scale × code + minimum.
package enum Q4_1: BlockwiseFormat {
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

    /// The codes span the values from the smallest to the largest.
    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let (smallest, largest) = bounds(values, count: 32)
        let scale = (largest - smallest) / 15
        let inverse = scale == 0 ? 0 : 1 / scale
        block.storeHalf(scale, at: 0)
        block.storeHalf(smallest, at: 2)
        for i in stride(from: 0, to: 16, by: 8) {
            let low = ((Lanes(at: values + i) - smallest) * inverse + 0.5).clamped(0, 15).floor
            let high = ((Lanes(at: values + i + 16) - smallest) * inverse + 0.5).clamped(0, 15).floor
            block.storeBytes(of: (low + high * 16).bytes, toByteOffset: 4 + i, as: SIMD8<UInt8>.self)
        }
    }
}
