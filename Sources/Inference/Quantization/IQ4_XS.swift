import GGUF

/// 256 weights of 4 bits through the table of ``IQ4_NL``, in 8 sub-blocks: half-precision scale of scales, a 16-bit
/// word with the upper pairs of the scales, 4 bytes with their low nibbles, 128 bytes of codes.
/// Scales are offset by 32; each sub-block's 16 bytes are laid out as in ``Q4_0``.
package enum IQ4_XS: QuantizableFormat {
    package static let type = TensorType.iq4_XS
    package static let blockSize = 256
    package static let bytesPerBlock = 136

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(0)
        let pairs = UInt16(littleEndian: block.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        for subBlock in 0..<8 {
            let low = block.byte(4 + subBlock / 2) >> UInt8(subBlock % 2 * 4) & 15
            let high = pairs >> UInt16(subBlock * 2) & 3
            let step = scale * Float(Int(low) + Int(high) * 16 - 32)
            for i in 0..<16 {
                let codes = block.byte(8 + subBlock * 16 + i)
                values[subBlock * 32 + i] = step * IQ4_NL.level(codes & 15)
                values[subBlock * 32 + i + 16] = step * IQ4_NL.level(codes >> 4)
            }
        }
    }

    /// The scales by ``LevelSearch``; the one of largest magnitude becomes factor -32. Then the nearest levels.
    package static func quantize(
        blocks: Int, from values: UnsafePointer<Float>, into bytes: UnsafeMutableRawPointer
    ) {
        SuperBlock.each(of: blocks, Self.self, from: values, into: bytes) { room, values, block in
            room.load(values, length: 32)
            let scales = LevelSearch.fit(room.values)
            let scale = -Q6_K.extreme((scales, .zero)) / 32
            let inverse = scale == 0 ? 0 : 1 / scale
            block.storeHalf(scale, at: 0)
            var (pairs, nibbles): (UInt16, UInt32) = (0, 0)
            var inverses = Lanes.zero
            for lane in 0..<8 {
                let factor = min(max(nearestInteger(inverse * scales[lane]), -32), 31)
                let step = scale * Float(factor)
                inverses[lane] = step == 0 ? 0 : 1 / step
                let bits = UInt32(bitPattern: factor + 32)
                nibbles |= (bits & 15) << UInt32(lane * 4)
                pairs |= UInt16(truncatingIfNeeded: bits >> 4) << UInt16(lane * 2)
            }
            block.storeBytes(of: pairs.littleEndian, toByteOffset: 2, as: UInt16.self)
            block.storeBytes(of: nibbles.littleEndian, toByteOffset: 4, as: UInt32.self)
            for i in 0..<16 {
                let low = LevelSearch.code(inverses * room.values[i])
                let high = LevelSearch.code(inverses * room.values[i + 16])
                let bytes = (low + high * 16).bytes
                for lane in 0..<8 { block.store(bytes[lane], at: 8 + lane * 16 + i) }
            }
        }
    }
}
