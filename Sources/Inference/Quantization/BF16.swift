import GGUF

/// The upper half of IEEE single precision.
package enum BF16: BlockwiseFormat {
    package static let type = TensorType.bf16
    package static let blockSize = 1
    package static let bytesPerBlock = 2

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let bits = UInt16(littleEndian: block.loadUnaligned(as: UInt16.self))
        values[0] = Float(bitPattern: UInt32(bits) << 16)
    }

    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let bits = values[0].bitPattern
        // Ties to even; a NaN is made quiet, as rounding could turn it into an infinity.
        let rounded = values[0].isNaN ? bits | 0x40_0000 : bits &+ 0x7fff &+ (bits >> 16 & 1)
        block.storeBytes(of: UInt16(truncatingIfNeeded: rounded >> 16).littleEndian, as: UInt16.self)
    }
}
