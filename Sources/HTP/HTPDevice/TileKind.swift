/// The kinds of tiles that the DSP program multiplies; see `htp_tiles.h`, whose numbers these are.
package enum TileKind: UInt32, Sendable, CaseIterable {
    /// Ternary weights with a scale for a row (`HTP_TILES_TERNARY`).
    case ternary = 1
    /// Ternary weights with a scale for 256 (`HTP_TILES_TERNARY_GROUPS`).
    case ternaryGroups = 2
    /// Codes of two bits, factors of scales and minima for 16 (`HTP_TILES_2BIT_FACTORS`).
    case twoBitFactors = 3
    /// Codes of four bits, two to a byte (`HTP_TILES_4BIT`).
    case fourBit = 4
    /// The same with minima (`HTP_TILES_4BIT_MINIMA`).
    case fourBitMinima = 5
    /// Codes of five bits (`HTP_TILES_5BIT`).
    case fiveBit = 6
    /// The same with minima (`HTP_TILES_5BIT_MINIMA`).
    case fiveBitMinima = 7
    /// Codes of eight bits (`HTP_TILES_8BIT`).
    case eightBit = 8
    /// Codes of six bits with a scale for 16 (`HTP_TILES_6BIT_HALVES`).
    case sixBitHalves = 9
    /// Codes of three bits, factors of scales for 16 (`HTP_TILES_3BIT_FACTORS`).
    case threeBitFactors = 10
    /// Codes of four bits through the table of IQ4_NL (`HTP_TILES_IQ4NL`).
    case iq4NL = 11
    /// Codes of twelve bits (`HTP_TILES_12BIT`).
    case twelveBit = 12
    /// E2M1 numbers with powers of two as scales (`HTP_TILES_FP4`).
    case fp4 = 13

    /// Rows of a row tile.
    package static let rows = 64
    /// Inputs of a block.
    package static let columns = 32
    /// Bytes of an HVX vector, and the alignment of everything in a row tile.
    package static let vectorBytes = 128
    /// The widest matrix whose sums cannot overflow on the DSP.
    package static let columnsMax = 1023 * columns

    /// Blocks of a row; what the last one lacks in inputs may be anything.
    package static func blocks(columns: Int) -> Int { (columns + Self.columns - 1) / Self.columns }

    /// Bytes of what a kind keeps once for a row tile, a block of 32 inputs, two blocks, four (a chunk) and eight (a
    /// group).
    package var parts: (row: Int, block: Int, pair: Int, chunk: Int, group: Int) {
        switch self {
        case .ternary: (384, 512, 0, 0, 0)
        case .ternaryGroups: (256, 512, 0, 0, 128)
        case .twoBitFactors: (256, 512, 0, 512, 256)
        case .threeBitFactors: (256, 768, 0, 384, 128)
        case .fourBit, .iq4NL: (256, 128 + 1024, 0, 0, 0)
        case .fp4: (256, 1024, 128, 0, 0)
        case .fourBitMinima: (256, 256 + 1024, 0, 0, 0)
        case .fiveBit: (256, 128 + 1024 + 256, 0, 0, 0)
        case .fiveBitMinima: (256, 256 + 1024 + 256, 0, 0, 0)
        case .sixBitHalves: (256, 256 + 1024 + 512, 0, 0, 0)
        case .eightBit: (256, 128 + 2048, 0, 0, 0)
        case .twelveBit: (256, 128 + 2048 + 1024, 0, 0, 0)
        }
    }

    /// Where the parts of a row tile begin: those of groups, of chunks and of pairs of blocks, then the blocks.
    package func offsets(columns: Int) -> (groups: Int, chunks: Int, pairs: Int, blocks: Int) {
        let parts = parts, blocks = Self.blocks(columns: columns)
        let chunks = parts.row + (blocks + 7) / 8 * parts.group
        let pairs = chunks + (blocks + 3) / 4 * parts.chunk
        return (parts.row, chunks, pairs, pairs + (blocks + 1) / 2 * parts.pair)
    }

    /// Bytes of one row tile of a matrix with `columns` columns.
    package func rowTileBytes(columns: Int) -> Int {
        offsets(columns: columns).blocks + Self.blocks(columns: columns) * parts.block
    }

    /// Bytes of a whole matrix.
    package func byteCount(rows: Int, columns: Int) -> Int {
        (rows + Self.rows - 1) / Self.rows * rowTileBytes(columns: columns)
    }
}
