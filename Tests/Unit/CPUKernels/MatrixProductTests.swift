import CPUKernels
import GGUF
import Quantization
import Runtime
import Testing

/// Every format at every level this machine has, against sums in double precision of the weights' values, which
/// `Quantization` finds from the same bytes by code of its own.
@Suite("CPU kernels: matrix products")
struct MatrixProductTests {
    static let types = TensorType.readableRows
    static let counts = [1, 2, 3, 4, 5, 9, 17, 33]

    /// Rows and columns: of everything a remainder.
    static func shapes(_ type: TensorType) -> [(rows: Int, columns: Int)] {
        let block = type.rowMultiple
        let some =
            block == 1 ? [1, 7, 31, 100, 544] : block <= 32 ? [32, 96, 352, 1056] : [block, 3 * block]
        return zip([1, 3, 70, 37, 9], some).map { ($0, $1) }
    }

    @Test("equal sums in double precision", arguments: kernelLevels, types)
    func products(level: KernelLevel, type: TensorType) throws {
        for (rows, columns) in Self.shapes(type) {
            try expectSums(level, type, rows: rows, columns: columns, counts: Self.counts)
        }
    }

    /// Kernels go by several blocks at once and prepare columns of a limited length.
    @Test("equal sums in double precision in longer rows", arguments: kernelLevels, types)
    func longRows(level: KernelLevel, type: TensorType) throws {
        for columns in [4 * 256, 6 * 256, 69 * 256] {
            try expectSums(level, type, rows: 5, columns: columns, counts: [1, 3])
        }
    }

    private func expectSums(
        _ level: KernelLevel, _ type: TensorType, rows: Int, columns: Int, counts: [Int]
    ) throws {
        let matrix = try Matrix(type, rows: rows, columns: columns)
        for count in counts {
            let x = Activations(level, type, columns: columns, count: count, outliers: false)
            let y = multiply(matrix, x, cuts: [rows / 3])
            for c in 0..<count {
                for r in 0..<rows {
                    let (sum, magnitude) = matrix.product(r, x.values[c * columns..<(c + 1) * columns])
                    let error = (Double(y[c * rows + r]) - sum).magnitude
                    #expect(
                        error <= x.weightRounding * magnitude + 1e-30,
                        "\(rows) × \(columns), \(count) columns: row \(r), column \(c)")
                }
            }
        }
    }

    @Test("are near those of the activations before their preparation", arguments: kernelLevels, types)
    func quality(level: KernelLevel, type: TensorType) throws {
        let (rows, columns) = (64, 1024)
        let matrix = try Matrix(type, rows: rows, columns: columns)
        for count in [2, 32] {
            for outliers in [false, true] {
                let x = Activations(level, type, columns: columns, count: count, outliers: outliers)
                let y = multiply(matrix, x, cuts: [])
                var (error, power) = (0.0, 0.0)
                for c in 0..<count {
                    for r in 0..<rows {
                        let column = x.floats[c * columns..<(c + 1) * columns].map(Double.init)
                        let sum = matrix.product(r, column).sum
                        error += (Double(y[c * rows + r]) - sum) * (Double(y[c * rows + r]) - sum)
                        power += sum * sum
                    }
                }
                let bound = x.errorPower(outliers: outliers)
                #expect(error / power < bound, "\(count) columns, outliers: \(outliers)")
            }
        }
    }

    @Test("have the same bits however rows and columns are cut", arguments: kernelLevels, types)
    func sameBits(level: KernelLevel, type: TensorType) throws {
        let (rows, columns) = (70, type.rowMultiple == 1 ? 333 : max(type.rowMultiple, 32) * 5)
        let matrix = try Matrix(type, rows: rows, columns: columns)
        let x = Activations(level, type, columns: columns, count: 48, outliers: false)
        let whole = multiply(matrix, x, cuts: [])
        #expect(multiply(matrix, x, cuts: [1, 2, 19, 32, 33, 69]) == whole)
        let part = multiply(matrix, x.prefix(17), cuts: [40])
        #expect(part == Array(whole.prefix(part.count)))
        let few = Activations(level, type, columns: columns, count: 3, outliers: false)
        let three = multiply(matrix, few, cuts: [])
        #expect(multiply(matrix, few, cuts: [5, 6, 47]) == three)
        #expect(multiply(matrix, few.prefix(1), cuts: [31]) == Array(three.prefix(rows)))
    }

    @Test("a fault in the activations is one in the product", arguments: kernelLevels, types)
    func faults(level: KernelLevel, type: TensorType) throws {
        let columns = max(type.rowMultiple, 32)
        let matrix = try Matrix(type, rows: 5, columns: columns)
        for fault in [Float.nan, .infinity] {
            for count in [1, 20] {
                var floats = Activations(level, type, columns: columns, count: count, outliers: false).floats
                floats[3] = fault
                let y = multiply(matrix, Activations(level, type, columns: columns, floats), cuts: [])
                #expect(y[..<5].allSatisfy { !$0.isFinite })
                #expect(y[5...].allSatisfy { $0.isFinite })
            }
        }
    }

    /// Rows are computed in the parts between the cuts, into memory with a margin that must stay as it is.
    private func multiply(_ matrix: Matrix, _ x: Activations, cuts: [Int]) -> [Float] {
        let stride = matrix.rows + 3
        var y = [Float](repeating: -1, count: stride * x.count)
        y.withUnsafeMutableBufferPointer { y in
            x.bytes.withUnsafeBytes { activations in
                matrix.bytes.withUnsafeBytes { weights in
                    var product = cpu_product()
                    product.weights = weights.baseAddress! + 1
                    product.weight_row_bytes = matrix.rowBytes
                    product.weight_scale = matrix.scale
                    product.activations = activations.baseAddress! + 1
                    product.activation_kind = x.kind
                    product.activation_row_bytes = x.rowBytes
                    product.dst = y.baseAddress
                    (product.dst_stride, product.columns, product.count) = (stride, matrix.columns, x.count)
                    let bounds = [0] + cuts + [matrix.rows]
                    for (first, last) in zip(bounds, bounds.dropFirst()) + [(0, 0)] {
                        cpu_multiply(x.level.table, matrix.format, &product, first, last)
                    }
                }
            }
        }
        for c in 0..<x.count {
            #expect(y[c * stride + matrix.rows..<(c + 1) * stride].allSatisfy { $0 == -1 })
        }
        return (0..<x.count).flatMap { y[$0 * stride..<$0 * stride + matrix.rows] }
    }
}

