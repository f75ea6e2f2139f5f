import GGUF

/// Rows of a float scale and ternary weights of 2 bits. Byte j of 16 holds weights j, 16 + j, 32 + j and 48 + j from
/// the low bits up. Value = scale × (code - 1).
package enum IQ2_BN {
    package static let blockSize = 64
    package static let bytesPerBlock = 16
    package static let rowHeaderBytes = 4

    /// The scale of a row, from its first bytes.
    package static func scale(_ row: UnsafeRawPointer) -> Float {
        Float(bitPattern: UInt32(littleEndian: row.loadUnaligned(as: UInt32.self)))
    }

    package static func dequantizeBlock(
        _ block: UnsafeRawPointer, scale: Float, into values: UnsafeMutablePointer<Float>
    ) {
        for j in 0..<16 {
            for k in 0..<4 {
                values[16 * k + j] = scale * Float(Int(block.byte(j) >> UInt8(2 * k) & 3) - 1)
            }
        }
    }
}
