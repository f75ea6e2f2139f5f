import GGUF

/// 256 weights of 6 bits in 16 sub-blocks: 128 bytes of nibbles, 64 bytes of upper pairs, 16 signed 8-bit scales,
/// half-precision scale of scales. Codes are offset by 32.
/// Half h, quarter q, weight i of 128 × 32 × 1: nibble q / 2 of byte 64·h + 32·(q % 2) + i, pair q of byte 32·h + i.
package enum Q6_K: QuantizableFormat {
    package static let type = TensorType.q6_K
    package static let blockSize = 256
    package static let bytesPerBlock = 210

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(208)
        for quarter in 0..<8 {
            let (h, q) = (quarter / 4, quarter % 4)
            let low = block + h * 64 + q % 2 * 32
            let high = block + 128 + h * 32
            for i in 0..<32 {
                let factor = Int8(bitPattern: block.byte(192 + quarter * 2 + i / 16))
                let code = low.byte(i) >> UInt8(q / 2 * 4) & 15 | (high.byte(i) >> UInt8(q * 2) & 3) << 4
                values[quarter * 32 + i] = scale * Float(factor) * Float(Int(code) - 32)
            }
        }
    }

    private static let search = SymmetricSearch(top: 32)

    /// The scale of each sub-block by ``SymmetricSearch/fit(_:)``; the one of largest magnitude becomes factor -128. Then the
    /// codes that are nearest with the scales as they are stored. A block without a weight that counts is all zero bytes.
    package static func quantize(
        blocks: Int, from values: UnsafePointer<Float>, into bytes: UnsafeMutableRawPointer
    ) {
        SuperBlock.each(of: blocks, Self.self, from: values, into: bytes, quantizeBlock)
    }

    private static func quantizeBlock(
        _ room: SuperBlock, _ values: UnsafePointer<Float>, _ block: UnsafeMutableRawPointer
    ) {
        room.load(values, length: 16)
        let first = search.fit(room)
        room.load(values + 128, length: 16)
        let second = search.fit(room)
        let largest = extreme((first.fit.scale, second.fit.scale))
        guard largest.magnitude >= SymmetricSearch.tiny else {
            block.initializeMemory(as: UInt8.self, repeating: 0, count: bytesPerBlock)
            return
        }
        let inverse = -128 / largest
        block.storeHalf(1 / inverse, at: 208)
        let step = UnsafeRawPointer(block).half(208)
        for (half, search) in [(0, first), (1, second)] {
            room.load(values + half * 128, length: 16)
            var steps = Lanes.zero
            for lane in 0..<8 {
                let factor = Int8(
                    truncatingIfNeeded: min(nearestInteger(inverse * search.fit.scale[lane]), 127))
                block.store(UInt8(bitPattern: factor), at: 192 + half * 8 + lane)
                steps[lane] = step * Float(factor)
            }
            let isZero = steps .== 0
            for i in 0..<16 {
                var code = (room.values[i] / steps).nearest.clamped(-32, 31) + 32
                if any(isZero) {
                    let found = Self.search.code(room.values[i], search.inverse) + 32
                    code.replace(
                        with: found.replacing(with: 0, where: search.fit.isZero), where: isZero)
                }
                room.laneCodes[i] = code
            }
            room.storeCodes(length: 16, first: half * 128)
        }
        for half in 0..<2 {
            let codes = room.codes + half * 128
            for i in 0..<32 {
                let (a, b, c, d) = (codes[i], codes[i + 32], codes[i + 64], codes[i + 96])
                block.store(a & 15 | c << 4, at: half * 64 + i)
                block.store(b & 15 | d << 4, at: half * 64 + 32 + i)
                let high = a >> 4 | (b >> 4) << 2 | (c >> 4) << 4 | (d >> 4) << 6
                block.store(high, at: 128 + half * 32 + i)
            }
        }
    }

    /// The number of largest magnitude, the first of several; 0 where none is above 0.
    @inline(__always)
    static func extreme(_ scales: (Lanes, Lanes)) -> Float {
        var extreme: Float = 0
        for lane in 0..<8 where scales.0[lane].magnitude > extreme.magnitude { extreme = scales.0[lane] }
        for lane in 0..<8 where scales.1[lane].magnitude > extreme.magnitude { extreme = scales.1[lane] }
        return extreme
    }
}
