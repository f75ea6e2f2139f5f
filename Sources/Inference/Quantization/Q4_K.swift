import GGUF

/// 256 weights of 4 bits in 8 sub-blocks: half-precision scale of scales and of minima, 12 bytes of 6-bit scales and
/// minima, 128 bytes of codes.
/// Each 32 bytes hold one sub-block in the low nibbles and the next in the high ones.
package enum Q4_K: QuantizableFormat {
    package static let type = TensorType.q4_K
    package static let blockSize = 256
    package static let bytesPerBlock = 144

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        let minimumScale = block.half(2)
        for subBlock in 0..<8 {
            let (factor, minimumFactor) = factors(block + 4, subBlock)
            let step = scale * Float(factor)
            let minimum = minimumScale * Float(minimumFactor)
            let codes = block + 16 + subBlock / 2 * 32
            let shift = UInt8(subBlock % 2 * 4)
            for i in 0..<32 {
                values[subBlock * 32 + i] = step * Float(codes.byte(i) >> shift & 15) - minimum
            }
        }
    }

    /// Scale and minimum of sub-block s, of 6 bits each. The first four of each lie in the low six bits of bytes
    /// 0...3 and 4...7; the others are nibbles in bytes 8...11 with their two upper bits on top of those.
    @inline(__always)
    static func factors(_ packed: UnsafeRawPointer, _ s: Int) -> (scale: UInt8, minimum: UInt8) {
        if s < 4 { return (packed.byte(s) & 63, packed.byte(s + 4) & 63) }
        let nibbles = packed.byte(s + 4)
        return (
            nibbles & 15 | (packed.byte(s - 4) & 0xc0) >> 2,
            nibbles >> 4 | (packed.byte(s) & 0xc0) >> 2
        )
    }

    private static let search = AffineSearch(
        top: 15, start: -1, step: 0.1, tries: 20, usesMagnitude: false)

    /// Scale and minimum of each sub-block by ``AffineSearch``; then the codes that are nearest with the scales and minima
    /// as they are stored.
    package static func quantize(
        blocks: Int, from values: UnsafePointer<Float>, into bytes: UnsafeMutableRawPointer
    ) {
        SuperBlock.each(of: blocks, Self.self, from: values, into: bytes) { room, values, block in
            quantizeCodes(room, values, search, into: block)
            for pair in 0..<4 {
                for i in 0..<32 {
                    let (low, high) = (room.codes[pair * 64 + i], room.codes[pair * 64 + 32 + i])
                    block.store(low | high << 4, at: 16 + pair * 32 + i)
                }
            }
        }
    }

    /// Writes scales and minima, the same in Q5_K, and leaves the codes in the room.
    @inline(__always)
    static func quantizeCodes(
        _ room: SuperBlock, _ values: UnsafePointer<Float>, _ search: AffineSearch,
        into block: UnsafeMutableRawPointer
    ) {
        room.load(values, length: 32)
        // A weight counts by its magnitude and the root of its sub-block's mean square.
        var squares = Lanes.zero
        for i in 0..<32 { squares += room.values[i] * room.values[i] }
        let typical = (squares / 32).squareRoot()
        for i in 0..<32 { room.importance[i] = typical + room.values[i].magnitudes }
        let fit = search.fit(room, length: 32)
        let (scale, minimum) = (fit.scale.largest, fit.minimum.largest)
        let inverse = scale > 0 ? 63 / scale : 0
        let minimumInverse = minimum > 0 ? 63 / minimum : 0
        for byte in 4..<16 { block.store(0, at: byte) }
        for lane in 0..<8 {
            let factor = UInt8(truncatingIfNeeded: nearestInteger(inverse * fit.scale[lane]))
            let minimumFactor = UInt8(
                truncatingIfNeeded: nearestInteger(minimumInverse * fit.minimum[lane]))
            storeFactors(min(factor, 63), min(minimumFactor, 63), block + 4, lane)
        }
        block.storeHalf(scale / 63, at: 0)
        block.storeHalf(minimum / 63, at: 2)
        let stored = UnsafeRawPointer(block)
        let (step, minimumStep) = (stored.half(0), stored.half(2))
        var (steps, minima) = (Lanes.zero, Lanes.zero)
        for lane in 0..<8 {
            let (factor, minimumFactor) = factors(stored + 4, lane)
            steps[lane] = step * Float(factor)
            minima[lane] = minimumStep * Float(minimumFactor)
        }
        fit.storeCodes(room, length: 32, first: 0, top: search.top, steps, minima)
    }

    /// The reverse of ``factors(_:_:)``, into bytes that are 0 before the first sub-block.
    @inline(__always)
    private static func storeFactors(
        _ scale: UInt8, _ minimum: UInt8, _ packed: UnsafeMutableRawPointer, _ s: Int
    ) {
        let stored = UnsafeRawPointer(packed)
        if s < 4 {
            packed.store(scale, at: s)
            packed.store(minimum, at: s + 4)
        } else {
            packed.store(scale & 15 | minimum << 4, at: s + 4)
            packed.store(stored.byte(s - 4) | (scale >> 4) << 6, at: s - 4)
            packed.store(stored.byte(s) | (minimum >> 4) << 6, at: s)
        }
    }
}
