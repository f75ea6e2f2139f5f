/// Where the formats have their scales.
extension WholeRowTile {
    /// Eight half-precision numbers as floats.
    @inline(__always)
    private static func floats(_ halves: SIMD8<UInt16>) -> SIMD8<Float> {
        let bits = SIMD8<UInt32>(truncatingIfNeeded: halves)
        let magnitude = (bits & 0x7fff) &<< 13
        // Exponents differ by 112; the product is exact, subnormal halves included.
        let finite = unsafeBitCast(
            unsafeBitCast(magnitude, to: SIMD8<Float>.self) * 0x1p112, to: SIMD8<UInt32>.self)
        // All bits of an infinity's or NaN's exponent.
        let infinite = unsafeBitCast(
            (0x7bff << 13 &- unsafeBitCast(magnitude, to: SIMD8<Int32>.self)) &>> 31, to: SIMD8<UInt32>.self)
        let value = finite | infinite & 0x7f80_0000
        return unsafeBitCast(value | (bits & 0x8000) &<< 16, to: SIMD8<Float>.self)
    }

    /// Fills a table with the half-precision numbers `offset` bytes into blocks. Rows are read one after the other,
    /// as memory likes it.
    @inline(__always)
    private borrowing func gatherHalves(_ offset: Int, _ table: UnsafeMutablePointer<Float>) {
        let blockBytes = format.blockBytes, count = columns / format.blockSize
        if let kernels {
            kernels.halves(source + offset, rowBytes, blockBytes, count, halves)
            if hasHalves { return }
        } else {
            for row in 0..<TileKind.rows {
                let first = source + row * rowBytes + offset, lane = halves + Self.lane(row)
                for block in 0..<count { lane[block * TileKind.rows] = first.bits16(block * blockBytes) }
            }
        }
        for index in stride(from: 0, to: count * TileKind.rows, by: 8) {
            let found = Self.floats(UnsafeRawPointer(halves + index).load(as: SIMD8<UInt16>.self))
            UnsafeMutableRawPointer(table + index).storeBytes(of: found, as: SIMD8<Float>.self)
        }
    }

    /// Calls `body` for each row's groups of 256.
    @inline(__always)
    private borrowing func forEachGroup(_ body: (_ group: Int, _ lane: Int, _ source: UnsafeRawPointer) -> Void) {
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
        case .tq2_0: gatherHalves(64, scales)
        case .q4_K: gatherFactors(zero: 8)
        case .q5_K: gatherFactors(zero: 16)
        case .q6_K:
            forEachGroup { group, lane, source in
                let scale = source.half(208)
                let factors = (source + 192).loadUnaligned(as: SIMD16<Int8>.self)
                for h in 0..<16 {
                    scales[(16 * group + h) * TileKind.rows + lane] = scale * Float(factors[h])
                }
            }
        case .i2_S: for lane in 0..<TileKind.rows { scales[lane] = commonScale }
        case .iq2_BN:
            for lane in 0..<TileKind.rows {
                scales[lane] = (source + Self.row(lane) * rowBytes - format.rowHeaderBytes).float(0)
            }
        case .f32, .f16, .bf16, .tq1_0, .mxfp4: break
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
        forEachGroup { group, lane, source in
            let scale = source.half(0), minimum = source.half(2)
            let (first, second, third) = (source.bits32(4), source.bits32(8), source.bits32(12))
            let low = UInt64(first & 0x3f3f_3f3f)
            let high = UInt64(third & 0x0f0f_0f0f | first >> 2 & 0x3030_3030)
            let lowMinima = UInt64(second & 0x3f3f_3f3f)
            let highMinima = UInt64(third >> 4 & 0x0f0f_0f0f | second >> 2 & 0x3030_3030)
            let found = scale * Self.floats(bytes: low | high << 32)
            let minimumFactors = Self.floats(bytes: lowMinima | highMinima << 32)
            let foundMinima = minimum * minimumFactors - zero * found
            for s in 0..<8 {
                scales[(8 * group + s) * TileKind.rows + lane] = found[s]
                minima[(8 * group + s) * TileKind.rows + lane] = foundMinima[s]
            }
        }
    }

    @inline(__always)
    private static func floats(bytes: UInt64) -> SIMD8<Float> {
        SIMD8<Float>(SIMD8<Int32>(truncatingIfNeeded: unsafeBitCast(bytes, to: SIMD8<UInt8>.self)))
    }

    // MARK: Powers of two

    /// Blocks of MXFP4: the table of scales holds exponents, or, of blocks of zeros, something far below.
    borrowing func gatherPowers() {
        let none: Float = -20000
        var largest = SIMD64<Float>(repeating: none)
        for row in 0..<TileKind.rows {
            let lane = Self.lane(row)
            for block in 0..<blocks {
                let source = source + row * rowBytes + block * format.blockBytes
                let codes =
                    (source + 1).loadUnaligned(as: UInt64.self) | (source + 9).loadUnaligned(as: UInt64.self)
                let isZero = codes & 0x7777_7777_7777_7777 == 0
                let exponent = isZero ? none : Float(Int(source.byte(0)) - 128)
                scales[block * TileKind.rows + lane] = exponent
                largest[lane] = max(largest[lane], exponent)
            }
        }
        for lane in 0..<TileKind.rows {
            let isZero = largest[lane] == none
            exponents[lane] =
                isZero
                ? Int32(RowTile.exponentOfZeros)
                : max(Int32(largest[lane]) - 14, Int32(Float.leastNormalMagnitude.exponent))
        }
    }

    /// How far each block's power is below the row's largest, two blocks to a halfword.
    borrowing func writeDistances(to target: UnsafeMutableRawPointer) {
        for pair in 0..<(blocks + 1) / 2 {
            for lane in 0..<TileKind.rows {
                @inline(__always)
            func distance(_ block: Int) -> UInt16 {
                    guard block < blocks else { return 0 }
                    let exponent = Int32(scales[block * TileKind.rows + lane])
                    return UInt16(min(exponents[lane] + 14 - exponent, 15))
                }
                target.storeBytes(
                    of: distance(2 * pair) | distance(2 * pair + 1) << 8,
                    toByteOffset: pair * TileKind.vectorBytes + 2 * lane, as: UInt16.self)
            }
        }
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
