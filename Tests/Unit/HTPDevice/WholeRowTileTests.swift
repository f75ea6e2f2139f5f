import CPUKernels
import HTPDevice
import Runtime
import TestSupport
import Testing

/// Row tiles that are repacked 64 rows at a time have the bytes of the general way, with Swift's vectors and with the
/// kernels of every level.
@Suite struct WholeRowTileTests {
    /// -1: Swift alone.
    static let levels: [Int32] = [-1] + (0..<Int32(CPU_KERNELS_LEVELS)).filter { cpu_kernels_get($0) != nil }

    /// What becomes of a matrix: its tiles, or the error.
    enum Outcome: Equatable {
        case tiles([UInt8])
        case refused(String)
    }

    static func outcome(
        _ matrix: RandomMatrix,
        _ write: (WeightMatrix, UnsafeMutableRawPointer) throws(HTPError) -> Void
    ) throws -> Outcome {
        try matrix.withWeights { weights in
            // Vectors of the DSP; a level may insist on less.
            let tiles = UnsafeMutableRawBufferPointer.allocate(
                byteCount: weights.tiledByteCount, alignment: 128)
            defer { tiles.deallocate() }
            tiles.initializeMemory(as: UInt8.self, repeating: 0)
            let base = try #require(tiles.baseAddress)
            do throws(HTPError) { try write(weights, base) } catch { return .refused(error.description) }
            return .tiles(Array(tiles))
        }
    }

    static func general(_ matrix: RandomMatrix) throws -> Outcome {
        try outcome(matrix) { weights, base throws(HTPError) in
            for index in 0..<weights.rowTileCount {
                let rowTileBytes = weights.kind.rowTileBytes(columns: weights.columns)
                try weights.writeAnyRowTile(index, to: base + index * rowTileBytes)
            }
        }
    }

    static func whole(_ matrix: RandomMatrix, level: Int32) throws -> Outcome {
        try outcome(matrix) { weights, base throws(HTPError) in
            try weights.writeRowTiles(
                0..<weights.rowTileCount, to: base, kernels: RowTileKernels(level: level))
        }
    }

    static func compare(_ matrix: RandomMatrix, _ what: String) throws {
        let expected = try general(matrix)
        for level in levels {
            let found = try whole(matrix, level: level)
            #expect(found == expected, "\(matrix.format), \(what), level \(level)")
        }
    }

    @Test(arguments: WeightMatrix.Format.allCases, [(64, 256), (130, 768), (200, 2304), (64, 4096)])
    func bytesAreThoseOfTheGeneralWay(format: WeightMatrix.Format, size: (Int, Int)) throws {
        var random = SeededGenerator(UInt64(size.0 + size.1))
        try Self.compare(RandomMatrix(format, rows: size.0, columns: size.1, random: &random), "random")
    }

    /// Widths of one block, of an odd number, and of less than a chunk or group.
    @Test(arguments: WeightMatrix.Format.allCases.filter { $0.blockSize <= 128 }, [1, 3, 5, 7, 9])
    func oddWidths(format: WeightMatrix.Format, blocks: Int) throws {
        var random = SeededGenerator(UInt64(blocks))
        let columns = ProductTests.columns(32 * blocks, format)
        try Self.compare(
            RandomMatrix(format, rows: 64, columns: columns, random: &random), "\(blocks) blocks")
    }

    @Test(arguments: WeightMatrix.Format.allCases)
    func rowsOfZeros(format: WeightMatrix.Format) throws {
        var random = SeededGenerator(4)
        let matrix = try RandomMatrix(format, rows: 128, columns: 768, random: &random)
        try Self.compare(matrix.zeroing([0, 7, 31, 32, 63, 100]), "some rows of zeros")
        try Self.compare(matrix.zeroing(Array(0..<128)), "all rows of zeros")
    }

    /// Any bytes at all: infinite, subnormal and negative scales, and refusals, whose words are the same, too.
    @Test(arguments: WeightMatrix.Format.allCases)
    func anyBytes(format: WeightMatrix.Format) throws {
        var random = SeededGenerator(9)
        let matrix = try RandomMatrix(format, rows: 128, columns: 512, random: &random)
        var refused = 0
        for round in 0..<24 {
            var bytes = matrix.bytes
            switch round % 4 {
            case 0: for i in bytes.indices { bytes[i] = UInt8.random(in: 0...255, using: &random) }
            // Halves below 2, most of a row's far apart; all bits of a quarter are zero.
            case 1: for i in bytes.indices { bytes[i] = UInt8.random(in: 0...255, using: &random) & 0x3f }
            // Subnormal halves.
            case 2: for i in bytes.indices { bytes[i] = UInt8.random(in: 0...255, using: &random) & 0x83 }
            default:
                for _ in 0..<4 {
                    bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
                        in: 0...255, using: &random)
                }
            }
            let changed = matrix.with(bytes: bytes)
            try Self.compare(changed, "bytes of round \(round)")
            if case .refused = try Self.general(changed) { refused += 1 }
        }
        // MXFP4 has no bits that are no number; of I2_S, only one scale is read.
        if format != .mxfp4, format != .i2_S { #expect(refused > 0) }
    }

    /// Where vectors cannot be stored past the caches.
    @Test(arguments: [16, 8, 1])
    func destinationsOfAnyAlignment(shift: Int) throws {
        var random = SeededGenerator(2)
        for format in WeightMatrix.Format.allCases {
            let matrix = try RandomMatrix(format, rows: 64, columns: 256, random: &random)
            let expected = try Self.general(matrix)
            try matrix.withWeights { weights in
                let tiles = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: weights.tiledByteCount + shift, alignment: 128)
                defer { tiles.deallocate() }
                tiles.initializeMemory(as: UInt8.self, repeating: 0)
                let base = try #require(tiles.baseAddress) + shift
                try weights.writeRowTiles(0..<1, to: base, kernels: .best)
                #expect(.tiles(Array(tiles[shift...])) == expected, "\(format)")
            }
        }
    }
}
