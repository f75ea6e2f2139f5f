import CPUKernels
import Glibc
import Testing

/// Every level this machine has, against sums in double precision of the weights' defined values.
@Suite("CPU kernels: matrix products")
struct MatrixProductTests {
    enum Weights: CaseIterable, Sendable { case f32, f16, bf16, q8_0, q4_0 }

    struct Shape: Sendable, CustomTestStringConvertible {
        var rows: Int
        var columns: Int
        var count: Int
        var testDescription: String { "\(rows)x\(columns), \(count) columns of activations" }
    }

    static let shapes = [
        Shape(rows: 1, columns: 32, count: 1), Shape(rows: 3, columns: 96, count: 3),
        Shape(rows: 37, columns: 160, count: 5), Shape(rows: 64, columns: 1056, count: 9),
        Shape(rows: 9, columns: 2048, count: 4), Shape(rows: 70, columns: 544, count: 33),
    ]

    @Test("equal sums in double precision", arguments: kernelLevels, shapes)
    func products(level: KernelLevel, shape: Shape) throws {
        for weights in Weights.allCases {
            try check(weights, level, shape)
        }
    }

    @Test("row lengths that fill no vector", arguments: kernelLevels, [1, 7, 17, 31, 100])
    func oddColumns(level: KernelLevel, columns: Int) throws {
        for weights in [Weights.f32, .f16, .bf16] {
            try check(weights, level, Shape(rows: 6, columns: columns, count: 5))
        }
    }

    private func check(_ weights: Weights, _ level: KernelLevel, _ shape: Shape) throws {
        var random = KernelRandom(seed: UInt64(shape.rows * shape.columns + shape.count))
        let matrix = Matrix(weights, rows: shape.rows, columns: shape.columns, &random)
        let x = (0..<shape.count * shape.columns).map { _ in random.normal() }
        let isBlocks = weights == .q8_0 || weights == .q4_0

        // One byte off alignment, and not a byte too many: what is read beyond shows under a sanitizer.
        let rowBytes = isBlocks ? cpu_activation_bytes(shape.columns) : shape.columns * 4
        var activations = [UInt8](repeating: 0, count: rowBytes * shape.count + 1)
        var values = x.map(Double.init)
        activations.withUnsafeMutableBytes { bytes in
            for c in 0..<shape.count {
                let row = bytes.baseAddress! + 1 + c * rowBytes
                let source = Array(x[c * shape.columns..<(c + 1) * shape.columns])
                if isBlocks {
                    level.kernels.quantize_activations(source, shape.columns, row)
                    for k in 0..<shape.columns {
                        let code = row.load(fromByteOffset: k, as: Int8.self)
                        let scale = row.loadUnaligned(
                            fromByteOffset: shape.columns + k / 32 * 4, as: Float.self)
                        values[c * shape.columns + k] = Double(code) * Double(scale)
                    }
                } else {
                    source.withUnsafeBytes { row.copyMemory(from: $0.baseAddress!, byteCount: rowBytes) }
                }
            }
        }

        // Rows in two parts, with a margin that must stay as it is.
        let stride = shape.rows + 3
        var y = [Float](repeating: -1, count: stride * shape.count)
        let middle = shape.rows / 3
        activations.withUnsafeBytes { activations in
            matrix.bytes.withUnsafeBytes { bytes in
                for (begin, end) in [(0, middle), (middle, shape.rows), (2, 2)] {
                    level.matmul(weights)(
                        bytes.baseAddress! + 1, matrix.rowBytes, activations.baseAddress! + 1, rowBytes, &y,
                        stride, shape.columns, begin, end, shape.count)
                }
            }
        }

        var worst = 0.0
        for c in 0..<shape.count {
            for r in 0..<shape.rows {
                var sum = 0.0
                var magnitude = 0.0
                for k in 0..<shape.columns {
                    let product = matrix.values[r * shape.columns + k] * values[c * shape.columns + k]
                    sum += product
                    magnitude += product.magnitude
                }
                worst = max(worst, (Double(y[c * stride + r]) - sum).magnitude / (magnitude + 1e-30))
            }
            #expect(y[c * stride + shape.rows..<(c + 1) * stride].allSatisfy { $0 == -1 })
        }
        #expect(worst < 1e-6, "\(weights), \(level), \(shape.testDescription)")
    }
}

/// KernelRandom weights, their bytes one off alignment, and the values these stand for.
private struct Matrix {
    var bytes: [UInt8] = [0]
    var values: [Double] = []
    let rowBytes: Int

    init(_ weights: MatrixProductTests.Weights, rows: Int, columns: Int, _ random: inout KernelRandom) {
        switch weights {
        case .f32:
            rowBytes = columns * 4
            for _ in 0..<rows * columns {
                let value = random.normal()
                withUnsafeBytes(of: value) { bytes += $0 }
                values.append(Double(value))
            }
        case .f16, .bf16:
            rowBytes = columns * 2
            for i in 0..<rows * columns {
                // Some subnormal halves among them.
                let value = random.normal() * (i % 50 == 0 ? 1e-6 : 1)
                let bits: UInt16
                if weights == .f16 {
                    let half = Float16(value)
                    bits = half.bitPattern
                    values.append(Double(half))
                } else {
                    bits = UInt16(value.bitPattern >> 16)
                    values.append(Double(Float(bitPattern: UInt32(bits) << 16)))
                }
                withUnsafeBytes(of: bits) { bytes += $0 }
            }
        case .q8_0, .q4_0:
            let codeBytes = weights == .q8_0 ? 32 : 16
            rowBytes = columns / 32 * (codeBytes + 2)
            for _ in 0..<rows * columns / 32 {
                let scale = Float16(random.normal() * 0.1)
                withUnsafeBytes(of: scale.bitPattern) { bytes += $0 }
                let codes = (0..<codeBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                bytes += codes
                if weights == .q8_0 {
                    values += codes.map { Double(Int8(bitPattern: $0)) * Double(scale) }
                } else {
                    values += codes.map { (Double($0 & 15) - 8) * Double(scale) }
                    values += codes.map { (Double($0 >> 4) - 8) * Double(scale) }
                }
            }
        }
    }
}

extension KernelLevel {
    fileprivate func matmul(_ weights: MatrixProductTests.Weights) -> cpu_matmul {
        switch weights {
        case .f32: kernels.matmul_f32
        case .f16: kernels.matmul_f16
        case .bf16: kernels.matmul_bf16
        case .q8_0: kernels.matmul_q8_0
        case .q4_0: kernels.matmul_q4_0
        }
    }
}
