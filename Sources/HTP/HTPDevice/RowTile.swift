/// A row tile that is being written; the layouts are those of `htp_tiles.h`.
struct RowTile {
    let kind: TileKind
    let base: UnsafeMutableRawPointer

    /// The unit of mantissas under which a row's largest scale has 15 bits.
    static func unit(of largest: Float) -> Float {
        Float(sign: .plus, exponent: exponent(of: largest), significand: 1)
    }

    static func exponent(of largest: Float) -> Int {
        // Subnormal units would round scales: they are as small as scales of a row may be.
        max(Int(largest.exponent) - 14, Int(Float.leastNormalMagnitude.exponent))
    }

    /// Of a row of zeros: the rounding that every sum begins with must not become a result.
    static let exponentOfZeros = -1024

    /// Writes a decoded row as row `row` of the tile.
    ///
    /// - Returns: the first scale that is not a finite number, or `nil`.
    func write(_ source: borrowing WeightRow, row: Int) -> Int? {
        // Rows alternate between the halves of the tile in vectors of halfwords.
        let lane = row < 32 ? 2 * row : 2 * (row - 32) + 1
        let count = WeightRow.scaleCount(kind, columns: source.columns)
        // A step of minima is that many units.
        let step: Float = kind == .fourBitMinima ? 8 : kind == .fiveBitMinima ? 16 : 1
        let hasMinima = kind == .fourBitMinima || kind == .fiveBitMinima || kind == .twoBitFactors
        var largest: Float = 0
        for index in 0..<count {
            guard source.scales[index].isFinite else { return index }
            largest = max(largest, source.scales[index].magnitude)
            guard hasMinima else { continue }
            guard source.minima[index].isFinite else { return index }
            largest = max(largest, source.minima[index].magnitude / step)
        }
        let exponent = largest > 0 ? Self.exponent(of: largest) : Self.exponentOfZeros
        base.storeBytes(of: Int32(exponent).littleEndian, toByteOffset: 4 * row, as: Int32.self)
        let unit = largest > 0 ? Float(sign: .plus, exponent: exponent, significand: 1) : 1
        func mantissa(_ value: Float) -> Int16 {
            Int16(max(-32767, min(32767, (value / unit).rounded(.toNearestOrEven))))
        }
        func store(_ value: Int16, _ offset: Int) {
            base.storeBytes(of: value.littleEndian, toByteOffset: offset + 2 * lane, as: Int16.self)
        }

        if kind == .ternary { store(mantissa(source.scales[0]), 256) }
        let parts = kind.parts, offsets = kind.offsets(columns: source.columns)
        for block in 0..<source.blocks {
            let offset = offsets.blocks + block * parts.block
            let group = offsets.groups + block / 8 * parts.group
            let chunk = offsets.chunks + block / 4 * parts.chunk
            let codes = source.codes + 32 * block
            switch kind {
            case .ternary:
                writePlane2(codes, offset, lane)
            case .ternaryGroups:
                if block % 8 == 0 { store(mantissa(source.scales[block / 8]), group) }
                writePlane2(codes, offset, lane)
            case .twoBitFactors:
                if block % 8 == 0 {
                    store(mantissa(source.scales[block / 8]), group)
                    store(mantissa(source.minima[block / 8]), group + 128)
                }
                if block % 4 == 0 {
                    writeFactors(source.factors + 2 * block, chunk, lane)
                    writeFactors(source.minimumFactors + 2 * block, chunk + 256, lane)
                }
                writePlane2(codes, offset, lane)
            case .threeBitFactors:
                if block % 8 == 0 { store(mantissa(source.scales[block / 8]), group) }
                if block % 4 == 0 {
                    writeFactors(source.factors + 2 * block, chunk, lane)
                    writeUpperFactors(source.factors + 2 * block, chunk + 256, lane)
                }
                writePlane2(codes, offset, lane)
                writePlane1(codes, bit: 2, Self.wordsOfThreeBits, offset + 512, lane)
            case .fourBit:
                store(mantissa(source.scales[block]), offset)
                writePlane4(codes, offset + 128, lane)
            case .fourBitMinima:
                store(mantissa(source.scales[block]), offset)
                store(mantissa(source.minima[block] / 8), offset + 128)
                writePlane4(codes, offset + 256, lane)
            case .fiveBit:
                store(mantissa(source.scales[block]), offset)
                writePlane4(codes, offset + 128, lane)
                writePlane1(codes, bit: 4, Self.wordsInOrder, offset + 1152, lane)
            case .fiveBitMinima:
                store(mantissa(source.scales[block]), offset)
                store(mantissa(source.minima[block] / 16), offset + 128)
                writePlane4(codes, offset + 256, lane)
                writePlane1(codes, bit: 4, Self.wordsInOrder, offset + 1280, lane)
            case .sixBitHalves:
                store(mantissa(source.scales[2 * block]), offset)
                store(mantissa(source.scales[2 * block + 1]), offset + 128)
                writePlane4(codes, offset + 256, lane)
                writePlane2(codes, shift: 4, offset + 1280, lane)
            case .fp4:
                // How far the power of two is below the row's largest.
                let scale = source.scales[block]
                let distance = scale > 0 ? min(exponent + 14 - Int(scale.exponent), 15) : 15
                base.storeBytes(
                    of: UInt8(distance),
                    toByteOffset: offsets.pairs + block / 2 * parts.pair + 2 * lane + block % 2,
                    as: UInt8.self)
                writePlane4(codes, offset, lane)
            case .eightBit:
                store(mantissa(source.scales[block]), offset)
                writeWords8(codes, shift: 0, offset + 128, row)
            case .iq4NL:
                store(mantissa(source.scales[block]), offset)
                writeWords4(codes, offset + 128, row)
            case .twelveBit:
                store(mantissa(source.scales[block]), offset)
                writeWords8(codes, shift: 4, offset + 128, row)
                writeWords4(codes, offset + 128 + 2048, row)
            }
        }
        return nil
    }

