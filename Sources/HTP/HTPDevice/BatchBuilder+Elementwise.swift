/// What an activation does with each element; the numbers are those of `enum htp_function`.
package enum ActivationFunction: Hashable, Sendable {
    case identity
    /// x · sigmoid(x)
    case silu
    /// The one with a hyperbolic tangent.
    case gelu
    /// x · sigmoid(1.702 x)
    case geluQuick
    case relu
    case reluSquared
    case sigmoid
    case tanh
    /// x · sigmoid(alpha · x) · (u + 1), with x at most `limit` and u, the other input, within ±limit.
    case swiGLUClamped(alpha: Float, limit: Float)

    fileprivate var parameters: [UInt32] {
        let number: UInt32 =
            switch self {
            case .identity: 0
            case .silu: 1
            case .gelu: 2
            case .geluQuick: 3
            case .relu: 4
            case .reluSquared: 5
            case .sigmoid: 6
            case .tanh: 7
            case .swiGLUClamped: 8
            }
        guard case .swiGLUClamped(let alpha, let limit) = self else { return [number, 0, 0] }
        return [number, alpha.bitPattern, limit.bitPattern]
    }
}

extension BatchBuilder {
    /// destination[rows][width] = function(gate) · up, or function(gate) alone. It may be one of the inputs.
    package mutating func activate(
        _ gate: DeviceTensor, _ function: ActivationFunction, times up: DeviceTensor? = nil, width: Int,
        to destination: DeviceTensor, rows: Rows = .tokens
    ) {
        append(
            BatchOperation(
                .activate, rows: rows, to: destination, from: [gate, up],
                parameters: [UInt32(width)] + function.parameters))
    }

    /// destination[rows][width] = a + b, which may be one row for all. It may be one of the inputs.
    package mutating func add(
        _ a: DeviceTensor, _ b: DeviceTensor, width: Int, to destination: DeviceTensor, rows: Rows = .tokens
    ) {
        append(
            BatchOperation(.add, rows: rows, to: destination, from: [a, b], parameters: [UInt32(width)]))
    }

    /// destination[rows][width] = a · b, which may be one row for all. It may be one of the inputs.
    package mutating func multiply(
        _ a: DeviceTensor, _ b: DeviceTensor, width: Int, to destination: DeviceTensor, rows: Rows = .tokens
    ) {
        append(
            BatchOperation(.multiply, rows: rows, to: destination, from: [a, b], parameters: [UInt32(width)]))
    }

    /// destination[rows][width] = source · scale + offset, then cap · tanh(that / cap) unless cap is 0. It may be
    /// the source.
    package mutating func scale(
        _ source: DeviceTensor, by scale: Float, offset: Float = 0, cap: Float = 0, width: Int,
        to destination: DeviceTensor, rows: Rows = .tokens
    ) {
        append(
            BatchOperation(
                .scale, rows: rows, to: destination, from: [source],
                parameters: [UInt32(width), scale.bitPattern, offset.bitPattern, cap.bitPattern]))
    }
}
