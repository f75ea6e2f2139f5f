import GGUF

/// 32 weights of 8 bits: a half-precision scale, then 32 signed bytes. Value = code × scale.
package enum Q8_0: BlockwiseFormat {
    package static let type = TensorType.q8_0
    package static let blockSize = 32
    package static let bytesPerBlock = 34

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        for i in 0..<32 {
            values[i] = Float(Int8(bitPattern: block.byte(2 + i))) * scale
        }
    }

    /// The largest magnitude becomes 127; ties are rounded away from zero.
    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let scale = extreme(values, count: 32).magnitude / 127
        let inverse = scale == 0 ? 0 : 1 / scale
        block.storeHalf(scale, at: 0)
        for i in stride(from: 0, to: 32, by: 8) {
            // Out of range or NaN only where the input was not finite or the inverse overflowed.
            let codes = Lanes(at: values + i) * inverse
            let numbers = codes.replacing(with: 0, where: codes .!= codes).clamped(-127, 127)
            block.storeBytes(of: numbers.nearestOrAway.bytes, toByteOffset: 2 + i, as: SIMD8<UInt8>.self)
        }
    }
}
