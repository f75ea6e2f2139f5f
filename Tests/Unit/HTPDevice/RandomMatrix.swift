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
        let type: TensorType = format == .q4_0 ? .q4_0 : .q8_0
        let source = random.normals(rows * columns)
        var bytes = [UInt8](repeating: 0, count: rows * (columns / 32) * format.blockBytes)
        try source.withUnsafeBufferPointer { source in
            try bytes.withUnsafeMutableBytes { try type.quantize(source, into: $0) }
        }
        var values = source
        try bytes.withUnsafeBytes { bytes in
            try values.withUnsafeMutableBufferPointer { try type.dequantize(bytes, into: $0) }
        }
        self.bytes = bytes
        self.values = values
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
