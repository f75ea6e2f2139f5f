/// How closely a product takes its source.
package enum ProductPrecision: Sendable {
    /// As int8 blocks.
    case single
    /// As int8 blocks, and what those leave as int8 blocks again: twice the work, and nearly what floats give.
    case double

    func flags(isQuantized: Bool) -> UInt32 {
        (isQuantized ? BatchLayout.sameSource : 0) | (self == .double ? BatchLayout.twice : 0)
    }
}

extension BatchBuilder {
    /// destination[rows][matrix.rows] = source[rows][matrix.columns] × the matrix.
    ///
    /// - Parameter isQuantized: the operation before that had this source, or made it with `quantizes`, has left
    ///   it in the form that products take.
    ///   - precision: how closely the source is taken.
    package mutating func matmul(
        _ matrix: DeviceMatrix, _ source: DeviceTensor, to destination: DeviceTensor, rows: Rows = .tokens,
        isQuantized: Bool = false, precision: ProductPrecision = .single
    ) {
        append(
            BatchOperation(
                .matmul, flags: precision.flags(isQuantized: isQuantized), rows: rows, to: destination,
                from: [source, matrix.tensor],
                parameters: [matrix.kind.rawValue, UInt32(matrix.rows), UInt32(matrix.columns)]))
    }

    /// destination[rows][width · groups] = the norm of each vector of `width` floats in source (+ addend), times
    /// `weight[width]`, plus `bias[width]`.
    ///
    /// - Parameters:
    ///   - centered: subtracts the mean first (layer norm); otherwise it is an RMS norm.
    ///   - addend: is added before; `sum` gets source + addend.
    ///   - quantizes: products of the destination that follow with `isQuantized` find it quantised.
    package mutating func norm(
        _ source: DeviceTensor, width: Int, groups: Int = 1, epsilon: Float, centered: Bool = false,
        adding addend: DeviceTensor? = nil, sum: DeviceTensor? = nil, weight: DeviceTensor? = nil,
        bias: DeviceTensor? = nil, to destination: DeviceTensor, rows: Rows = .tokens, quantizes: Bool = false
    ) {
        append(
            BatchOperation(
                .norm, flags: (quantizes ? 1 : 0) | (centered ? 2 : 0), rows: rows, to: destination, sum,
                from: [source, addend, weight, bias],
                parameters: [UInt32(width), UInt32(groups), epsilon.bitPattern]))
    }
}
