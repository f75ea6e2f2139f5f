import GGUF

/// 256 weights of 2 bits in 16 sub-blocks: 16 bytes (scale in the low nibble, minimum in the high one), 64 bytes of
/// codes, half-precision scale of scales, half-precision scale of minima.
/// Byte 32·h + i holds weights 128·h + i + 0, 32, 64, 96 from the low bits up.
package enum Q2_K: QuantizableFormat {
    package static let type = TensorType.q2_K
    package static let blockSize = 256
    package static let bytesPerBlock = 84

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(80)
        let minimumScale = block.half(82)
        for subBlock in 0..<16 {
            let factors = block.byte(subBlock)
            let step = scale * Float(factors & 15)
            let minimum = minimumScale * Float(factors >> 4)
            let shift = UInt8(subBlock % 8 / 2 * 2)
            let codes = block + 16 + subBlock / 8 * 32 + subBlock % 2 * 16
            for i in 0..<16 {
                values[subBlock * 16 + i] = step * Float(codes.byte(i) >> shift & 3) - minimum
            }
        }
    }

    private static let search = AffineSearch(
        top: 3, start: -0.5, step: 0.1, tries: 15, usesMagnitude: true)

    /// Scale and minimum of each sub-block by ``AffineSearch``, in which weights count by their magnitude; then the codes
    /// that are nearest with the scales and minima as they are stored.
    package static func quantize(
        blocks: Int, from values: UnsafePointer<Float>, into bytes: UnsafeMutableRawPointer
    ) {
        SuperBlock.each(of: blocks, Self.self, from: values, into: bytes, quantizeBlock)
    }

    private static func quantizeBlock(
        _ room: SuperBlock, _ values: UnsafePointer<Float>, _ block: UnsafeMutableRawPointer
    ) {
        let first = fit(room, values)
        let second = fit(room, values + 128)
        let scale = max(first.scale.largest, second.scale.largest)
        let minimum = max(first.minimum.largest, second.minimum.largest)
        let inverse = scale > 0 ? 15 / scale : 0
        let minimumInverse = minimum > 0 ? 15 / minimum : 0
        for (half, fit) in [(0, first), (1, second)] {
            for lane in 0..<8 {
                var factors = UInt8(truncatingIfNeeded: nearestInteger(inverse * fit.scale[lane]))
                factors |= UInt8(
                    truncatingIfNeeded: nearestInteger(minimumInverse * fit.minimum[lane]) << 4)
                block.store(factors, at: half * 8 + lane)
            }
        }
        block.storeHalf(scale > 0 ? scale / 15 : 0, at: 80)
        block.storeHalf(minimum > 0 ? minimum / 15 : 0, at: 82)
        let stored = UnsafeRawPointer(block)
        let (step, minimumStep) = (stored.half(80), stored.half(82))
        for (half, fit) in [(0, first), (1, second)] {
            var (steps, minima) = (Lanes.zero, Lanes.zero)
            for lane in 0..<8 {
                let factors = stored.byte(half * 8 + lane)
                steps[lane] = step * Float(factors & 15)
                minima[lane] = minimumStep * Float(factors >> 4)
            }
            room.load(values + half * 128, length: 16)
            fit.storeCodes(room, length: 16, first: half * 128, top: 3, steps, minima)
        }
        packPairs(room.codes, into: block + 16)
    }

    @inline(__always)
    private static func fit(_ room: SuperBlock, _ values: UnsafePointer<Float>) -> AffineSearch.Fit {
        room.load(values, length: 16)
        for i in 0..<16 { room.importance[i] = room.values[i].magnitudes }
        return search.fit(room, length: 16)
    }

    /// The low two bits of 256 codes, in 64 bytes.
    @inline(__always)
    static func packPairs(_ codes: UnsafePointer<UInt8>, into bytes: UnsafeMutableRawPointer) {
        for half in 0..<2 {
            let codes = codes + half * 128
            for i in 0..<32 {
                let low = codes[i] & 3 | (codes[i + 32] & 3) << 2
                let high = codes[i + 64] & 3 | (codes[i + 96] & 3) << 2
                bytes.store(low | high << 4, at: half * 32 + i)
            }
        }
    }
}