private func + <A>(a: some Sequence<A>, b: [A]) -> [A] { Array(a) + b }

/// Weights of a format, their bytes one off alignment and not a byte too many, and the values these stand for.
private struct Matrix {
    let format: Int32
    let rows: Int
    let columns: Int
    let rowBytes: Int
    let scale: Float
    var bytes: [UInt8] = [0]
    var values: [Double] = []

    init(_ type: TensorType, rows: Int, columns: Int) throws {
        (self.rows, self.columns) = (rows, columns)
        format = try #require(type.kernelFormat)
        rowBytes = try #require(type.layout?.rowByteCount(columns))
        scale = type == .i2_S ? 0.037 : 1
        var random = KernelRandom(seed: UInt64(rows * columns))
        for row in 0..<rows {
            // Rows of different magnitudes; in every third a weight that stands out.
            let magnitude = Float(1 + row % 5)
            var floats = (0..<columns).map { _ in random.normal() * magnitude }
            if row % 3 == 0 { floats[columns / 2] *= 7 }
            var row = [UInt8](repeating: 0, count: rowBytes)
            try floats.withUnsafeBufferPointer { floats in
                try row.withUnsafeMutableBytes { try type.quantizeRow(floats, into: $0) }
            }
            try floats.withUnsafeMutableBufferPointer { floats in
                try row.withUnsafeBytes { try type.dequantizeRow($0, scale: scale, into: floats) }
            }
            bytes += row
            values += floats.map(Double.init)
        }
    }

