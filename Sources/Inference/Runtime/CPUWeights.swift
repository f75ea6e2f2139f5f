import CPUKernels
import GGUF
import HTPDevice
import Models
import Quantization

/// The weights of a graph as the CPU uses them: straight from the mapped file.
final class CPUWeights {
    struct Matrix {
        var tensor: TensorInfo
        /// Outputs; of one expert, where there are several.
        var rows: Int
        /// From its first row on.
        var bytes: UnsafeRawBufferPointer
        /// What the kernels call its type.
        var format: CInt
        /// That of the whole tensor, where its type has one.
        var scale: Float

        var columns: Int { tensor.rowLength }
        var rowByteCount: Int { tensor.rowByteCount }

        /// Where row `index` begins.
        func row(_ index: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes[index * rowByteCount..<(index + 1) * rowByteCount])
        }

        /// Converts row `index` to floats.
        func read(
            row index: Int, into values: UnsafeMutableBufferPointer<Float>
        ) throws(QuantizationError) {
            try tensor.type.dequantizeRow(row(index), scale: scale, into: values)
        }
    }

    /// In the order of the graph's weights.
    let matrices: [Matrix]
    /// Vectors as floats, row by row where there are several, by weight; `nil` for matrices.
    let vectors: [[Float]?]
    private let graph: Graph
    let file: GGUFFile

    /// The file that they are in.
    var path: String { file.path }

    init(_ graph: Graph, file: GGUFFile) throws {
        (self.graph, self.file) = (graph, file)
        var matrices: [Matrix] = []
        var vectors: [[Float]?] = []
        for weight in graph.weights {
            let tensor = try file.requiredTensor(named: weight.name)
            var bytes = file.bytes(of: tensor)
            guard let format = tensor.type.kernelFormat else {
                throw RuntimeError(
                    "\(file.path): tensor \(quoted(weight.name)) has type \(tensor.type), which is not computed; computed are "
                        + TensorType.readableRows.map(\.name).joined(separator: ", "))
            }
            if tensor.type == .i2_S, tensor.rowLength % I2_S.blockSize != 0 {
                throw RuntimeError(
                    "\(file.path): tensor \(quoted(weight.name)) has rows of \(tensor.rowLength) elements; "
                        + "those of type \(tensor.type) are multiples of \(I2_S.blockSize)")
            }
            if tensor.type == .i2_S, weight.rows != tensor.rowCount {
                throw RuntimeError(
                    "\(file.path): tensor \(quoted(weight.name)) holds several matrices; with type "
                        + "\(tensor.type), which has one scale for all, that is not computed")
            }
            let scale = tensor.type.tensorScale(bytes)
            if weight.rows * weight.experts != tensor.rowCount {
                bytes = UnsafeRawBufferPointer(
                    rebasing: bytes[weight.firstRow * tensor.rowByteCount..<bytes.count])
            }
            let matrix = Matrix(
                tensor: tensor, rows: weight.rows, bytes: bytes, format: format, scale: scale)
            matrices.append(matrix)
            vectors.append(weight.isVector ? try Self.values(matrix) : nil)
        }
        self.matrices = matrices
        self.vectors = vectors
    }

    /// All numbers of a vector, or of the rows of several.
    private static func values(_ matrix: Matrix) throws -> [Float] {
        var values = [Float](repeating: 0, count: matrix.rows * matrix.columns)
        try values.withUnsafeMutableBufferPointer { values in
            for row in 0..<matrix.rows {
                let place = row * matrix.columns..<(row + 1) * matrix.columns
                try matrix.read(row: row, into: UnsafeMutableBufferPointer(rebasing: values[place]))
            }
        }
        return values
    }

    /// Bytes of a matrix, or those of several experts, as a DSP takes them; 0 where it has no such tiles.
    func tiledByteCount(_ weight: Int) -> Int {
        let shape = graph.weights[weight]
        guard let format = WeightMatrix.format(of: matrices[weight].tensor.type) else { return 0 }
        return shape.experts * format.kind.byteCount(rows: shape.rows, columns: shape.columns)
    }

    /// A matrix as a DSP takes it, or those of several experts.
    func repackable(_ weight: Int) throws -> [WeightMatrix] {
        let (shape, matrix) = (graph.weights[weight], matrices[weight])
        let name = "\(path): tensor \(quoted(shape.name))"
        guard let format = WeightMatrix.format(of: matrix.tensor.type) else {
            throw RuntimeError("\(name) cannot be repacked")
        }
        return try (0..<shape.experts).map { expert in
            try WeightMatrix(
                name: name + (shape.experts > 1 ? ", expert \(expert)" : ""), format: format,
                rows: shape.rows, columns: shape.columns,
                bytes: UnsafeRawBufferPointer(
                    rebasing: matrix.bytes[(expert * shape.rows * matrix.rowByteCount)...]))
        }
    }
}

extension TensorType {
    /// The kernels' number of the format, `CPU_…`; nil where they have none.
    package var kernelFormat: CInt? {
        switch self {
        case .f32: CInt(CPU_F32)
        case .f16: CInt(CPU_F16)
        case .bf16: CInt(CPU_BF16)
        case .q4_0: CInt(CPU_Q4_0)
        case .q4_1: CInt(CPU_Q4_1)
        case .q5_0: CInt(CPU_Q5_0)
        case .q5_1: CInt(CPU_Q5_1)
        case .q8_0: CInt(CPU_Q8_0)
        case .iq4_NL: CInt(CPU_IQ4_NL)
        case .mxfp4: CInt(CPU_MXFP4)
        case .q2_K: CInt(CPU_Q2_K)
        case .q3_K: CInt(CPU_Q3_K)
        case .q4_K: CInt(CPU_Q4_K)
        case .q5_K: CInt(CPU_Q5_K)
        case .q6_K: CInt(CPU_Q6_K)
        case .iq4_XS: CInt(CPU_IQ4_XS)
        case .tq1_0: CInt(CPU_TQ1_0)
        case .tq2_0: CInt(CPU_TQ2_0)
        case .i2_S: CInt(CPU_I2_S)
        case .iq2_BN: CInt(CPU_IQ2_BN)
        default: nil
        }
    }
}
