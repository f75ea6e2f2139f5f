import GGUF
import HTPDevice
import HTPProgram
import Quantization
import TestSupport
import Testing

/// Repacked weights, read back as `htp_tiles.h` describes them.
@Suite struct TileTests {
    @Test(
        arguments: WeightMatrix.Format.allCases,
        [(1, 32), (32, 64), (70, 96), (130, 256), (65, 768), (1, 1), (70, 33), (66, 127), (64, 257)])
    func everyWeightIsWhereTheFormatSays(format: WeightMatrix.Format, size: (Int, Int)) throws {
        let rows = size.0
        let columns = (size.1 + format.blockSize - 1) / format.blockSize * format.blockSize
        var random = SeededGenerator(UInt64(rows * columns))
        let matrix = try RandomMatrix(format, rows: rows, columns: columns, random: &random)
        let (tiles, rowTileBytes) = try Self.repacked(matrix)
        for row in 0..<(rows + 63) / 64 * 64 {
            let tile = TileReader(
                bytes: tiles[row / 64 * rowTileBytes..<(row / 64 + 1) * rowTileBytes], kind: format.kind,
                columns: columns)
            var worst = 0.0
            for column in 0..<columns {
                let found = tile.weight(row: row % 64, column: column)
                guard row < rows else {
                    #expect(found.value == 0)
                    continue
                }
                let expected = Double(matrix.values[row * columns + column])
                worst = max(worst, abs(found.value - expected) / found.tolerance)
            }
            #expect(worst <= 1, "row \(row)")
        }
    }

    /// The engine's floats of the ternary formats are those that the random matrices were made with.
    @Test(arguments: [WeightMatrix.Format.i2_S, .iq2_BN])
    func ternaryRowsAreReadAsTheyWereWritten(format: WeightMatrix.Format) throws {
        var random = SeededGenerator(12)
        let matrix = try RandomMatrix(format, rows: 5, columns: 384, random: &random)
        let type = RandomMatrix.type(of: format), rowBytes = format.rowBytes(columns: 384)
        try matrix.bytes.withUnsafeBytes { bytes in
            let scale = type.tensorScale(bytes)
            for row in 0..<5 {
                var values = [Float](repeating: 0, count: 384)
                try values.withUnsafeMutableBufferPointer {
                    try type.dequantizeRow(
                        UnsafeRawBufferPointer(rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes]),
                        scale: scale, into: $0)
                }
                #expect(values == Array(matrix.values[row * 384..<(row + 1) * 384]))
            }
        }
    }

    static func repacked(_ matrix: RandomMatrix) throws -> (tiles: [UInt8], rowTileBytes: Int) {
        try matrix.withWeights { weights in
            let rowTileBytes = weights.kind.rowTileBytes(columns: weights.columns)
            var tiles = [UInt8](repeating: 0, count: weights.tiledByteCount)
            try tiles.withUnsafeMutableBytes { tiles in
                guard let base = tiles.baseAddress else { return }
                try weights.writeRowTiles(0..<weights.rowTileCount, to: base)
            }
            return (tiles, rowTileBytes)
        }
    }

    @Test func sizesAreTheProgramsOwn() {
        for kind in TileKind.allCases {
            for columns in [1, 31, 33, 100, 255, 257] + stride(from: 32, through: 4096, by: 32) {
                #expect(
                    UInt64(kind.byteCount(rows: 65, columns: columns))
                        == htp_tiles_bytes(kind.rawValue, 65, UInt32(columns)))
            }
        }
        #expect(TileKind.allCases.count + 1 == Int(HTP_TILES_KINDS_END))
        #expect(TileKind.columnsMax == 1023 * 32)
    }

    static let budgets: [(WeightMatrix.Format, Double)] = [
        (.q4_0, 4.5), (.q4_1, 5.0), (.q5_0, 5.5), (.q5_1, 6.0), (.q8_0, 8.5), (.q2_K, 2.625), (.q3_K, 3.4375),
        (.q4_K, 5.0), (.q5_K, 6.0), (.q6_K, 7.0), (.iq4_NL, 4.5), (.mxfp4, 4.25), (.tq2_0, 2.0625),
        (.iq2_BN, 2.0078125), (.i2_S, 2.0078125), (.f16, 16.0), (.bf16, 16.0), (.f32, 32.0),
    ]

    /// Bits per weight of a matrix as wide as models have them, against what llama.cpp's Hexagon backend holds in
    /// memory for a tile of 1024 weights; where it has no tiles, against the format itself. A row's exponent adds 32
    /// bits to it.
    @Test(arguments: budgets)
    func noFormatNeedsMoreMemory(format: WeightMatrix.Format, bits: Double) {
        let columns = 4096
        let ours = Double(format.kind.byteCount(rows: 64, columns: columns) * 8) / Double(64 * columns)
        #expect(ours <= bits + 32 / Double(columns))
    }

    @Test func scalesWithinFourOctavesAreExact() throws {
        // Scales of half precision need 11 bits, mantissas have 15: nothing is lost down to a sixteenth.
        var random = SeededGenerator(5)
        let matrix = try RandomMatrix(.q8_0, rows: 64, columns: 256, random: &random)
        let tile = TileReader(bytes: try Self.repacked(matrix).tiles[...], kind: .eightBit, columns: 256)
        for row in 0..<64 {
            for column in 0..<256 {
                #expect(
                    tile.weight(row: row, column: column).value == Double(matrix.values[row * 256 + column]))
            }
        }
    }

    @Test func aScaleThatIsNoNumberIsRefused() throws {
        var bytes = [UInt8](repeating: 0, count: 18)
        bytes[1] = 0x7c  // infinity
        try bytes.withUnsafeBytes { bytes in
            let matrix = try WeightMatrix(name: "bad", format: .q4_0, rows: 1, columns: 32, bytes: bytes)
            let error = #expect(throws: HTPError.self) {
                let tile = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: matrix.tiledByteCount, alignment: 128)
                defer { tile.deallocate() }
                guard let base = tile.baseAddress else { return }
                try matrix.writeRowTiles(0..<1, to: base)
            }
            #expect(
                error?.description == "bad: the scale of row 0, block 0 is not a finite number")
        }
    }

    @Test(arguments: [(0, 32), (32, 0), (32, 33), (32, 1024 * 32), (32, 1023 * 32 + 1), (-1, 32)])
    func sizesThatDoNotFitAreRefused(rows: Int, columns: Int) {
        #expect(throws: HTPError.self) {
            try WeightMatrix(
                name: "odd", format: .q8_0, rows: rows, columns: columns,
                bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }
}
