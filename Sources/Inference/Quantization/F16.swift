import GGUF

/// IEEE half precision.
package enum F16: BlockwiseFormat {
    package static let type = TensorType.f16
    package static let blockSize = 1
    package static let bytesPerBlock = 2

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        values[0] = block.half(0)
    }

    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        block.storeBytes(of: values[0].halfBits.littleEndian, as: UInt16.self)
    }
}
