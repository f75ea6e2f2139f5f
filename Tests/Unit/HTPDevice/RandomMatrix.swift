import GGUF
import HTPDevice
import Quantization
import TestSupport

/// A matrix of random weights in a model's format, and the same weights as floats.
struct RandomMatrix {
    let format: WeightMatrix.Format
    let rows: Int
    let columns: Int
    let bytes: [UInt8]
    let values: [Float]

    init(_ format: WeightMatrix.Format, rows: Int, columns: Int, random: inout SeededGenerator) throws {
        self.format = format
        self.rows = rows
        self.columns = columns
        (bytes, values) = try Self.random(format, rows: rows, columns: columns, &random)
    }

    private init(_ other: RandomMatrix, bytes: [UInt8], values: [Float]) {
        (format, rows, columns) = (other.format, other.rows, other.columns)
        (self.bytes, self.values) = (bytes, values)
    }

    /// The same with other bytes, whose values nobody asks for.
    func with(bytes: [UInt8]) -> RandomMatrix { RandomMatrix(self, bytes: bytes, values: []) }

    /// The same with rows whose scales are all zero; in I2_S, which has but one, all rows are.
    func zeroing(_ zeros: [Int]) -> RandomMatrix {
        var bytes = bytes, values = values
        let rowBytes = format.rowBytes(columns: columns)
        for row in format == .i2_S ? Array(0..<rows) : zeros {
            bytes.replaceSubrange(
                row * rowBytes..<(row + 1) * rowBytes, with: repeatElement(0, count: rowBytes))
            values.replaceSubrange(
                row * columns..<(row + 1) * columns, with: repeatElement(0, count: columns))
        }
        if format == .i2_S {
            bytes.replaceSubrange(rows * rowBytes..<bytes.count, with: repeatElement(0, count: 32))
        }
        return RandomMatrix(self, bytes: bytes, values: values)
    }

    /// The type in model files.
    static func type(of format: WeightMatrix.Format) -> TensorType {
        switch format {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q4_0: .q4_0
        case .q4_1: .q4_1
        case .q5_0: .q5_0
        case .q5_1: .q5_1
        case .q8_0: .q8_0
        case .q2_K: .q2_K
        case .q3_K: .q3_K
        case .q4_K: .q4_K
        case .q5_K: .q5_K
        case .q6_K: .q6_K
        case .iq4_NL: .iq4_NL
        case .mxfp4: .mxfp4
        case .tq1_0: .tq1_0
        case .tq2_0: .tq2_0
        case .i2_S: .i2_S
        case .iq2_BN: .iq2_BN
        }
    }

    private static func random(
        _ format: WeightMatrix.Format, rows: Int, columns: Int, _ random: inout SeededGenerator
    ) throws -> (bytes: [UInt8], values: [Float]) {
        let type = type(of: format)
        var bytes = [UInt8](
            repeating: 0, count: rows * format.rowBytes(columns: columns) + format.trailerBytes)
        switch format {
        case .f32, .f16, .bf16, .q4_0, .q8_0:
            let source = random.normals(rows * columns)
            try source.withUnsafeBufferPointer { source in
                try bytes.withUnsafeMutableBytes { try type.quantize(source, into: $0) }
            }
        case .i2_S, .iq2_BN:
            return ternary(format, rows: rows, columns: columns, &random)
        default:
            // Random codes and factors under halves of the magnitude that models have.
            for index in bytes.indices { bytes[index] = UInt8.random(in: 0...255, using: &random) }
            let blocks = rows * columns / format.blockSize
            for block in 0..<blocks {
                func store(_ value: Float, _ offset: Int) {
                    let at = block * format.blockBytes + offset
                    let bits = value.halfBits
                    (bytes[at], bytes[at + 1]) = (UInt8(bits & 255), UInt8(bits >> 8))
                }
                let scale = Float.random(in: 0.3...1, using: &random) / 64
                switch format {
                case .q4_1, .q5_1:
                    store(scale, 0)
                    store(-scale * Float.random(in: 6...10, using: &random) * (format == .q5_1 ? 2 : 1), 2)
                case .q5_0, .iq4_NL: store(scale, 0)
                case .q2_K:
                    store(scale, 80)
                    store(scale, 82)
                case .q3_K: store(scale, 108)
                case .q4_K, .q5_K:
                    store(scale, 0)
                    store(scale * (format == .q5_K ? 16 : 8), 2)
                case .q6_K: store(scale, 208)
                case .mxfp4:
                    bytes[block * format.blockBytes] = UInt8.random(in: 118...124, using: &random)
                case .tq1_0:
                    store(scale, 52)
                    // The bytes that are five digits as a fraction, and the four's.
                    for i in 0..<52 {
                        let digits: UInt16 = i < 48 ? 243 : 81
                        let value = UInt16.random(in: 0..<digits, using: &random) * (243 / digits)
                        bytes[block * 54 + i] = UInt8((value * 256 + 242) / 243)
                    }
                case .tq2_0:
                    store(scale, 64)
                    for i in 0..<64 { bytes[block * 66 + i] = digits(&random) }
                default: break
                }
            }
        }
        var values = [Float](repeating: 0, count: rows * columns)
        try bytes.withUnsafeBytes { bytes in
            try values.withUnsafeMutableBufferPointer { try type.dequantize(bytes, into: $0) }
        }
        return (bytes, values)
    }

