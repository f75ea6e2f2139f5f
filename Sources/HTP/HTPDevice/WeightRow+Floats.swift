/// Weights that are floats become codes of twelve bits.
extension WeightRow {
    /// Codes −2047…2047 with 2048 as zero, 32 under a scale.
    ///
    /// Scales are rounded up to the mantissas that the tile will have, so that no code is too large.
    ///
    /// - Returns: whether all weights are finite.
    borrowing func decodeFloats(_ format: WeightMatrix.Format, from row: UnsafeRawPointer) -> Bool {
        var largest: Float = 0
        for block in 0..<blocks {
            var maximum: Float = 0
            for i in 32 * block..<32 * block + 32 {
                let magnitude = Self.value(format, row, i).magnitude
                guard magnitude < .infinity else { return false }
                maximum = max(maximum, magnitude)
            }
            scales[block] = maximum / 2047
            largest = max(largest, scales[block])
        }
        // The smallest normal number's mantissas are still whole; below, weights are as good as zero.
        guard largest >= .leastNormalMagnitude else {
            for i in 0..<columns { codes[i] = 2048 }
            for block in 0..<blocks { scales[block] = 0 }
            return true
        }
        let unit = RowTile.unit(of: largest * 1.001)
        for block in 0..<blocks {
            let scale = (scales[block] / unit).rounded(.up) * unit
            scales[block] = scale
            let inverse = scale > 0 ? 1 / scale : 0
            for i in 32 * block..<32 * block + 32 {
                let code = (Self.value(format, row, i) * inverse).rounded(.toNearestOrEven)
                codes[i] = UInt16(max(-2047, min(2047, code)) + 2048)
            }
        }
        return true
    }

    @inline(__always)
    private static func value(_ format: WeightMatrix.Format, _ row: UnsafeRawPointer, _ index: Int) -> Float {
        switch format {
        case .f32: row.float(4 * index)
        case .f16: row.half(2 * index)
        default: Float(bitPattern: UInt32(row.bits16(2 * index)) << 16)
        }
    }
}
