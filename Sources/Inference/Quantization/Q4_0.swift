import GGUF

/// 32 weights of 4 bits: a half-precision scale, then 16 bytes. The low nibbles are weights 0...15, the high ones
/// 16...31. Value = scale × (code - 8).
package enum Q4_0: BlockwiseFormat {
    package static let type = TensorType.q4_0
    package static let blockSize = 32
    package static let bytesPerBlock = 18

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        for i in 0..<16 {
            let codes = block.byte(2 + i)
            values[i] = scale * Float(Int(codes & 15) - 8)
            values[i + 16] = scale * Float(Int(codes >> 4) - 8)
        }
    }

    /// The value of largest magnitude (the first such) becomes code 0, that is -8 scales.
    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let scale = extreme(values, count: 32) / -8
        let inverse = scale == 0 ? 0 : 1 / scale
        block.storeHalf(scale, at: 0)
        for i in stride(from: 0, to: 16, by: 8) {
            let low = (Lanes(at: values + i) * inverse + 8.5).clamped(0, 15).floor
            let high = (Lanes(at: values + i + 16) * inverse + 8.5).clamped(0, 15).floor
            block.storeBytes(of: (low + high * 16).bytes, toByteOffset: 2 + i, as: SIMD8<UInt8>.self)
        }
    }
}