    /// Four ternary digits of two bits.
    private static func digits(_ random: inout SeededGenerator) -> UInt8 {
        (0..<4).reduce(0) { $0 | UInt8.random(in: 0...2, using: &random) << UInt8(2 * $1) }
    }

    /// The formats that the engine does not read otherwise, after their descriptions in `references/gguf.md`.
    private static func ternary(
        _ format: WeightMatrix.Format, rows: Int, columns: Int, _ random: inout SeededGenerator
    ) -> (bytes: [UInt8], values: [Float]) {
        var bytes: [UInt8] = [], values: [Float] = []
        func append(_ scale: Float) {
            withUnsafeBytes(of: scale.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
        }
        let common = Float.random(in: 0.5...1, using: &random)
        // Weights side by side in a byte, and from which end they begin.
        let (stride, descending) = format == .i2_S ? (32, true) : (16, false)
        for _ in 0..<rows {
            let scale = format == .i2_S ? common : Float.random(in: 0.01...1, using: &random)
            if format == .iq2_BN { append(scale) }
            var row = [Float](repeating: 0, count: columns)
            for block in 0..<columns / (4 * stride) {
                for j in 0..<stride {
                    let byte = digits(&random)
                    bytes.append(byte)
                    for k in 0..<4 {
                        let code = byte >> UInt8(2 * (descending ? 3 - k : k)) & 3
                        row[block * 4 * stride + k * stride + j] = (Float(code) - 1) * scale
                    }
                }
            }
            values += row
        }
        if format == .i2_S {
            append(common)
            bytes += [UInt8](repeating: 0, count: 28)
        }
        return (bytes, values)
    }

    /// Calls `body` with the matrix as the device takes it.
    func withWeights<Result>(_ body: (WeightMatrix) throws -> Result) throws -> Result {
        try bytes.withUnsafeBytes { bytes in
            try body(
                WeightMatrix(name: "random", format: format, rows: rows, columns: columns, bytes: bytes))
        }
    }

    /// The product with each row of `source`, in double precision.
    func multiplied(by source: [Float]) -> [Double] {
        var result: [Double] = []
        for first in stride(from: 0, to: source.count, by: columns) {
            for row in 0..<rows {
                var sum = 0.0
                for column in 0..<columns {
                    sum += Double(values[row * columns + column]) * Double(source[first + column])
                }
                result.append(sum)
            }
        }
        return result
    }

    /// The error of products with `source`, over the square that products of unrelated rows have on average: unlike
    /// the products' own square, it is never near zero.
    func error(of products: [Float], with source: [Float]) -> Double {
        func square(_ values: some Sequence<Float>) -> Double {
            values.reduce(0) { $0 + Double($1) * Double($1) }
        }
        let difference = zip(products, multiplied(by: source)).reduce(0) {
            $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1)
        }
        return difference / (square(values) * square(source) / Double(columns))
    }
}
