/// The kinds of tiles that the DSP program multiplies; see `htp_tiles.h`, whose numbers these are.
package enum TileKind: UInt32, Sendable, CaseIterable {
    /// Codes of four bits, two to a byte (`HTP_TILES_4BIT`).
    case fourBit = 4
    /// Codes of eight bits (`HTP_TILES_8BIT`).
    case eightBit = 8

    /// Rows and columns of a tile.
    package static let side = 32
    /// Bytes of an HVX vector, and the alignment of everything in a row tile.
    package static let vectorBytes = 128
    /// The widest matrix whose sums cannot overflow on the DSP.
    package static let columnsMax = 1023 * side

    /// Bytes of one tile's codes.
    package var codeBytes: Int { self == .fourBit ? 512 : 1024 }

    /// Bytes of one row tile of a matrix with `columns` columns.
    package func rowTileBytes(columns: Int) -> Int {
        let pairs = (columns / Self.side + 1) / 2
        return Self.vectorBytes + pairs * (Self.vectorBytes + 2 * codeBytes)
    }

    /// Bytes of a whole matrix.
    package func byteCount(rows: Int, columns: Int) -> Int {
        (rows + Self.side - 1) / Self.side * rowTileBytes(columns: columns)
    }
}
