import GGUF

/// How one tensor type turns blocks of bytes into floats.
///
/// Conforming types are namespaces, one file each. Sizes repeat those of ``GGUF/TensorType/layout`` as constants
/// the compiler can see; a test compares them.
package protocol BlockFormat {
    static var type: TensorType { get }
    /// Elements in a block.
    static var blockSize: Int { get }
    /// Bytes of a block.
    static var bytesPerBlock: Int { get }

    /// Writes `blockSize` floats from `bytesPerBlock` bytes, which need no alignment. Any bytes are valid.
    static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>)

    /// The same for consecutive blocks.
    static func dequantize(
        blocks: Int, from bytes: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>)
}

/// A format that can be written, too.
package protocol QuantizableFormat: BlockFormat {
    /// Writes `bytesPerBlock` bytes from `blockSize` floats. Any floats are valid.
    static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer)
}

extension BlockFormat {
    package static func dequantize(
        blocks: Int, from bytes: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>
    ) {
        for b in 0..<blocks {
            dequantizeBlock(bytes + b * bytesPerBlock, into: values + b * blockSize)
        }
    }
}

extension UnsafeRawPointer {
    @inline(__always)
    func byte(_ offset: Int) -> UInt8 {
        load(fromByteOffset: offset, as: UInt8.self)
    }

    /// The little-endian half-precision number at `offset`.
    @inline(__always)
    func half(_ offset: Int) -> Float {
        Float(halfBits: UInt16(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    }
}
