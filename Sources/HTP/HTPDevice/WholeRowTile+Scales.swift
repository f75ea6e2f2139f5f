/// Where the formats have their scales.
extension WholeRowTile {
    /// Fills a table with the half-precision numbers `offset` bytes into blocks. Rows are read one after the other,
    /// as memory likes it.
    @inline(__always)
    private borrowing func gatherHalves(_ offset: Int, _ table: UnsafeMutablePointer<Float>) {
        let blockBytes = format.blockBytes, count = columns / format.blockSize
        if let kernels {
            kernels.halves(source + offset, rowBytes, blockBytes, count, halves, largestHalves)
            if hasHalves { return }
        } else {
            for row in 0..<TileKind.rows {
                let first = source + row * rowBytes + offset, lane = halves + Self.lane(row)
                for block in 0..<count { lane[block * TileKind.rows] = first.bits16(block * blockBytes) }
            }
        }
        convertHalves(count, table)
    }

    /// Turns the table of halves into one of floats.
    @inline(__always)
    private borrowing func convertHalves(_ count: Int, _ table: UnsafeMutablePointer<Float>) {
        for index in stride(from: 0, to: count * TileKind.rows, by: 8) {
            let found = SIMD8<Float>(
                halves: UnsafeRawPointer(halves + index).load(as: SIMD8<UInt16>.self))
            UnsafeMutableRawPointer(table + index).storeBytes(of: found, as: SIMD8<Float>.self)
        }
    }

    /// Calls `body` for each row's groups of 256.
    @inline(__always)
    private borrowing func forEachGroup(
        _ body: (_ group: Int, _ lane: Int, _ source: UnsafeRawPointer) -> Void
    ) {
        let blockBytes = format.blockBytes
        for row in 0..<TileKind.rows {
            let lane = Self.lane(row)
            for group in 0..<columns / 256 {
                body(group, lane, source + row * rowBytes + group * blockBytes)
            }
        }
    }

    /// Fills the tables of scales and minima.
    borrowing func gatherScales(commonScale: Float) {
        switch format {
        case .q4_0, .iq4_NL, .q8_0, .q5_0: gatherHalves(0, scales)
        case .q4_1: gatherMinima(zero: 8)
        case .q5_1: gatherMinima(zero: 16)
        case .q2_K:
            gatherHalves(80, scales)
            gatherHalves(82, minima)
        case .q3_K: gatherHalves(108, scales)
        case .tq1_0: gatherHalves(52, scales)
        case .tq2_0: gatherHalves(64, scales)
        case .q4_K: gatherFactors(zero: 8)
        case .q5_K: gatherFactors(zero: 16)
        case .q6_K:
            if let kernels {
                return kernels.eightBitFactors(
                    source + 192, rowBytes, format.blockBytes, columns / 256, scales)
            }
            forEachGroup { group, lane, source in
                let scale = source.half(208)
                for h in 0..<16 {
                    let factor = source.load(fromByteOffset: 192 + h, as: Int8.self)
                    scales[(16 * group + h) * TileKind.rows + lane] = scale * Float(Int32(factor))
                }
            }
        case .i2_S: for lane in 0..<TileKind.rows { scales[lane] = commonScale }
        case .iq2_BN:
            for lane in 0..<TileKind.rows {
                scales[lane] = (source + Self.row(lane) * rowBytes - format.rowHeaderBytes).float(0)
            }
        case .f32, .f16, .bf16, .mxfp4: break
        }
    }

    @inline(__always)
    private borrowing func gatherMinima(zero: Float) {
        gatherHalves(0, scales)
        gatherHalves(2, minima)
        for index in stride(from: 0, to: blocks * TileKind.rows, by: 8) {
            let scale = UnsafeRawPointer(scales + index).load(as: SIMD8<Float>.self)
            let target = UnsafeMutableRawPointer(minima + index)
            let minimum = target.load(as: SIMD8<Float>.self)
            target.storeBytes(of: -minimum - zero * scale, as: SIMD8<Float>.self)
        }
    }

