import HTPDevice

/// Reads weights out of a row tile as `htp_tiles.h` describes it.
struct TileReader {
    let bytes: ArraySlice<UInt8>
    let kind: TileKind
    let columns: Int

    /// A weight, and how far rounding of scales and minima may have moved it.
    func weight(row: Int, column: Int) -> (value: Double, tolerance: Double) {
        let unit = Double(sign: .plus, exponent: Int(integer(Int32.self, 4 * row)), significand: 1)
        let block = column / 32, half = column % 32 / 16, input = column % 32
        let lane = row % 32 * 2 + row / 32
        let word = input % 16 / 2, odd = input % 2
        let blocks = TileKind.blocks(columns: columns), parts = kind.parts
        let chunks = parts.row + (blocks + 7) / 8 * parts.group
        let pairs = chunks + (blocks + 3) / 4 * parts.chunk
        let start = pairs + (blocks + 1) / 2 * parts.pair + block * parts.block
        let group = parts.row + block / 8 * parts.group, chunk = chunks + block / 4 * parts.chunk
        func scale(_ offset: Int) -> Double { Double(integer(Int16.self, offset + 2 * lane)) * unit }
        func plane4(_ offset: Int) -> Int {
            Int(bytes[bytes.startIndex + offset + 128 * word + 2 * lane + half]) >> (4 * odd) & 15
        }
        func plane2(_ offset: Int) -> Int {
            Int(bytes[bytes.startIndex + offset + 128 * (word / 4 * 2 + odd) + 2 * lane + half])
                >> (2 * (word % 4)) & 3
        }
        func plane1(_ offset: Int, bitOfWord: [Int] = Array(0..<8)) -> Int {
            Int(bytes[bytes.startIndex + offset + 128 * odd + 2 * lane + half]) >> bitOfWord[word] & 1
        }
        func words8(_ offset: Int) -> Int {
            Int(
                bytes[
                    bytes.startIndex + offset + row / 32 * 1024 + 128 * word + row % 32 * 4 + 2 * half + odd])
        }
        func words4(_ offset: Int) -> Int {
            Int(
                bytes[
                    bytes.startIndex + offset + row / 32 * 512 + 128 * (word / 2) + row % 32 * 4 + 2 * half
                        + odd])
                >> (4 * (word % 2)) & 15
        }
        func factor(_ offset: Int) -> Int {
            let index = block % 4 * 2 + half
            return integer(UInt16.self, offset + index / 4 * 128 + 2 * lane).factor(index % 4, bits: 4)
        }
        func plain(_ scale: Double, _ code: Int, minimum: Double = 0, step: Double = 0) -> (Double, Double) {
            (scale * Double(code) - step * minimum, unit * (abs(Double(code)) + step) / 2 + 1e-12)
        }
        switch kind {
        case .ternary: return plain(scale(256), plane2(start) - 1)
        case .ternaryGroups: return plain(scale(group), plane2(start) - 1)
        case .twoBitFactors:
            let (code, factor, minimum) = (plane2(start), factor(chunk), factor(chunk + 256))
            return (
                scale(group) * Double(factor * code) - scale(group + 128) * Double(minimum),
                unit * Double(factor * code + minimum) / 2 + 1e-12
            )
        case .threeBitFactors:
            let index = block % 4 * 2 + half
            let upper = integer(UInt16.self, chunk + 256 + 2 * lane).factor(index, bits: 2)
            let factor = factor(chunk) + 16 * upper - 32
            let high = plane1(start + 512, bitOfWord: [2, 3, 6, 7, 0, 1, 4, 5])
            return plain(scale(group), (plane2(start) + 4 * high - 4) * factor)
        case .fourBit: return plain(scale(start), plane4(start + 128) - 8)
        case .fourBitMinima:
            return plain(scale(start), plane4(start + 256) - 8, minimum: scale(start + 128), step: 8)
        case .fiveBit: return plain(scale(start), plane4(start + 128) + 16 * plane1(start + 1152) - 16)
        case .fiveBitMinima:
            return plain(
                scale(start), plane4(start + 256) + 16 * plane1(start + 1280) - 16,
                minimum: scale(start + 128), step: 16)
        case .sixBitHalves:
            return plain(
                scale(start + 128 * half), plane4(start + 256) + 16 * plane2(start + 1280) - 32)
        case .eightBit: return plain(scale(start), words8(start + 128) - 128)
        case .iq4NL:
            let levels = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
            return plain(scale(start), levels[words4(start + 128)])
        case .twelveBit:
            // Codes are rounded, too; scales are not.
            let found = scale(start)
            let code = 16 * (words8(start + 128) - 128) + words4(start + 128 + 2048)
            return (found * Double(code), abs(found) * 0.501 + 1e-12)
        case .fp4:
            let doubled = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]
            let distance = Int(bytes[bytes.startIndex + pairs + block / 2 * 128 + 2 * lane + block % 2])
            let power = Double(sign: .plus, exponent: 14 - distance, significand: 1)
            return (distance < 15 ? power * unit * Double(doubled[plane4(start)]) : 0, unit * 12)
        }
    }

    private func integer<Value: FixedWidthInteger>(_ type: Value.Type, _ offset: Int) -> Value {
        (0..<MemoryLayout<Value>.size).reduce(0) {
            $0 | Value(truncatingIfNeeded: bytes[bytes.startIndex + offset + $1]) << (8 * $1)
        }
    }
}

extension UInt16 {
    /// Field `index` of `bits` bits.
    fileprivate func factor(_ index: Int, bits: Int) -> Int {
        Int(self) >> (index * bits) & (1 << bits - 1)
    }
}
