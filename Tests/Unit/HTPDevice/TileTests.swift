import GGUF
import HTPDevice
import TestSupport
import Testing

/// Repacked weights, read back as `htp_tiles.h` describes them.
@Suite struct TileTests {
    @Test(arguments: [WeightMatrix.Format.q4_0, .q8_0], [(1, 32), (32, 64), (45, 96), (70, 256)])
    func everyWeightIsWhereTheFormatSays(format: WeightMatrix.Format, size: (Int, Int)) throws {
        let (rows, columns) = size
        var random = SeededGenerator(UInt64(rows * columns))
        let matrix = try RandomMatrix(format, rows: rows, columns: columns, random: &random)
        try matrix.withWeights { weights in
            let rowTileBytes = weights.kind.rowTileBytes(columns: columns)
            var tiles = [UInt8](repeating: 0, count: weights.tiledByteCount)
            try tiles.withUnsafeMutableBytes { tiles in
                for index in 0..<weights.rowTileCount {
                    guard let base = tiles.baseAddress else { return }
                    try weights.writeRowTile(index, to: base + index * rowTileBytes)
                }
            }
            for row in 0..<(rows + 31) / 32 * 32 {
                let tile = Array(tiles[row / 32 * rowTileBytes..<(row / 32 + 1) * rowTileBytes])
                for column in 0..<columns {
                    let found = Self.weight(tile, weights.kind, row: row % 32, column: column)
                    guard row < rows else {
                        #expect(found.value == 0)
                        continue
                    }
                    let expected = Double(matrix.values[row * columns + column])
                    // The scale is off by half a unit of its mantissa at most, the code not at all.
                    let unit = found.unit * found.code.magnitude
                    #expect(
                        abs(found.value - expected) <= unit / 2 + 1e-12, "row \(row), column \(column)")
                }
            }
        }
    }

    /// weight = scale · 2^exponent · (byte − 128); `unit` is 2^exponent.
    private static func weight(
        _ tile: [UInt8], _ kind: TileKind, row: Int, column: Int
    ) -> (value: Double, unit: Double, code: Double) {
        func integer<Value: FixedWidthInteger>(_ type: Value.Type, _ offset: Int) -> Value {
            (0..<MemoryLayout<Value>.size).reduce(0) {
                $0 | Value(truncatingIfNeeded: tile[offset + $1]) << (8 * $1)
            }
        }
        let unit = Double(sign: .plus, exponent: Int(integer(Int32.self, 4 * row)), significand: 1)
        let block = column / 32, group = column % 32 / 4, member = column % 4
        let pair = 128 + block / 2 * (128 + 2 * kind.codeBytes)
        let scale = Double(integer(Int16.self, pair + 4 * row + 2 * (block % 2)))
        let codes = pair + 128 + block % 2 * kind.codeBytes
        let byte: Double
        switch kind {
        case .fourBit:
            let both = tile[codes + group / 2 * 128 + 4 * row + member]
            byte = Double(group % 2 == 0 ? both << 4 : both & 0xf0)
        case .eightBit:
            byte = Double(tile[codes + group * 128 + 4 * row + member])
        }
        return (scale * unit * (byte - 128), unit, byte - 128)
    }

    @Test func scalesWithinFourOctavesAreExact() throws {
        // Scales of half precision need 11 bits, mantissas have 15: nothing is lost down to a sixteenth.
        var random = SeededGenerator(5)
        let matrix = try RandomMatrix(.q8_0, rows: 32, columns: 256, random: &random)
        try matrix.withWeights { weights in
            var tile = [UInt8](repeating: 0, count: weights.tiledByteCount)
            try tile.withUnsafeMutableBytes { tile in
                guard let base = tile.baseAddress else { return }
                try weights.writeRowTile(0, to: base)
            }
            for row in 0..<32 {
                for column in 0..<256 {
                    let found = Self.weight(tile, .eightBit, row: row, column: column).value
                    #expect(found == Double(matrix.values[row * 256 + column]))
                }
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
                try matrix.writeRowTile(0, to: base)
            }
            #expect(error?.description == "bad: the scale of row 0, block 0 is not a finite number")
        }
    }

    @Test(arguments: [(0, 32), (32, 0), (32, 33), (32, 1024 * 32), (-1, 32)])
    func sizesThatDoNotFitAreRefused(rows: Int, columns: Int) {
        #expect(throws: HTPError.self) {
            try WeightMatrix(
                name: "odd", format: .q8_0, rows: rows, columns: columns,
                bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }
}
