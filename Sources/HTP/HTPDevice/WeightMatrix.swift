/// A weight matrix as it lies in a model file: rows of blocks, before repacking.
package struct WeightMatrix: @unchecked Sendable {
    /// The formats that can be repacked without loss but the rounding of the scales.
    package enum Format: Sendable {
        /// 32 codes of 4 bits, zero at 8, and a half-precision scale: 18 bytes.
        case q4_0
        /// 32 signed codes of 8 bits and a half-precision scale: 34 bytes.
        case q8_0
    }

    /// Name in the model, for messages.
    package var name: String
    /// How its blocks are laid out.
    package var format: Format
    /// Outputs of the product.
    package var rows: Int
    /// Inputs of the product.
    package var columns: Int
    /// The blocks, row after row; valid while the matrix is repacked.
    package var bytes: UnsafeRawBufferPointer

    /// Describes a matrix, or fails where its size is not one the DSP program takes.
    package init(
        name: String, format: Format, rows: Int, columns: Int, bytes: UnsafeRawBufferPointer
    ) throws(HTPError) {
        guard Self.supports(rows: rows, columns: columns) else {
            throw HTPError("\(name): a matrix of \(rows) × \(columns) does not fit the DSP program's tiles")
        }
        guard bytes.count >= rows * (columns / 32) * format.blockBytes else {
            throw HTPError("\(name): \(bytes.count) bytes are too few for \(rows) × \(columns)")
        }
        self.name = name
        self.format = format
        self.rows = rows
        self.columns = columns
        self.bytes = bytes
    }

    /// Whether the DSP program multiplies matrices of this size.
    package static func supports(rows: Int, columns: Int) -> Bool {
        rows > 0 && rows <= 1 << 24 && columns > 0 && columns % TileKind.side == 0
            && columns <= TileKind.columnsMax
    }

    /// The tiles it is repacked into.
    package var kind: TileKind { format == .q4_0 ? .fourBit : .eightBit }
    /// Bytes of the repacked matrix.
    package var tiledByteCount: Int { kind.byteCount(rows: rows, columns: columns) }
    /// Row tiles of the repacked matrix.
    package var rowTileCount: Int { (rows + TileKind.side - 1) / TileKind.side }
}

extension WeightMatrix.Format {
    /// Bytes of a block of 32 weights.
    package var blockBytes: Int { self == .q4_0 ? 18 : 34 }
}
