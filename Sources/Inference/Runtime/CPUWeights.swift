import CPUKernels
import GGUF
import HTPDevice
import Models
import Quantization

/// The weights of a graph as the CPU uses them: straight from the mapped file.
final class CPUWeights {
    /// How a matrix is multiplied.
    enum Product {
        /// By a kernel that takes float activations.
        case float(CPUMatmul)
        /// By a kernel that takes quantised activations.
        case quantized(CPUMatmul)
        /// Row by row, after conversion to floats.
        case converted
    }

    /// The C type `cpu_matmul`.
    typealias CPUMatmul =
        @convention(c) (
            UnsafeRawPointer?, Int, UnsafeRawPointer?, Int, UnsafeMutablePointer<Float>?, Int, Int, Int, Int,
            Int
        ) -> Void

    struct Matrix {
        var tensor: TensorInfo
        /// Outputs; of one expert, where there are several.
        var rows: Int
        /// From its first row on.
        var bytes: UnsafeRawBufferPointer
        var product: Product
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

    init(_ graph: Graph, file: GGUFFile, kernels: cpu_kernels) throws {
        (self.graph, self.file) = (graph, file)
        var matrices: [Matrix] = []
        var vectors: [[Float]?] = []
        for weight in graph.weights {
            let tensor = try file.requiredTensor(named: weight.name)
            var bytes = file.bytes(of: tensor)
            guard tensor.type.hasReadableRows else {
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
                tensor: tensor, rows: weight.rows, bytes: bytes,
                product: Self.product(tensor.type, kernels), scale: scale)
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

    private static func product(_ type: TensorType, _ kernels: cpu_kernels) -> Product {
        switch type {
        case .f32: .float(kernels.matmul_f32)
        case .f16: .float(kernels.matmul_f16)
        case .bf16: .float(kernels.matmul_bf16)
        case .q8_0: .quantized(kernels.matmul_q8_0)
        case .q4_0: .quantized(kernels.matmul_q4_0)
        default: .converted
        }
    }
}
