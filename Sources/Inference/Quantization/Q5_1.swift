import GGUF

/// 32 weights of 5 bits: half-precision scale and minimum, then as in ``Q5_0``.
/// Value = scale × code + minimum.
package enum Q5_1: BlockwiseFormat {
    package static let type = TensorType.q5_1
    package static let blockSize = 32
    package static let bytesPerBlock = 24

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        let minimum = block.half(2)
        let high = Q5_0.fifthBits(block, at: 4)
        for i in 0..<16 {
            let codes = block.byte(8 + i)
            let low = Int(codes & 15) | Int(high >> UInt32(i) & 1) << 4
            let upper = Int(codes >> 4) | Int(high >> UInt32(i + 16) & 1) << 4
            values[i] = scale * Float(low) + minimum
            values[i + 16] = scale * Float(upper) + minimum
        }
    }

    /// The codes span the values from the smallest to the largest.
    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let (smallest, largest) = bounds(values, count: 32)
        let scale = (largest - smallest) / 31
        let inverse = scale == 0 ? 0 : 1 / scale
        block.storeHalf(scale, at: 0)
        block.storeHalf(smallest, at: 2)
        Q5_0.storeCodes(into: block, at: 4) { i in
            ((Lanes(at: values + i) - smallest) * inverse + 0.5).clamped(0, 31).floor
        }
    }
}
