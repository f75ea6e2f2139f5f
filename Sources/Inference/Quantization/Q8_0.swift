import GGUF

/// 32 weights of 8 bits: a half-precision scale, then 32 signed bytes. Value = code × scale.
package enum Q8_0: QuantizableFormat {
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
        var largest: Float = 0
        for i in 0..<32 where values[i].magnitude > largest {
            largest = values[i].magnitude
        }
        let scale = largest / 127
        let inverse = scale == 0 ? 0 : 1 / scale
        block.storeBytes(of: scale.halfBits.littleEndian, as: UInt16.self)
        for i in 0..<32 {
            let rounded = (values[i] * inverse).rounded(.toNearestOrAwayFromZero)
            // Out of range or NaN only where the input was not finite or the inverse overflowed.
            let code = rounded >= 127 ? 127 : rounded >= -127 ? Int8(rounded) : rounded < 0 ? -127 : 0
            block.storeBytes(of: code, toByteOffset: 2 + i, as: Int8.self)
        }
    }
}
