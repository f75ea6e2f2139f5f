/// A weight matrix as it lies in a model file: rows of blocks, before repacking.
package struct WeightMatrix: @unchecked Sendable {
    /// The formats that can be repacked.
    ///
    /// Codes are taken over as they are. Scales and minima are rounded to 15 bits of the row's largest; F32, F16 and
    /// BF16 become codes of 12 bits under a scale for 32 weights.
    package enum Format: Sendable, CaseIterable {
        case f32, f16, bf16
        case q4_0, q4_1, q5_0, q5_1, q8_0
        case q2_K, q3_K, q4_K, q5_K, q6_K
        case iq4_NL, mxfp4
        case tq1_0, tq2_0
        /// Ternary with one scale for the matrix, behind the last row.
        case i2_S
        /// Ternary with one scale for the row, before its codes.
        case iq2_BN
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
        guard Self.supports(rows: rows, columns: columns), columns % format.blockSize == 0 else {
            throw HTPError("\(name): a matrix of \(rows) × \(columns) does not fit the DSP program's tiles")
        }
        guard bytes.count >= rows * format.rowBytes(columns: columns) + format.trailerBytes else {
            throw HTPError("\(name): \(bytes.count) bytes are too few for \(rows) × \(columns)")
        }
        self.name = name
        self.format = format
        self.rows = rows
        self.columns = columns
        self.bytes = bytes
    }

    /// Whether the DSP program multiplies matrices of this size. Inputs of float formats may be of any number, those of
    /// the others come in whole blocks.
    package static func supports(rows: Int, columns: Int) -> Bool {
        rows > 0 && rows <= 1 << 24 && columns > 0 && columns <= TileKind.columnsMax
    }

    /// The tiles it is repacked into.
    package var kind: TileKind { format.kind }
    /// Bytes of the repacked matrix.
    package var tiledByteCount: Int { kind.byteCount(rows: rows, columns: columns) }
    /// Row tiles of the repacked matrix.
    package var rowTileCount: Int { (rows + TileKind.rows - 1) / TileKind.rows }
}

extension WeightMatrix.Format {
    /// Weights of a block.
    package var blockSize: Int {
        switch self {
        case .f32, .f16, .bf16: 1
        case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .tq1_0, .tq2_0: 256
        case .i2_S: 128
        case .iq2_BN: 64
        default: 32
        }
    }

    /// Bytes of a block.
    package var blockBytes: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .q4_0, .iq4_NL: 18
        case .q4_1: 20
        case .q5_0: 22
        case .q5_1: 24
        case .q8_0: 34
        case .q2_K: 84
        case .q3_K: 110
        case .q4_K: 144
        case .q5_K: 176
        case .q6_K: 210
        case .mxfp4: 17
        case .tq1_0: 54
        case .tq2_0: 66
        case .i2_S: 32
        case .iq2_BN: 16
        }
    }

    /// Bytes before the blocks of a row.
    package var rowHeaderBytes: Int { self == .iq2_BN ? 4 : 0 }
    /// Bytes behind the last row.
    package var trailerBytes: Int { self == .i2_S ? 32 : 0 }

    /// Bytes of a row.
    package func rowBytes(columns: Int) -> Int { rowHeaderBytes + columns / blockSize * blockBytes }

    /// The tiles that hold it.
    package var kind: TileKind {
        switch self {
        case .f32, .f16, .bf16: .twelveBit
        case .q4_0: .fourBit
        case .q4_1, .q4_K: .fourBitMinima
        case .q5_0: .fiveBit
        case .q5_1, .q5_K: .fiveBitMinima
        case .q8_0: .eightBit
        case .q2_K: .twoBitFactors
        case .q3_K: .threeBitFactors
        case .q6_K: .sixBitHalves
        case .iq4_NL: .iq4NL
        case .mxfp4: .fp4
        case .tq1_0, .tq2_0: .ternaryGroups
        case .i2_S, .iq2_BN: .ternary
        }
    }
}
