import GGUF
import Quantization
import TestSupport
import Testing

/// What other programs make of the same numbers, by digests of their bytes.
///
/// Made by `Tests/Toolchain/Witness/digests.py PATH/libggml-base.so` with the library of llama-cpp-python 0.3.36 (ggml
/// 0.25.3, x86-64); IQ2_BN with the row function of ik_llama.cpp's `iqk_quantize.cpp` (commit 8337e4cd), rows of 2048; I2_S
/// with `quantize_i2_s` of Microsoft's BitNet in its layout of 128 weights, without multiply-adds. All of them single lines of
/// 24576 numbers, or twelve rows.
@Suite("Quantization digests") struct QuantizationDigestTests {
    static let digests: [(type: TensorType, digest: UInt64)] = [
        (.q4_0, 0xba10_7de7_6ce5_5a82), (.q4_1, 0x8be0_75b6_5468_4084), (.q5_0, 0x311c_f075_2efd_5855),
        (.q5_1, 0xe170_8d7a_7f29_47a0), (.q8_0, 0x7775_41ae_1b5b_d9ee), (.q2_K, 0x3a82_d647_3b2a_b2a0),
        (.q3_K, 0x4173_a23a_95d6_7432), (.q4_K, 0x51c9_c466_bc5a_0f08), (.q5_K, 0x697f_fded_b085_9534),
        (.q6_K, 0x0607_3fb4_d659_34ea), (.iq4_NL, 0x2656_0e9e_e54b_ad09),
        (.iq4_XS, 0xeb87_6ebe_f713_2adf), (.bf16, 0xcc39_53e6_fb16_7886),
        (.f16, 0xa9a7_86ee_7171_9457), (.tq1_0, 0xfb92_dfb4_e8b6_58d4), (.tq2_0, 0x3801_db0f_a644_2164),
        (.mxfp4, 0x1980_54a9_07b4_0b5a), (.iq2_BN, 0x7e38_cc06_6216_c2ab), (.i2_S, 0x5d32_f923_9078_d23e),
    ]

    /// The numbers of `digests.py`.
    static let numbers: [Float] = {
        var random = SeededGenerator(8)
        func uniform() -> Double { Double(random.next() >> 11) * 0x1p-53 }
        var result: [Float] = []
        for kind in 0..<12 {
            var common = 1.0
            for i in 0..<2048 {
                var x = uniform() + uniform() + uniform() + uniform() - 2
                if i % 64 == 0 { common = uniform() }
                switch kind {
                case 1: x *= 0.02
                case 2 where i % 61 == 0: x *= 30
                case 3: x = 0
                case 4: x = common - 0.5
                case 5: x *= 1e-12
                case 6: x *= 1e4
                case 7: x = i % 2 == 0 ? common : -common
                case 8: x *= Double(sign: .plus, exponent: -(i / 16 % 24), significand: 1)
                case 9: x = x.magnitude < 0.25 ? 0 : x > 0 ? 0.75 : -0.75
                case 10: x = -x.magnitude
                case 11: x = x * x * x
                default: break
                }
                result.append(Float(x))
            }
        }
        return result
    }()

    @Test("twelve kinds of numbers become the bytes of their peers'", arguments: digests.map(\.type))
    func bytes(_ type: TensorType) throws {
        var bytes = try Self.rows(of: type, Self.numbers, length: 2048)
        bytes += type.tensorTrailer(largest: WeightRange.of(Self.numbers).largest)
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        #expect(digest == Self.digests.first { $0.type == type }?.digest)
    }

    @Test func everyTypeThatCanBeWrittenIsAmongThem() {
        #expect(Set(TensorType.writableRows) == Set(Self.digests.map(\.type) + [.f32]))
    }