    /// Eight scales and eight minima of six bits under a scale each.
    @inline(__always)
    private borrowing func gatherFactors(zero: Float) {
        if let kernels {
            return kernels.sixBitFactors(
                source, rowBytes, format.blockBytes, columns / 256, zero, scales, minima)
        }
        forEachGroup { group, lane, source in
            let scale = source.half(0), minimum = source.half(2)
            let (first, second, third) = (source.bits32(4), source.bits32(8), source.bits32(12))
            let low = UInt64(first & 0x3f3f_3f3f)
            let high = UInt64(third & 0x0f0f_0f0f | first >> 2 & 0x3030_3030)
            let lowMinima = UInt64(second & 0x3f3f_3f3f)
            let highMinima = UInt64(third >> 4 & 0x0f0f_0f0f | second >> 2 & 0x3030_3030)
            let factors = low | high << 32, minimumFactors = lowMinima | highMinima << 32
            for s in 0..<8 {
                let shift = UInt64(8 * s), index = (8 * group + s) * TileKind.rows + lane
                let found = scale * Float(Int32(truncatingIfNeeded: factors &>> shift & 255))
                scales[index] = found
                minima[index] =
                    minimum * Float(Int32(truncatingIfNeeded: minimumFactors &>> shift & 255)) - zero * found
            }
        }
    }

    // MARK: Powers of two

    /// Exponents of blocks of MXFP4, in the table of scales; of blocks of zeros, something far below.
    private var powers: UnsafeMutableRawPointer { UnsafeMutableRawPointer(scales) }
    private static var noPower: Int32 { -20000 }

    /// Fills the table, and chooses the rows' exponents.
    borrowing func gatherPowers() {
        let blockBytes = format.blockBytes
        for row in 0..<TileKind.rows {
            let lane = powers + 4 * Self.lane(row), first = source + row * rowBytes
            var largest = Self.noPower
            for block in 0..<blocks {
                let source = first + block * blockBytes
                let codes =
                    (source + 1).loadUnaligned(as: UInt64.self) | (source + 9).loadUnaligned(as: UInt64.self)
                let isZero = codes & 0x7777_7777_7777_7777 == 0
                let power = isZero ? Self.noPower : Int32(source.byte(0)) - 128
                lane.storeBytes(of: power, toByteOffset: 4 * TileKind.rows * block, as: Int32.self)
                largest = max(largest, power)
            }
            exponents[Self.lane(row)] =
                largest == Self.noPower
                ? Int32(RowTile.exponentOfZeros)
                : max(largest - 14, Int32(Float.leastNormalMagnitude.exponent))
        }
    }

    /// How far each block's power is below the row's largest, two blocks to a halfword.
    borrowing func writeDistances(to target: UnsafeMutableRawPointer) {
        for lane in stride(from: 0, to: TileKind.rows, by: 8) {
            let highest = UnsafeRawPointer(exponents + lane).load(as: SIMD8<Int32>.self) &+ 14
            let powers = powers + 4 * lane
            @inline(__always)
            func distances(_ block: Int) -> SIMD8<UInt16> {
                let power = powers.load(fromByteOffset: 4 * TileKind.rows * block, as: SIMD8<Int32>.self)
                // At most 15.
                let rest = power &- highest &+ 15
                return SIMD8<UInt16>(truncatingIfNeeded: 15 &- rest & ~(rest &>> 31))
            }
            for pair in 0..<blocks / 2 {
                target.store(
                    distances(2 * pair) | distances(2 * pair + 1) &<< 8,
                    pair * TileKind.vectorBytes + 2 * lane)
            }
            if blocks % 2 == 1 {
                target.store(distances(blocks - 1), blocks / 2 * TileKind.vectorBytes + 2 * lane)
            }
        }
    }

    // MARK: Floats

