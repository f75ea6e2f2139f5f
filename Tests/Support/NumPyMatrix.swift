import Foundation

/// A matrix of a NumPy file: little-endian floats of single or double precision, row by row.
package struct NumPyMatrix: Sendable {
    package let rows: Int
    package let columns: Int
    /// Row by row.
    package let values: [Double]

    /// Why a file cannot be read.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package init(path: String) throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        func failure(_ problem: String) -> Failure { Failure(description: "\(path): \(problem)") }
        guard bytes.count > 12, bytes[0] == 0x93, bytes[1..<6].elementsEqual("NUMPY".utf8) else {
            throw failure("not a NumPy file")
        }
        let start = bytes[6] == 1 ? 10 : 12
        let length = bytes[8..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard start + length <= bytes.count, (start + length) % 64 == 0 || bytes[6] != 1 else {
            throw failure("the header does not end where it should")
        }
        let header = String(decoding: bytes[start..<start + length], as: UTF8.self)
        guard header.hasSuffix("\n"), header.contains("'fortran_order': False"),
            let shape = header.split(separator: "(").last?.split(separator: ")").first
        else { throw failure("a header that is not known here: \(header)") }
        let extents = shape.split(separator: ",").compactMap {
            Int($0.trimmingCharacters(in: .whitespaces))
        }
        let isDouble = header.contains("'<f8'")
        guard isDouble || header.contains("'<f4'"), extents.count == 2 else {
            throw failure("not a matrix of floats: \(header)")
        }
        (rows, columns) = (extents[0], extents[1])
        let size = isDouble ? 8 : 4
        guard bytes.count - start - length == rows * columns * size else {
            throw failure("\(bytes.count - start - length) bytes for \(rows) × \(columns) numbers")
        }
        values = bytes.withUnsafeBytes { bytes in
            stride(from: start + length, to: bytes.count, by: size).map { offset in
                isDouble
                    ? bytes.loadUnaligned(fromByteOffset: offset, as: Double.self)
                    : Double(bytes.loadUnaligned(fromByteOffset: offset, as: Float.self))
            }
        }
    }

    /// The normalised mean square error of other values: Σ(a - b)² / Σa². Infinite where the sizes differ.
    package func error(of others: some Collection<Float>) -> Double {
        guard others.count == values.count else { return .infinity }
        var (difference, total) = (0.0, 0.0)
        for (value, other) in zip(values, others) {
            difference += (value - Double(other)) * (value - Double(other))
            total += value * value
        }
        return difference / total
    }
}