    /// Root mean square of the error by that of the weights, of about normal ones; what is known of the formats, and a little.
    @Test(
        arguments: [
            (TensorType.f16, 3e-4), (.bf16, 2e-3), (.q8_0, 6e-3), (.q6_K, 0.02), (.q5_K, 0.04),
            (.q5_0, 0.05), (.q5_1, 0.05), (.q4_K, 0.075), (.iq4_XS, 0.08), (.iq4_NL, 0.08), (.q4_0, 0.1),
            (.q4_1, 0.09), (.mxfp4, 0.13), (.q3_K, 0.17), (.q2_K, 0.31),
        ]
    )
    func error(_ type: TensorType, _ bound: Double) throws {
        var random = SeededGenerator(9)
        let weights = random.normals(1 << 14)
        let read = try Self.floats(
            of: type, try Self.rows(of: type, weights, length: 1 << 12), count: weights.count, length: 1 << 12
        )
        let error = zip(weights, read).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        let size = weights.reduce(0.0) { $0 + Double($1 * $1) }
        let relative = (error / size).squareRoot()
        #expect(relative < bound && relative > bound / 4, "\(relative)")
    }

    @Test(
        "ternary weights are carried from type to type",
        arguments: [TensorType.i2_S, .iq2_BN, .tq1_0, .tq2_0])
    func ternary(_ type: TensorType) throws {
        var random = SeededGenerator(3)
        let weights = (0..<2048).map { _ in Float(Int.random(in: -1...1, using: &random)) * 0.71875 }
        var bytes = try Self.rows(of: type, weights, length: 1024)
        bytes += type.tensorTrailer(largest: 0.71875)
        #expect(try Self.floats(of: type, bytes, count: 2048, length: 1024) == weights)
    }

    @Test("any floats become a row", arguments: TensorType.writableRows)
    func anyFloats(_ type: TensorType) throws {
        let specials: [Float] = [
            .nan, -.nan, .signalingNaN, .infinity, -.infinity, .greatestFiniteMagnitude,
            .leastNonzeroMagnitude,
            .leastNormalMagnitude, -0.0, .leastNonzeroMagnitude * 700_000, -3, 65520, 1e30,
        ]
        for special in specials {
            for period in [1, 7, 256] {
                let weights = (0..<512).map { $0 % period == 0 ? special : 0.25 }
                let bytes = try Self.rows(of: type, weights, length: 512)
                // The same again: what they become does not depend on what was in memory.
                #expect(try Self.rows(of: type, weights, length: 512) == bytes)
            }
        }
    }

    static func rows(of type: TensorType, _ weights: [Float], length: Int) throws -> [UInt8] {
        let rowBytes = try #require(type.layout?.rowByteCount(length))
        var bytes = [UInt8](repeating: 0xa5, count: weights.count / length * rowBytes)
        try weights.withUnsafeBufferPointer { weights in
            try bytes.withUnsafeMutableBytes { bytes in
                for row in 0..<weights.count / length {
                    try type.quantizeRow(
                        UnsafeBufferPointer(rebasing: weights[row * length..<(row + 1) * length]),
                        into: UnsafeMutableRawBufferPointer(
                            rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes]))
                }
            }
        }
        return bytes
    }

    static func floats(of type: TensorType, _ bytes: [UInt8], count: Int, length: Int) throws -> [Float] {
        let rowBytes = try #require(type.layout?.rowByteCount(length))
        var values = [Float](repeating: .nan, count: count)
        try bytes.withUnsafeBytes { bytes in
            let scale = type.tensorScale(bytes)
            try values.withUnsafeMutableBufferPointer { values in
                for row in 0..<count / length {
                    try type.dequantizeRow(
                        UnsafeRawBufferPointer(rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes]),
                        scale: scale,
                        into: UnsafeMutableBufferPointer(
                            rebasing: values[row * length..<(row + 1) * length]))
                }
            }
        }
        return values
    }
}

extension WeightRange {
    fileprivate static func of(_ weights: [Float]) -> WeightRange {
        weights.withUnsafeBufferPointer { WeightRange($0) }
    }
}
