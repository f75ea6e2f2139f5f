import GGUF

/// 32 weights of 4 bits through a table of 16 unevenly spaced values: laid out as ``Q4_0``.
/// Value = scale × table[code].
package enum IQ4_NL: QuantizableFormat {
    package static let type = TensorType.iq4_NL
    package static let blockSize = 32
    package static let bytesPerBlock = 18

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        for i in 0..<16 {
            let codes = block.byte(2 + i)
            values[i] = scale * level(codes & 15)
            values[i + 16] = scale * level(codes >> 4)
        }
    }

    /// The table: -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113.
    @inline(__always)
    static func level(_ code: UInt8) -> Float {
        Float(levels[Int(code & 15)])
    }

    private static let levels = SIMD16<Int8>(
        -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)

    /// The scale by ``LevelSearch``, then the nearest levels. Eight blocks at a time; the last are filled up with zeros.
    package static func quantize(
        blocks: Int, from values: UnsafePointer<Float>, into bytes: UnsafeMutableRawPointer
    ) {
        let lanes = UnsafeMutablePointer<Lanes>.allocate(capacity: 32)
        defer { lanes.deallocate() }
        for first in stride(from: 0, to: blocks, by: 8) {
            let count = min(8, blocks - first)
            for i in 0..<32 {
                var lane = Lanes.zero
                for b in 0..<count { lane[b] = values[(first + b) * 32 + i] }
                (lanes + i).initialize(to: lane)
            }
            let scales = LevelSearch.fit(lanes)
            let inverses = (1 / scales).replacing(with: 0, where: scales .== 0)
            for b in 0..<count { (bytes + (first + b) * bytesPerBlock).storeHalf(scales[b], at: 0) }
            for i in 0..<16 {
                let low = LevelSearch.code(inverses * lanes[i])
                let high = LevelSearch.code(inverses * lanes[i + 16])
                let pairs = (low + high * 16).bytes
                for b in 0..<count { (bytes + (first + b) * bytesPerBlock).store(pairs[b], at: 2 + i) }
            }
        }
    }
}
