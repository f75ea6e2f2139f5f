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

    /// Writes a row: its scale is the largest magnitude, and what is less than half of it becomes 0.
    package static func quantizeRow(
        _ values: UnsafePointer<Float>, count: Int, into row: UnsafeMutableRawPointer
    ) {
        let scale = extreme(values, count: count).magnitude
        row.storeBytes(of: scale.bitPattern.littleEndian, as: UInt32.self)
        let half = Lanes(repeating: 0.5 * scale)
        for block in 0..<count / blockSize {
            let (values, bytes) = (values + block * blockSize, row + rowHeaderBytes + block * bytesPerBlock)
            for byte in stride(from: 0, to: 16, by: 8) {
                var codes = Lanes.zero
                for digit in (0..<4).reversed() {
                    let values = Lanes(at: values + 16 * digit + byte)
                    var digits = Lanes(repeating: 2).replacing(with: 0, where: values .< 0)
                    digits.replace(with: 1, where: values.magnitudes .< half)
                    codes = codes * 4 + digits
                }
                bytes.storeBytes(of: codes.bytes, toByteOffset: byte, as: SIMD8<UInt8>.self)
            }
        }
    }
}
