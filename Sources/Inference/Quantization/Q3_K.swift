import GGUF

/// 256 weights of 3 bits in 16 sub-blocks: 32 bytes of high bits, 64 bytes of low pairs (placed as in ``Q2_K``), 12
/// bytes of 6-bit scales, half-precision scale of scales.
/// A high bit that is clear means -4; scales are offset by 32.
package enum Q3_K: QuantizableFormat {
    package static let type = TensorType.q3_K
    package static let blockSize = 256
    package static let bytesPerBlock = 110

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(108)
        for subBlock in 0..<16 {
            let step = scale * Float(factor(block + 96, subBlock))
            let shift = UInt8(subBlock % 8 / 2 * 2)
            let highBit = UInt8(subBlock / 2)
            let high = block + subBlock % 2 * 16
            let low = block + 32 + subBlock / 8 * 32 + subBlock % 2 * 16
            for i in 0..<16 {
                let code = Int(low.byte(i) >> shift & 3) - (high.byte(i) >> highBit & 1 == 0 ? 4 : 0)
                values[subBlock * 16 + i] = step * Float(code)
            }
        }
    }

    /// Scale s of 16: its low nibble in byte s % 8 (the high half of it from 8 on), its two upper bits in byte
    /// 8 + s % 4.
    @inline(__always)
    private static func factor(_ scales: UnsafeRawPointer, _ s: Int) -> Int {
        let low = scales.byte(s % 8) >> UInt8(s / 8 * 4) & 15
        let high = scales.byte(8 + s % 4) >> UInt8(s / 4 * 2) & 3
        return Int(low | high << 4) - 32
    }

    /// The scale of each sub-block by ``SymmetricSearch/refinedFit(_:)``; the one of largest magnitude becomes factor -32. Then
    /// the codes that are nearest with the scales as they are stored.
    package static func quantize(
        blocks: Int, from values: UnsafePointer<Float>, into bytes: UnsafeMutableRawPointer
    ) {
        SuperBlock.each(of: blocks, Self.self, from: values, into: bytes, quantizeBlock)
    }

    private static let search = SymmetricSearch(top: 4)

    private static func quantizeBlock(
        _ room: SuperBlock, _ values: UnsafePointer<Float>, _ block: UnsafeMutableRawPointer
    ) {
        var scales: (Lanes, Lanes) = (.zero, .zero)
        for half in 0..<2 {
            room.load(values + half * 128, length: 16)
            let fit = search.refinedFit(room)
            for i in 0..<16 {
                room.laneCodes[i] = (room.laneCodes[i] + 4).replacing(with: 0, where: fit.isZero)
            }
            room.storeCodes(length: 16, first: half * 128)
            if half == 0 { scales.0 = fit.scale } else { scales.1 = fit.scale }
        }
        let largest = Q6_K.extreme(scales)
        let inverse = largest == 0 ? 0 : -32 / largest
        for byte in 96..<108 { block.store(0, at: byte) }
        if largest != 0 {
            for s in 0..<16 {
                let scale = s < 8 ? scales.0[s] : scales.1[s - 8]
                let factor = min(max(nearestInteger(inverse * scale), -32), 31) + 32
                storeFactor(UInt8(truncatingIfNeeded: factor), block + 96, s)
            }
        }
        block.storeHalf(largest == 0 ? 0 : 1 / inverse, at: 108)
        let step = UnsafeRawPointer(block).half(108)
        for half in 0..<2 {
            var steps = Lanes.zero
            for lane in 0..<8 {
                steps[lane] = step * Float(factor(UnsafeRawPointer(block + 96), half * 8 + lane))
            }
            room.load(values + half * 128, length: 16)
            for i in 0..<16 {
                let code = (room.values[i] / steps).nearest.clamped(-4, 3) + 4
                room.laneCodes[i] = code.replacing(
                    with: room.codes(at: i, length: 16, first: half * 128), where: steps .== 0)
            }
            room.storeCodes(length: 16, first: half * 128)
        }
        for i in 0..<32 {
            var high: UInt8 = 0
            for bit in 0..<8 { high |= (room.codes[32 * bit + i] >> 2 & 1) << UInt8(bit) }
            block.store(high, at: i)
        }
        Q2_K.packPairs(room.codes, into: block + 32)
    }

    @inline(__always)
    private static func storeFactor(_ factor: UInt8, _ scales: UnsafeMutableRawPointer, _ s: Int) {
        let (low, high) = (s % 8, 8 + s % 4)
        let stored = UnsafeRawPointer(scales)
        scales.store(stored.byte(low) | (factor & 15) << UInt8(s / 8 * 4), at: low)
        scales.store(stored.byte(high) | (factor >> 4) << UInt8(s / 4 * 2), at: high)
    }
}
