import GGUF

/// Types whose scales stand beside the blocks: rows of them can be read, runs of blocks cannot.
extension TensorType {
    /// Whether ``dequantizeRow(_:scale:into:)`` reads this type.
    package var hasReadableRows: Bool { blockFormat != nil || self == .i2_S || self == .iq2_BN }

    /// The types that it reads, by number.
    package static var readableRows: [TensorType] { allKnown.filter(\.hasReadableRows) }

    /// The scale of a whole tensor, where its type has one; otherwise 1.
    package func tensorScale(_ tensor: UnsafeRawBufferPointer) -> Float {
        guard self == .i2_S, let trailer = layout?.tensorTrailerBytes, tensor.count >= trailer else {
            return 1
        }
        return I2_S.scale(tensor, trailerBytes: trailer)
    }

    /// Converts a row to floats.
    ///
    /// - Parameters:
    ///   - row: its bytes, what stands before the blocks included.
    ///   - scale: that of the tensor, ``tensorScale(_:)``.
    ///   - values: as many floats as the row has elements.
    package func dequantizeRow(
        _ row: UnsafeRawBufferPointer, scale: Float, into values: UnsafeMutableBufferPointer<Float>
    ) throws(QuantizationError) {
        let (header, blockSize, blockBytes): (Int, Int, Int)
        switch self {
        case .i2_S: (header, blockSize, blockBytes) = (0, I2_S.blockSize, I2_S.bytesPerBlock)
        case .iq2_BN:
            (header, blockSize, blockBytes) = (IQ2_BN.rowHeaderBytes, IQ2_BN.blockSize, IQ2_BN.bytesPerBlock)
        default: return try dequantize(row, into: values)
        }
        let blocks = values.count / blockSize
        guard
            values.count % blockSize == 0, row.count == header + blocks * blockBytes,
            let source = row.baseAddress, let target = values.baseAddress
        else { throw .sizeMismatch(self, bytes: row.count, values: values.count) }
        let rowScale = self == .iq2_BN ? IQ2_BN.scale(source) : scale
        for block in 0..<blocks {
            let bytes = source + header + block * blockBytes, output = target + block * blockSize
            if self == .i2_S {
                I2_S.dequantizeBlock(bytes, scale: rowScale, into: output)
            } else {
                IQ2_BN.dequantizeBlock(bytes, scale: rowScale, into: output)
            }
        }
    }
}