    /// A row times a column, and the sum of the products' magnitudes.
    func product(_ row: Int, _ column: some Collection<Double>) -> (sum: Double, magnitude: Double) {
        var (sum, magnitude) = (0.0, 0.0)
        for (w, x) in zip(values[row * columns..<(row + 1) * columns], column) {
            sum += w * x
            magnitude += (w * x).magnitude
        }
        return (sum, magnitude)
    }
}

/// Columns as a product takes them, their bytes one off alignment and not a byte too many.
private struct Activations {
    let level: KernelLevel
    let kind: Int32
    let columns: Int
    let rowBytes: Int
    var floats: [Float]
    var bytes: [UInt8]
    /// What the bytes stand for.
    var values: [Double] = []

    var count: Int { floats.count / columns }
    /// What rounding the weights as the activations are may change, as a part of the products' magnitudes.
    var weightRounding: Double {
        switch kind {
        case Int32(CPU_ACTIVATIONS_BF16): 0.005
        case Int32(CPU_ACTIVATIONS_INT16): 5e-4
        case Int32(CPU_ACTIVATIONS_BF16_PAIRS): 0x1p-15
        default: 2e-6
        }
    }

    /// What is allowed of the results' power, whatever the kind of activations leaves of them.
    func errorPower(outliers: Bool) -> Double {
        switch kind {
        case Int32(CPU_ACTIVATIONS_FLOAT): 1e-12
        case Int32(CPU_ACTIVATIONS_INT16): outliers ? 1e-7 : 3e-8
        case Int32(CPU_ACTIVATIONS_BF16_PAIRS): 1e-9
        case Int32(CPU_ACTIVATIONS_BF16): 1e-5
        default: outliers ? 5e-4 : 5e-5
        }
    }

    init(_ level: KernelLevel, _ type: TensorType, columns: Int, count: Int, outliers: Bool) {
        var random = KernelRandom(seed: UInt64(columns))
        self.init(
            level, type, columns: columns,
            (0..<count * columns).map { $0 % 100 == 37 && outliers ? 20 * random.normal() : random.normal() })
    }

    init(_ level: KernelLevel, _ type: TensorType, columns: Int, _ floats: [Float]) {
        (self.level, self.columns, self.floats) = (level, columns, floats)
        let (count, kind) = (
            floats.count / columns,
            cpu_activation_kind(level.table, type.kernelFormat!, floats.count / columns)
        )
        let rowBytes = cpu_activation_bytes(kind, columns)
        (self.kind, self.rowBytes) = (kind, rowBytes)
        bytes = [UInt8](repeating: 0, count: rowBytes * count + 1)
        var values: [Double] = []
        bytes.withUnsafeMutableBytes { bytes in
            for c in 0..<count {
                let row = bytes.baseAddress! + 1 + c * rowBytes
                cpu_prepare(level.table, kind, Array(floats[c * columns..<(c + 1) * columns]), columns, row)
                for k in 0..<columns {
                    switch kind {
                    case Int32(CPU_ACTIVATIONS_INT8):
                        let code = row.load(fromByteOffset: k, as: Int8.self)
                        let scale = row.loadUnaligned(fromByteOffset: columns + k / 32 * 4, as: Float.self)
                        values.append(Double(code) * Double(scale))
                    case Int32(CPU_ACTIVATIONS_BF16):
                        let bits = row.loadUnaligned(fromByteOffset: 2 * k, as: UInt16.self)
                        values.append(Double(Float(bitPattern: UInt32(bits) << 16)))
                    case Int32(CPU_ACTIVATIONS_INT16):
                        let code = row.loadUnaligned(fromByteOffset: 2 * k, as: Int16.self)
                        let blocks = (columns + 31) / 32
                        let scale = row.loadUnaligned(
                            fromByteOffset: 64 * blocks + k / 32 * 4, as: Float.self)
                        values.append(Double(code) * Double(scale))
                    default:
                        values.append(Double(floats[c * columns + k]))
                    }
                }
            }
        }
        self.values = values
    }

    /// The first columns.
    func prefix(_ count: Int) -> Activations {
        var part = self
        part.floats.removeLast((self.count - count) * columns)
        part.bytes.removeLast((self.count - count) * rowBytes)
        return part
    }
}
