import GGUF

/// IEEE single precision.
package enum F32: BlockwiseFormat {
    package static let type = TensorType.f32
    package static let blockSize = 1
    package static let bytesPerBlock = 4

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        values[0] = Float(bitPattern: UInt32(littleEndian: block.loadUnaligned(as: UInt32.self)))
    }

    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        block.storeBytes(of: values[0].bitPattern.littleEndian, as: UInt32.self)
    }
}
