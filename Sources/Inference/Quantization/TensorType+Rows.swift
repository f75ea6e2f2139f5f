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

    /// Whether ``quantizeRow(_:into:)`` writes this type.
    package var hasWritableRows: Bool {
        blockFormat is any QuantizableFormat.Type || self == .i2_S || self == .iq2_BN
    }

    /// The types that it writes, by number.
    package static var writableRows: [TensorType] { allKnown.filter(\.hasWritableRows) }

    /// Weights that a row must be a multiple of to be written.
    package var rowMultiple: Int { self == .i2_S ? I2_S.blockSize : layout?.blockSize ?? 1 }

    /// Converts floats to a row, what stands before its blocks included. What stands behind the last row of a tensor is
    /// ``tensorTrailer(_:)``.
    package func quantizeRow(
        _ values: UnsafeBufferPointer<Float>, into row: UnsafeMutableRawBufferPointer
    ) throws(QuantizationError) {
        guard self == .i2_S || self == .iq2_BN else { return try quantize(values, into: row) }
        guard
            values.count % rowMultiple == 0, row.count == layout?.rowByteCount(values.count),
            let source = values.baseAddress, let target = row.baseAddress
        else { throw .sizeMismatch(self, bytes: row.count, values: values.count) }
        if self == .iq2_BN {
            IQ2_BN.quantizeRow(source, count: values.count, into: target)
        } else {
            for block in 0..<values.count / I2_S.blockSize {
                I2_S.quantizeBlock(
                    source + block * I2_S.blockSize, into: target + block * I2_S.bytesPerBlock)
            }
        }
    }

    /// What stands behind the last row: for I2_S the largest magnitude in the tensor, which is its scale.
    package func tensorTrailer(largest: Float) -> [UInt8] {
        guard let count = layout?.tensorTrailerBytes, count >= 4 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: largest.bitPattern.littleEndian, as: UInt32.self) }
        return bytes
    }
}

/// What must be known of weights before they are written.
package struct WeightRange: Sendable {
    /// The largest magnitude.
    package var largest: Float
    /// Whether there is neither an infinity nor a NaN.
    package var isFinite: Bool

    package init(_ values: UnsafeBufferPointer<Float>) {
        var (largest, isFinite) = (Lanes.zero, true)
        let whole = values.count / 8 * 8
        if let base = values.baseAddress {
            for i in stride(from: 0, to: whole, by: 8) {
                let magnitudes = Lanes(at: base + i).magnitudes
                // A NaN is not below infinity either.
                isFinite = isFinite && all(magnitudes .< Lanes(repeating: .infinity))
                largest.replace(with: magnitudes, where: magnitudes .> largest)
            }
        }
        self.largest = largest.largest
        for value in values[whole...] {
            isFinite = isFinite && value.isFinite
            if value.magnitude > self.largest { self.largest = value.magnitude }
        }
        self.isFinite = isFinite
    }
}