    /// Chooses the scales of codes of twelve bits, and in the place of minima what turns weights into codes.
    ///
    /// - Returns: whether all weights are finite.
    borrowing func gatherFloats() -> Bool {
        guard let kernels else { return false }
        switch format {
        case .f32: kernels.largestOfFloats(source, rowBytes, blocks, scales)
        case .f16:
            kernels.largestOfHalves(source, rowBytes, blocks, halves, largestHalves)
            convertHalves(blocks, scales)
        default:
            kernels.largestOfHalves(source, rowBytes, blocks, halves, largestHalves)
            for index in 0..<blocks * TileKind.rows {
                scales[index] = Float(bitPattern: UInt32(halves[index]) << 16)
            }
        }
        // Each lane's largest, and then the unit of its scales, as `WeightRow` has them.
        inverses.update(repeating: 0, count: TileKind.rows)
        kernels.largest(scales, blocks, 1, inverses)
        for lane in 0..<TileKind.rows {
            guard inverses[lane].isFinite else { return false }
            let largest = inverses[lane] / 2047
            inverses[lane] = largest >= .leastNormalMagnitude ? RowTile.unit(of: largest * 1.001) : 0
        }
        kernels.codeScales(scales, inverses, blocks, minima)
        return true
    }

    // MARK: Factors

    /// Four nibbles of each word, one to a byte, as a halfword.
    @inline(__always)
    private static func packed(_ nibbles: UInt64) -> UInt64 {
        let bytes = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff
        let halfwords = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff
        return (halfwords | halfwords >> 16) & 0xffff_ffff
    }

    /// Two chunks, each two vectors of factors and two of factors of minima.
    borrowing func writeFactorsQ2_K(_ group: Int, to target: UnsafeMutableRawPointer) {
        let chunkBytes = kind.parts.chunk
        let mask: UInt64 = 0x0f0f_0f0f_0f0f_0f0f
        forEachSquare(source + group * format.blockBytes) { source in
            let first = source.loadUnaligned(as: UInt64.self)
            let second = (source + 8).loadUnaligned(as: UInt64.self)
            return unsafeBitCast(
                SIMD2(
                    Self.packed(first & mask) | Self.packed(second & mask) << 32,
                    Self.packed(first >> 4 & mask) | Self.packed(second >> 4 & mask) << 32),
                to: SIMD8<UInt16>.self)
        } store: { square, offset in
            let rows = square.rows, second = target + chunkBytes
            target.store(rows.0, offset)
            target.store(rows.1, 128 + offset)
            second.store(rows.2, offset)
            second.store(rows.3, 128 + offset)
            target.store(rows.4, 256 + offset)
            target.store(rows.5, 384 + offset)
            second.store(rows.6, 256 + offset)
            second.store(rows.7, 384 + offset)
        }
    }

    /// Two chunks, each two vectors of low bits and one of upper bits.
    borrowing func writeFactorsQ3_K(_ group: Int, to target: UnsafeMutableRawPointer) {
        let chunkBytes = kind.parts.chunk
        let mask: UInt64 = 0x0f0f_0f0f_0f0f_0f0f
        forEachSquare(source + group * format.blockBytes + 96) { source in
            let low = source.loadUnaligned(as: UInt64.self)
            let high = UInt64(source.bits32(8))
            // Pairs of bits s of the four bytes, as one byte.
            @inline(__always)
            func pairs(_ s: UInt64) -> UInt64 {
                let bits = high >> (2 * s) & 0x0303_0303
                return (bits | bits >> 6 | bits >> 12 | bits >> 18) & 255
            }
            let upper = pairs(0) | pairs(1) << 8 | pairs(2) << 16 | pairs(3) << 24
            return unsafeBitCast(
                SIMD2(Self.packed(low & mask) | Self.packed(low >> 4 & mask) << 32, upper),
                to: SIMD8<UInt16>.self)
        } store: { square, offset in
            let rows = square.rows, second = target + chunkBytes
            target.store(rows.0, offset)
            target.store(rows.1, 128 + offset)
            second.store(rows.2, offset)
            second.store(rows.3, 128 + offset)
            target.store(rows.4, 256 + offset)
            second.store(rows.5, 256 + offset)
        }
    }
}