    @inline(__always)
    private func store(_ halfword: UInt16, _ vector: Int, _ offset: Int, _ lane: Int) {
        base.storeBytes(
            of: halfword.littleEndian, toByteOffset: offset + vector * TileKind.vectorBytes + 2 * lane,
            as: UInt16.self)
    }

    @inline(__always)
    private func writePlane4(_ codes: UnsafePointer<UInt16>, _ offset: Int, _ lane: Int) {
        for g in 0..<8 {
            let first = codes[2 * g] & 15 | (codes[2 * g + 1] & 15) << 4
            let second = codes[16 + 2 * g] & 15 | (codes[17 + 2 * g] & 15) << 4
            store(first | second << 8, g, offset, lane)
        }
    }

    @inline(__always)
    private func writePlane2(
        _ codes: UnsafePointer<UInt16>, shift: UInt16 = 0, _ offset: Int, _ lane: Int
    ) {
        for vector in 0..<4 {
            var halfword: UInt16 = 0
            for field in 0..<4 {
                let input = 2 * (4 * (vector / 2) + field) + vector % 2
                halfword |= (codes[input] >> shift & 3) << UInt16(2 * field)
                halfword |= (codes[16 + input] >> shift & 3) << UInt16(8 + 2 * field)
            }
            store(halfword, vector, offset, lane)
        }
    }

    /// Which word's bits the bits of a plane of one bit are, each index in four bits.
    private static let wordsInOrder: UInt32 = 0x7654_3210
    private static let wordsOfThreeBits: UInt32 = 0x3276_1054

    @inline(__always)
    private func writePlane1(
        _ codes: UnsafePointer<UInt16>, bit: UInt16, _ words: UInt32, _ offset: Int, _ lane: Int
    ) {
        for vector in 0..<2 {
            var halfword: UInt16 = 0
            for position in 0..<8 {
                let input = 2 * Int(words >> UInt32(4 * position) & 15) + vector
                halfword |= (codes[input] >> bit & 1) << UInt16(position)
                halfword |= (codes[16 + input] >> bit & 1) << UInt16(8 + position)
            }
            store(halfword, vector, offset, lane)
        }
    }

    /// Word g of a block: inputs 2g, 2g + 1, 16 + 2g and 17 + 2g.
    @inline(__always)
    private func word(_ codes: UnsafePointer<UInt16>, _ g: Int, _ part: (UInt16) -> UInt16) -> UInt32 {
        UInt32(part(codes[2 * g])) | UInt32(part(codes[2 * g + 1])) << 8
            | UInt32(part(codes[16 + 2 * g])) << 16 | UInt32(part(codes[17 + 2 * g])) << 24
    }

    @inline(__always)
    private func writeWords8(_ codes: UnsafePointer<UInt16>, shift: UInt16, _ offset: Int, _ row: Int) {
        for g in 0..<8 {
            base.storeBytes(
                of: word(codes, g) { $0 >> shift & 255 }.littleEndian,
                toByteOffset: offset + row / 32 * 1024 + g * TileKind.vectorBytes + row % 32 * 4,
                as: UInt32.self)
        }
    }

    @inline(__always)
    private func writeWords4(_ codes: UnsafePointer<UInt16>, _ offset: Int, _ row: Int) {
        for i in 0..<4 {
            let both = word(codes, 2 * i) { $0 & 15 } | word(codes, 2 * i + 1) { $0 & 15 } << 4
            base.storeBytes(
                of: both.littleEndian,
                toByteOffset: offset + row / 32 * 512 + i * TileKind.vectorBytes + row % 32 * 4,
                as: UInt32.self)
        }
    }

    /// The low four bits of a chunk's eight factors.
    private func writeFactors(_ factors: UnsafePointer<UInt8>, _ offset: Int, _ lane: Int) {
        for vector in 0..<2 {
            var halfword: UInt16 = 0
            for i in 0..<4 { halfword |= UInt16(factors[4 * vector + i] & 15) << UInt16(4 * i) }
            store(halfword, vector, offset, lane)
        }
    }

    /// Their upper two bits.
    private func writeUpperFactors(_ factors: UnsafePointer<UInt8>, _ offset: Int, _ lane: Int) {
        var halfword: UInt16 = 0
        for i in 0..<8 { halfword |= UInt16(factors[i] >> 4) << UInt16(2 * i) }
        store(halfword, 0, offset, lane)
    }
}
