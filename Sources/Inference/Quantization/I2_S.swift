import GGUF

/// Ternary weights of 2 bits under one float scale for the whole tensor, which stands behind the last row. Byte j of
/// 32 holds weights j, 32 + j, 64 + j and 96 + j from the high bits down. Value = scale × (code - 1).
///
/// That is the layout written on x86-64; files from other machines may differ, and do not say so.
package enum I2_S {
    /// Weights that belong together; a row is a multiple of them.
    package static let blockSize = 128
    package static let bytesPerBlock = 32

    /// The scale of a tensor, from all its bytes.
    package static func scale(_ tensor: UnsafeRawBufferPointer, trailerBytes: Int) -> Float {
        let bits = tensor.loadUnaligned(fromByteOffset: tensor.count - trailerBytes, as: UInt32.self)
        return Float(bitPattern: UInt32(littleEndian: bits))
    }

    package static func dequantizeBlock(
        _ block: UnsafeRawPointer, scale: Float, into values: UnsafeMutablePointer<Float>
    ) {
        for j in 0..<32 {
            for k in 0..<4 {
                values[32 * k + j] = scale * Float(Int(block.byte(j) >> UInt8(6 - 2 * k) & 3) - 1)
            }
        }
    }

    /// What is not above it is 0, as in Microsoft's tool.
    private static let tiny: Float = 1e-6

    /// Writes a block. Only signs are carried, as the scale is that of the whole tensor, its largest magnitude.
    @inline(__always)
    package static func quantizeBlock(
        _ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer
    ) {
        for byte in stride(from: 0, to: 32, by: 8) {
            var codes = Lanes.zero
            for digit in 0..<4 {
                let values = Lanes(at: values + 32 * digit + byte)
                var digits = Lanes(repeating: 1).replacing(with: 2, where: values .> tiny)
                digits.replace(with: 0, where: values .< -tiny)
                codes = codes * 4 + digits
            }
            block.storeBytes(of: codes.bytes, toByteOffset: byte, as: SIMD8<UInt8>.self)
        }
    }
}
