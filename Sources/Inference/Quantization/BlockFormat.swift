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
    /// Writes consecutive blocks. Any floats are valid, and the same floats give the same bytes on every machine.
    static func quantize(
        blocks: Int, from values: UnsafePointer<Float>, into bytes: UnsafeMutableRawPointer)
}

/// A format whose blocks are written one at a time.
package protocol BlockwiseFormat: QuantizableFormat {
    /// Writes `bytesPerBlock` bytes from `blockSize` floats.
    static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer)
}

extension BlockwiseFormat {
    package static func quantize(
        blocks: Int, from values: UnsafePointer<Float>, into bytes: UnsafeMutableRawPointer
    ) {
        for b in 0..<blocks {
            quantizeBlock(values + b * blockSize, into: bytes + b * bytesPerBlock)
        }
    }
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

extension UnsafeMutableRawPointer {
    @inline(__always)
    func store(_ byte: UInt8, at offset: Int) {
        storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    func storeHalf(_ number: Float, at offset: Int) {
        storeBytes(of: number.halfBits.littleEndian, toByteOffset: offset, as: UInt16.self)
    }
}
