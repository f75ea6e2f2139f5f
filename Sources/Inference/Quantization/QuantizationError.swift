import GGUF

/// Why bytes and floats could not be converted into each other.
package enum QuantizationError: Error, Equatable, CustomStringConvertible {
    /// There is no code for reading this type.
    case cannotDequantize(TensorType)
    /// There is no code for writing this type.
    case cannotQuantize(TensorType)
    /// The numbers of bytes and floats do not belong together.
    case sizeMismatch(TensorType, bytes: Int, values: Int)

    package var description: String {
        switch self {
        case .cannotDequantize(let type):
            "tensors of type \(type) cannot be read; convert the model to another type, such as Q4_0 or Q8_0"
        case .cannotQuantize(let type):
            "tensors cannot be written as \(type); choose one of "
                + TensorType.writableRows.map(\.name).joined(separator: ", ")
        case .sizeMismatch(let type, let bytes, let values):
            "\(bytes) bytes of type \(type) do not hold \(values) numbers"
        }
    }
}
