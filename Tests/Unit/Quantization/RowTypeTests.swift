import GGUF
import Quantization
import TestSupport
import Testing

/// Types whose scales stand beside the blocks, by examples that were worked out by hand and by numbers that are
/// written down here as `references/gguf.md` describes them.
@Suite struct RowTypeTests {
    static func read(_ type: TensorType, _ row: [UInt8], scale: Float = 1, count: Int) throws -> [Float] {
        var values = [Float](repeating: .nan, count: count)
        try row.withUnsafeBytes { row in
            try values.withUnsafeMutableBufferPointer { try type.dequantizeRow(row, scale: scale, into: $0) }
        }
        return values
    }

    @Test func bytesOfI2_SBeginWithTheHighBits() throws {
        // 0b00_01_10_01: codes 0, 1, 2, 1; elsewhere 0b01010101, zeros.
        var row = [UInt8](repeating: 0x55, count: 64)
        row[3] = 0b00_01_10_01
        row[32 + 31] = 0b10_00_01_10
        let values = try Self.read(.i2_S, row, scale: 0.25, count: 256)
        var expected = [Float](repeating: 0, count: 256)
        (expected[3], expected[67]) = (-0.25, 0.25)
        (expected[159], expected[191], expected[255]) = (0.25, -0.25, 0.25)
        #expect(values == expected)
    }

    @Test func bytesOfIQ2_BNBeginWithTheLowBitsAndRowsWithTheScale() throws {
        var row: [UInt8] = [0, 0, 0x20, 0xc0] + [UInt8](repeating: 0x55, count: 32)  // -2.5
        row[4 + 2] = 0b01_10_01_00
        row[4 + 16 + 15] = 0b10_01_00_10
        let values = try Self.read(.iq2_BN, row, count: 128)
        var expected = [Float](repeating: 0, count: 128)
        (expected[2], expected[34]) = (2.5, -2.5)
        (expected[79], expected[95], expected[127]) = (-2.5, 2.5, -2.5)
        #expect(values == expected)
    }

    @Test func theScaleOfI2_SIsBehindTheLastRow() {
        let tensor =
            [UInt8](repeating: 0x55, count: 96) + [0, 0, 0x80, 0x3e] + [UInt8](repeating: 9, count: 28)
        tensor.withUnsafeBytes { #expect(TensorType.i2_S.tensorScale($0) == 0.25) }
        tensor.withUnsafeBytes { #expect(TensorType.q8_0.tensorScale($0) == 1) }
    }

    @Test func sizesThatDoNotBelongTogetherAreRefused() {
        for (type, bytes, count) in [
            (TensorType.i2_S, 32, 64), (.i2_S, 31, 128), (.i2_S, 64, 128), (.iq2_BN, 16, 64),
            (.iq2_BN, 20, 32),
            (.iq2_BN, 4, 64), (.iq2_BN, 3, 0), (.q4_0, 18, 31),
        ] {
            #expect(throws: QuantizationError.sizeMismatch(type, bytes: bytes, values: count)) {
                try Self.read(type, [UInt8](repeating: 0, count: bytes), count: count)
            }
        }
    }

    @Test func otherTypesAreReadAsTheirBlocks() throws {
        var random = SeededGenerator(6)
        let row = (0..<2 * 34).map { _ in UInt8.random(in: 0...60, using: &random) }
        var expected = [Float](repeating: 0, count: 64)
        try row.withUnsafeBytes { row in
            try expected.withUnsafeMutableBufferPointer { try TensorType.q8_0.dequantize(row, into: $0) }
        }
        #expect(try Self.read(.q8_0, row, scale: 7, count: 64) == expected)
    }
}
