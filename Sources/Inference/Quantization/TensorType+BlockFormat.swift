import GGUF

extension TensorType {
    /// The code for this type's blocks, or nil where there is none.
    package var blockFormat: (any BlockFormat.Type)? {
        switch self {
        case .f32: F32.self
        case .f16: F16.self
        case .bf16: BF16.self
        case .q4_0: Q4_0.self
        case .q4_1: Q4_1.self
        case .q5_0: Q5_0.self
        case .q5_1: Q5_1.self
        case .q8_0: Q8_0.self
        case .q2_K: Q2_K.self
        case .q3_K: Q3_K.self
        case .q4_K: Q4_K.self
        case .q5_K: Q5_K.self
        case .q6_K: Q6_K.self
        case .iq4_NL: IQ4_NL.self
        case .iq4_XS: IQ4_XS.self
        case .mxfp4: MXFP4.self
        case .tq1_0: TQ1_0.self
        case .tq2_0: TQ2_0.self
        default: nil
        }
    }

    /// The types ``dequantize(_:into:)`` can read, by number.
    package static var dequantizable: [TensorType] {
        allKnown.filter { $0.blockFormat != nil }
    }

    /// Converts whole rows of this type to floats, exactly: each value is what the format defines, rounded as
    /// llama.cpp rounds it.
    ///
    /// - Parameters:
    ///   - bytes: whole blocks; no alignment is needed, and any content is valid.
    ///   - values: as many floats as the blocks hold.
    package func dequantize(
        _ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>
    ) throws(QuantizationError) {
        guard let format = blockFormat else { throw .cannotDequantize(self) }
        let blocks = try blockCount(format, bytes: bytes.count, values: values.count)
        guard let source = bytes.baseAddress, let destination = values.baseAddress else { return }
        format.dequantize(blocks: blocks, from: source, into: destination)
    }

    /// Converts floats to this type, with the bits llama.cpp's reference code gives.
    ///
    /// - Parameters:
    ///   - values: a whole number of blocks.
    ///   - bytes: room for exactly those blocks.
    package func quantize(
        _ values: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) throws(QuantizationError) {
        guard let format = blockFormat as? any QuantizableFormat.Type else { throw .cannotQuantize(self) }
        let blocks = try blockCount(format, bytes: bytes.count, values: values.count)
        guard let source = values.baseAddress, let destination = bytes.baseAddress else { return }
        format.quantize(blocks: blocks, from: source, into: destination)
    }

    private func blockCount(
        _ format: any BlockFormat.Type, bytes: Int, values: Int
    ) throws(QuantizationError) -> Int {
        let blocks = bytes / format.bytesPerBlock
        guard
            bytes % format.bytesPerBlock == 0, values % format.blockSize == 0,
            values / format.blockSize == blocks
        else { throw .sizeMismatch(self, bytes: bytes, values: values) }
        return blocks
    }
}
