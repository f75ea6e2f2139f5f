/// One row of weights taken apart: unsigned codes, and the scales as they are before rounding.
///
/// A row is decoded into the same memory as the one before; ``RowTile`` writes it into a tile.
struct WeightRow: ~Copyable {
    /// One for each weight, of as many bits as the kind of tiles has.
    let codes: UnsafeMutablePointer<UInt16>
    /// For each block of 32 weights, each half block, each group of 256 or the row, as the kind has them. Of E2M1
    /// numbers it is the power of two alone.
    let scales: UnsafeMutablePointer<Float>
    /// Subtracted from the block's weights, in the kinds with minima; of a group, the factors' scale.
    let minima: UnsafeMutablePointer<Float>
    /// For each half block, in the kinds with factors.
    let factors: UnsafeMutablePointer<UInt8>
    let minimumFactors: UnsafeMutablePointer<UInt8>
    let columns: Int
    /// Floats of a block that the row does not fill.
    let lastBlock: UnsafeMutableRawPointer

    init(columns: Int) {
        self.columns = columns
        let halves = 2 * TileKind.blocks(columns: columns)
        codes = .allocate(capacity: 16 * halves)
        scales = .allocate(capacity: halves)
        minima = .allocate(capacity: halves)
        factors = .allocate(capacity: halves)
        minimumFactors = .allocate(capacity: halves)
        lastBlock = .allocate(byteCount: 4 * TileKind.columns, alignment: 16)
    }

    deinit {
        codes.deallocate()
        scales.deallocate()
        minima.deallocate()
        factors.deallocate()
        minimumFactors.deallocate()
        lastBlock.deallocate()
    }

    var blocks: Int { TileKind.blocks(columns: columns) }

    /// How many scales a row of a kind has.
    static func scaleCount(_ kind: TileKind, columns: Int) -> Int {
        switch kind {
        case .ternary: 1
        case .ternaryGroups, .twoBitFactors, .threeBitFactors: columns / 256
        case .sixBitHalves: columns / 16
        default: TileKind.blocks(columns: columns)
        }
    }

    /// Decodes one row. `scale` is the whole matrix's, where its format has one.
    borrowing func decode(_ format: WeightMatrix.Format, from row: UnsafeRawPointer, scale: Float) {
        let blockBytes = format.blockBytes
        let blocks = columns / format.blockSize
        switch format {
        case .f32, .f16, .bf16: return  // by `decodeFloats`
        case .q4_0: for b in 0..<blocks { decodeQ4_0(row + b * blockBytes, b) }
        case .q4_1: for b in 0..<blocks { decodeQ4_1(row + b * blockBytes, b) }
        case .q5_0: for b in 0..<blocks { decodeQ5_0(row + b * blockBytes, b) }
        case .q5_1: for b in 0..<blocks { decodeQ5_1(row + b * blockBytes, b) }
        case .q8_0: for b in 0..<blocks { decodeQ8_0(row + b * blockBytes, b) }
        case .iq4_NL: for b in 0..<blocks { decodeQ4_0(row + b * blockBytes, b) }
        case .mxfp4: for b in 0..<blocks { decodeMXFP4(row + b * blockBytes, b) }
        case .q2_K: for b in 0..<blocks { decodeQ2_K(row + b * blockBytes, b) }
        case .q3_K: for b in 0..<blocks { decodeQ3_K(row + b * blockBytes, b) }
        case .q4_K: for b in 0..<blocks { decodeQ4_K(row + b * blockBytes, b) }
        case .q5_K: for b in 0..<blocks { decodeQ5_K(row + b * blockBytes, b) }
        case .q6_K: for b in 0..<blocks { decodeQ6_K(row + b * blockBytes, b) }
        case .tq1_0: for b in 0..<blocks { decodeTQ1_0(row + b * blockBytes, b) }
        case .tq2_0: for b in 0..<blocks { decodeTQ2_0(row + b * blockBytes, b) }
        case .i2_S:
            scales[0] = scale
            for b in 0..<blocks { decodeI2_S(row + b * blockBytes, b) }
        case .iq2_BN:
            scales[0] = row.float(0)
            for b in 0..<blocks { decodeIQ2_BN(row + 4 + b * blockBytes, b) }
        }
    }
}

extension UnsafeRawPointer {
    @inline(__always)
    func byte(_ offset: Int) -> UInt16 { UInt16(load(fromByteOffset: offset, as: UInt8.self)) }

    @inline(__always)
    func bits16(_ offset: Int) -> UInt16 {
        UInt16(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    func bits32(_ offset: Int) -> UInt32 {
        UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    func float(_ offset: Int) -> Float { Float(bitPattern: bits32(offset)) }

    /// The half-precision number at `offset`, by its bits: a conversion instruction cannot be counted on.
    @inline(__always)
    func half(_ offset: Int) -> Float {
        let half = bits16(offset)
        let sign = UInt32(half & 0x8000) << 16, magnitude = UInt32(half & 0x7fff) << 13
        if magnitude >= 0x7c00 << 13 { return Float(bitPattern: sign | magnitude | 0x7f80_0000) }
        // Exponents differ by 112; the product is exact, subnormal halves included.
        return Float(bitPattern: sign | (Float(bitPattern: magnitude) * 0x1p112).bitPattern)
    }
}
