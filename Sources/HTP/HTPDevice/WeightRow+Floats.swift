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
            let source = floats(of: block, format, row)
            // Magnitudes of floats are ordered as their bits.
            var found = SIMD8<Int32>(repeating: 0)
            for first in stride(from: 0, to: 32, by: 8) {
                let bits =
                    unsafeBitCast(Self.values(format, source, first), to: SIMD8<Int32>.self) & 0x7fff_ffff
                let difference = bits &- found
                found = found &+ (difference & ~(difference &>> 31))
            }
            let bits = max(
                max(max(found[0], found[1]), max(found[2], found[3])),
                max(max(found[4], found[5]), max(found[6], found[7])))
            let maximum = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
            guard maximum < .infinity else { return false }
            scales[block] = maximum / 2047
            largest = max(largest, scales[block])
        }
        // The smallest normal number's mantissas are still whole; below, weights are as good as zero.
        guard largest >= .leastNormalMagnitude else {
            for i in 0..<32 * blocks { codes[i] = 2048 }
            for block in 0..<blocks { scales[block] = 0 }
            return true
        }
        let unit = RowTile.unit(of: largest * 1.001)
        for block in 0..<blocks {
            let scale = (scales[block] / unit).rounded(.up) * unit
            scales[block] = scale
            let inverse = scale > 0 ? 1 / scale : 0
            let source = floats(of: block, format, row), codes = codes + 32 * block
            for first in stride(from: 0, to: 32, by: 8) {
                // Adding 1.5 · 2^23 rounds to an integer, ties to even.
                let value = Self.values(format, source, first) * inverse + 12_582_912
                let code = unsafeBitCast(value, to: SIMD8<Int32>.self) &- (0x4b40_0000 - 2048)
                // In 1…4095.
                let below = code &- 1, above = 4095 &- code
                let clamped = code &- (below & (below &>> 31)) &+ (above & (above &>> 31))
                UnsafeMutableRawPointer(codes + first).storeBytes(
                    of: SIMD8<UInt16>(truncatingIfNeeded: clamped), as: SIMD8<UInt16>.self)
            }
        }
        return true
    }

    /// A block of 32 floats: in the row, or filled up with zeros where the row ends within it.
    @inline(__always)
    private borrowing func floats(
        of block: Int, _ format: WeightMatrix.Format, _ row: UnsafeRawPointer
    ) -> UnsafeRawPointer {
        let first = row + TileKind.columns * block * format.blockBytes
        let left = columns - TileKind.columns * block
        guard left < TileKind.columns else { return first }
        lastBlock.initializeMemory(as: UInt8.self, repeating: 0, count: TileKind.columns * format.blockBytes)
        lastBlock.copyMemory(from: first, byteCount: left * format.blockBytes)
        return UnsafeRawPointer(lastBlock)
    }

    /// Eight weights.
    @inline(__always)
    private static func values(
        _ format: WeightMatrix.Format, _ row: UnsafeRawPointer, _ index: Int
    ) -> SIMD8<Float> {
        switch format {
        case .f32: return row.loadUnaligned(fromByteOffset: 4 * index, as: SIMD8<Float>.self)
        case .f16:
            return SIMD8<Float>(
                halves: row.loadUnaligned(fromByteOffset: 2 * index, as: SIMD8<UInt16>.self))
        default:
            let bits = row.loadUnaligned(fromByteOffset: 2 * index, as: SIMD8<UInt16>.self)
            return unsafeBitCast(SIMD8<UInt32>(truncatingIfNeeded: bits) &<< 16, to: SIMD8<Float>.self)
        }
    }
}
