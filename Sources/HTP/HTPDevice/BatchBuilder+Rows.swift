/// A table in device memory whose rows an operation copies, such as a model's embedding.
package struct DeviceTable: Sendable {
    /// How a row is kept; the numbers are those of `enum htp_row_type` and of GGUF.
    package enum Element: UInt32, Sendable, CaseIterable {
        case f32 = 0
        case f16 = 1
        case q4_0 = 2
        case q8_0 = 8
        case bf16 = 30

        /// Bytes of a row of `width` elements; a multiple of 32 for blocks.
        package func byteCount(_ width: Int) -> Int {
            switch self {
            case .f32: 4 * width
            case .f16, .bf16: 2 * width
            case .q4_0: width / 32 * 18
            case .q8_0: width / 32 * 34
            }
        }
    }

    package var tensor: DeviceTensor
    package var element: Element
    package var rows: Int
    package var width: Int

    package init(_ tensor: DeviceTensor, element: Element, rows: Int, width: Int) {
        self.tensor = tensor
        self.element = element
        self.rows = rows
        self.width = width
    }
}

extension BatchBuilder {
    /// destination[rows][table.width] = the table's rows that `numbers` (int32 [rows]) names, times `scale`.
    ///
    /// A number outside the table ends the batch there.
    package mutating func rows(
        of table: DeviceTable, _ numbers: DeviceTensor, scale: Float = 1, to destination: DeviceTensor,
        rows: Rows = .tokens
    ) {
        append(
            BatchOperation(
                .rows, rows: rows, to: destination, from: [table.tensor, numbers],
                parameters: [
                    UInt32(table.width), table.element.rawValue, UInt32(table.rows), scale.bitPattern,
                ]))
    }

    /// places[rows][count] (int32) = where the largest of source[rows][width] stand, values[rows][count] = what they
    /// are, in descending order; of equal values the first comes first.
    package mutating func top(
        _ count: Int, of source: DeviceTensor, width: Int, places: DeviceTensor, values: DeviceTensor,
        rows: Rows = .outputs
    ) {
        append(
            BatchOperation(
                .top, rows: rows, to: places, values, from: [source],
                parameters: [UInt32(width), UInt32(count)])
        )
    }
}
