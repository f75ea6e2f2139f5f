import GGUF

/// 32 weights of 4 bits: a half-precision scale, then 16 bytes. The low nibbles are weights 0...15, the high ones
/// 16...31. Value = scale × (code - 8).
package enum Q4_0: QuantizableFormat {
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
        var extreme: Float = 0
        for i in 0..<32 where values[i].magnitude > extreme.magnitude {
            extreme = values[i]
        }
        let scale = extreme / -8
        let inverse = scale == 0 ? 0 : 1 / scale
        block.storeBytes(of: scale.halfBits.littleEndian, as: UInt16.self)
        for i in 0..<16 {
            let low = code(values[i] * inverse + 8.5)
            let high = code(values[i + 16] * inverse + 8.5)
            block.storeBytes(of: low | high << 4, toByteOffset: 2 + i, as: UInt8.self)
        }
    }

    /// Truncated into 0...15; a NaN gives 0.
    @inline(__always)
    private static func code(_ shifted: Float) -> UInt8 {
        shifted >= 15 ? 15 : shifted > 0 ? UInt8(shifted) : 0
    }
}
