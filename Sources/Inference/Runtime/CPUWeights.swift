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
        var bytes: UnsafeRawBufferPointer
        var product: Product
        /// That of the whole tensor, where its type has one.
        var scale: Float

        /// Where row `index` begins.
        func row(_ index: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(
                rebasing: bytes[index * tensor.rowByteCount..<(index + 1) * tensor.rowByteCount])
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
    /// Vectors as floats, by weight; `nil` for matrices.
    let vectors: [[Float]?]
    let file: GGUFFile

    /// The file that they are in.
    var path: String { file.path }

    init(_ graph: Graph, file: GGUFFile, kernels: cpu_kernels) throws {
        self.file = file
        var matrices: [Matrix] = []
        var vectors: [[Float]?] = []
        for weight in graph.weights {
            let tensor = try file.requiredTensor(named: weight.name)
            let bytes = file.bytes(of: tensor)
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
            let matrix = Matrix(
                tensor: tensor, bytes: bytes, product: Self.product(tensor.type, kernels),
                scale: tensor.type.tensorScale(bytes))
            matrices.append(matrix)
            if weight.rows == 1 {
                var values = [Float](repeating: 0, count: weight.columns)
                try values.withUnsafeMutableBufferPointer { try matrix.read(row: 0, into: $0) }
                vectors.append(values)
            } else {
                vectors.append(nil)
            }
        }
        self.matrices = matrices
        self.vectors = vectors
    }

    /// A matrix as a DSP takes it.
    func repackable(_ weight: Int) throws -> WeightMatrix {
        let tensor = matrices[weight].tensor
        let name = "\(path): tensor \(quoted(tensor.name))"
        guard let format = WeightMatrix.format(of: tensor.type) else {
            throw RuntimeError("\(name) cannot be repacked")
        }
        return try WeightMatrix(
            name: name, format: format, rows: tensor.rowCount, columns: tensor.rowLength,
            bytes: matrices[weight].bytes)
    }

    /// Lets memory go that the CPU is done with: bytes of a matrix. Should it read them again, they come from the file.
    func release(_ weight: Int, _ bytes: Range<Int>) {
        file.advise(.doneWith, matrices[weight].tensor, bytes)
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
