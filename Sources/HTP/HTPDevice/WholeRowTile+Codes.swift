/// Where the formats have their codes.
extension WholeRowTile {
    /// Writes all blocks.
    borrowing func writeBlocks() {
        // Codes are behind the scales.
        let codes = kind.blockScaleVectors * TileKind.vectorBytes
        switch format {
        case .q4_0:
            forEachUnit(of: 1) { source, stage in writePlane4(source + 2, to: stage + codes) }
        case .q4_1:
            forEachUnit(of: 1) { source, stage in writePlane4(source + 4, to: stage + codes) }
        case .mxfp4:
            forEachUnit(of: 1) { source, stage in writePlane4(source + 1, to: stage + codes) }
        case .q5_0:
            forEachUnit(of: 1) { source, stage in
                writePlane4(source + 6, to: stage + codes)
                writeFifthBits(source + 2, to: stage + codes + 1024)
            }
        case .q5_1:
            forEachUnit(of: 1) { source, stage in
                writePlane4(source + 8, to: stage + codes)
                writeFifthBits(source + 4, to: stage + codes + 1024)
            }
        case .q8_0:
            forEachUnit(of: 1) { source, stage in writeBytes(source + 2, to: stage + codes) }
        case .iq4_NL:
            forEachUnit(of: 1) { source, stage in writeNibbleWords(source + 2, to: stage + codes) }
        case .q4_K:
            forEachUnit(of: 8) { source, stage in writeNibblePairs(source + 16, to: stage + codes) }
        case .q5_K:
            forEachUnit(of: 8) { source, stage in
                writeNibblePairs(source + 48, to: stage + codes)
                writeBits(source + 16, to: stage + codes + 1024)
            }
        case .q6_K:
            forEachUnit(of: 8) { source, stage in
                for half in 0..<2 {
                    let target = stage + 4 * half * kind.parts.block + codes
                    writeNibbleQuarters(source + 64 * half, to: target)
                    writePairs(source + 128 + 32 * half, to: target + 1024)
                }
            }
        case .q2_K:
            forEachUnit(of: 8) { source, stage in
                for half in 0..<2 {
                    writePairs(source + 16 + 32 * half, to: stage + 4 * half * kind.parts.block)
                }
            }
        case .q3_K:
            forEachUnit(of: 8) { source, stage in
                for half in 0..<2 {
                    writePairs(source + 32 + 32 * half, to: stage + 4 * half * kind.parts.block)
                }
                writeBits(source, to: stage + 512, inOrder: false)
            }
        case .tq2_0:
            forEachUnit(of: 8) { source, stage in
                for half in 0..<2 {
                    writePairs(source + 32 * half, to: stage + 4 * half * kind.parts.block)
                }
            }
        case .i2_S: forEachUnit(of: 4) { source, stage in writePairs(source, descending: true, to: stage) }
        case .iq2_BN: forEachUnit(of: 2) { source, stage in writePairsOfHalves(source, to: stage) }
        case .tq1_0:
            guard let kernels else { return }
            forEachUnit(of: 8) { source, stage in
                kernels.ternaryDigits(source, rowBytes, self.codes)
                for half in 0..<2 {
                    kernels.pairs(
                        self.codes + 32 * half, 64, stage + 4 * half * kind.parts.block, kind.parts.block)
                }
            }
        case .f32: writeCodes(kernels?.codesOfF32)
        case .f16: writeCodes(kernels?.codesOfF16)
        case .bf16: writeCodes(kernels?.codesOfBF16)
        }
    }

    /// Calls `body` for every so many blocks: to write their codes, from their first row's, into the buffer.
    @inline(__always)
    private borrowing func forEachUnit(
        of unit: Int, _ body: (_ source: UnsafeRawPointer, _ stage: UnsafeMutableRawPointer) -> Void
    ) {
        let unitBytes = unit * TileKind.columns * format.blockBytes / format.blockSize
        let bytes = kind.parts.block
        let target = destination + kind.offsets(columns: columns).blocks
        for first in stride(from: 0, to: blocks, by: unit) {
            if isFollowed, !codesFetchAhead, let kernels {
                kernels.prefetch(ahead(source + first / unit * unitBytes), TileKind.rows * unitBytes)
            }
            for block in 0..<unit { writeScales(first + block, to: stage + block * bytes) }
            body(source + first / unit * unitBytes, stage)
            if let kernels, Int(bitPattern: target) % 32 == 0 {
                kernels.stream(target + first * bytes, stage, unit * bytes)
            } else {
                (target + first * bytes).copyMemory(from: stage, byteCount: unit * bytes)
            }
        }
    }

    /// Calls `halfwords` for eight rows that are neighbours in vectors, and `store` with what they become.
    ///
    /// - Parameter source: the first row's.
    @inline(__always)
    borrowing func forEachSquare(
        _ source: UnsafeRawPointer, _ halfwords: (UnsafeRawPointer) -> SIMD8<UInt16>,
        store: (_ square: HalfwordSquare, _ offset: Int) -> Void
    ) {
        for piece in 0..<8 {
            let upper = source + 4 * piece * rowBytes, lower = upper + TileKind.rows / 2 * rowBytes
            let square = HalfwordSquare(
                rows: (
                    halfwords(upper), halfwords(lower),
                    halfwords(upper + rowBytes), halfwords(lower + rowBytes),
                    halfwords(upper + 2 * rowBytes), halfwords(lower + 2 * rowBytes),
                    halfwords(upper + 3 * rowBytes), halfwords(lower + 3 * rowBytes)
                ))
            store(square.transposed(), 16 * piece)
        }
    }

    /// Each row's eight halfwords become halfwords of eight vectors, `stride` bytes apart.
    @inline(__always)
    private borrowing func writeHalfwords(
        _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, stride: Int,
        _ halfwords: (UnsafeRawPointer) -> SIMD8<UInt16>
    ) {
        forEachSquare(source, halfwords) { square, offset in
            let rows = square.rows
            target.store(rows.0, offset)
            target.store(rows.1, offset + stride)
            target.store(rows.2, offset + 2 * stride)
            target.store(rows.3, offset + 3 * stride)
            target.store(rows.4, offset + 4 * stride)
            target.store(rows.5, offset + 5 * stride)
            target.store(rows.6, offset + 6 * stride)
            target.store(rows.7, offset + 7 * stride)
        }
    }

    /// The kernels that write the codes also fetch what comes next, bit by bit: many loads at once would be dropped.
    private var codesFetchAhead: Bool {
        switch kind {
        case .fourBit, .fourBitMinima, .fiveBit, .fiveBitMinima, .sixBitHalves, .eightBit, .fp4: true
        case .ternary, .ternaryGroups, .twoBitFactors, .threeBitFactors, .iq4NL, .twelveBit: false
        }
    }

    /// Where the next row tile has what corresponds to a place in the first row of this one, taken for all
    /// 64 rows.
    @inline(__always)
    private borrowing func ahead(_ place: UnsafeRawPointer) -> UnsafeRawPointer {
        source + TileKind.rows * (rowBytes + (place - source))
    }

    @inline(__always)
    private borrowing func aheadBytes(_ parts: Int) -> Int {
        isFollowed ? TileKind.rows * format.blockBytes / parts : 0
    }

    // MARK: Four bits

    /// 16 bytes: low nibbles are inputs 0…15, high ones 16…31. Of each two bytes, the low nibbles go into one byte,
    /// the high ones into the other.
    @inline(__always)
    private borrowing func writePlane4(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        if let kernels { return kernels.nibbles(source, rowBytes, target, ahead(source), aheadBytes(1)) }
        writeHalfwords(source, to: target, stride: TileKind.vectorBytes) { source in
            let bytes = source.loadUnaligned(as: SIMD8<UInt16>.self)
            return bytes & 0xf00f | (bytes &<< 4) & 0x0f00 | (bytes &>> 4) & 0x00f0
        }
    }

    /// 32 bytes of one nibble each: of each two, the nibbles are one byte.
    @inline(__always)
    private static func plane4(_ first: SIMD8<UInt16>, _ second: SIMD8<UInt16>) -> SIMD8<UInt16> {
        (first | first &>> 4) & 0x00ff | (second &<< 8 | second &<< 4) & 0xff00
    }

    /// 32 bytes with one block in the low nibbles and another in the high ones.
    @inline(__always)
    private borrowing func writeNibbles(
        _ source: UnsafeRawPointer, to low: UnsafeMutableRawPointer, _ high: UnsafeMutableRawPointer
    ) {
        if let kernels {
            return kernels.nibblePairs(source, rowBytes, low, high, ahead(source), aheadBytes(4))
        }
        writeNibbles(source, shift: 0, to: low)
        writeNibbles(source, shift: 4, to: high)
    }

    @inline(__always)
    private borrowing func writeNibbles(
        _ source: UnsafeRawPointer, shift: UInt16, to target: UnsafeMutableRawPointer
    ) {
        writeHalfwords(source, to: target, stride: TileKind.vectorBytes) { source in
            Self.plane4(
                (source.loadUnaligned(as: SIMD8<UInt16>.self) &>> shift) & 0x0f0f,
                ((source + 16).loadUnaligned(as: SIMD8<UInt16>.self) &>> shift) & 0x0f0f)
        }
    }

    /// 128 bytes: each 32 hold one block in the low nibbles and the next in the high ones.
    @inline(__always)
    private borrowing func writeNibblePairs(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        let blockBytes = kind.parts.block
        for pair in 0..<4 {
            let even = target + 2 * pair * blockBytes
            writeNibbles(source + 32 * pair, to: even, even + blockBytes)
        }
    }

    /// 64 bytes: each 32 hold one block in the low nibbles and the one after the next in the high ones.
    @inline(__always)
    private borrowing func writeNibbleQuarters(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer)
    {
        let blockBytes = kind.parts.block
        for part in 0..<2 {
            writeNibbles(source + 32 * part, to: target + part * blockBytes, target + (part + 2) * blockBytes)
        }
    }

    // MARK: Planes of one and two bits

    /// 32 bytes as inputs 0, 2 … 30 and 1, 3 … 31.
    @inline(__always)
    private static func parted(_ source: UnsafeRawPointer) -> (even: SIMD2<UInt64>, odd: SIMD2<UInt64>) {
        let first = source.loadUnaligned(as: SIMD8<UInt16>.self)
        let second = (source + 16).loadUnaligned(as: SIMD8<UInt16>.self)
        @inline(__always)
        func bytes(_ shift: UInt16) -> SIMD2<UInt64> {
            let low = SIMD8<UInt8>(truncatingIfNeeded: (first &>> shift) & 255)
            let high = SIMD8<UInt8>(truncatingIfNeeded: (second &>> shift) & 255)
            return unsafeBitCast(SIMD16<UInt8>(lowHalf: low, highHalf: high), to: SIMD2<UInt64>.self)
        }
        return (bytes(0), bytes(8))
    }

    /// Exchanges the bits under `mask` with those `shift` above.
    @inline(__always)
    private static func exchanged(_ bits: SIMD2<UInt64>, _ shift: UInt64, _ mask: UInt64) -> SIMD2<UInt64> {
        let difference = (bits ^ bits &>> shift) & mask
        return bits ^ difference ^ difference &<< shift
    }

    /// The bytes of the two words in turn.
    @inline(__always)
    private static func merged(_ words: SIMD2<UInt64>) -> SIMD8<UInt16> {
        let bytes = unsafeBitCast(words, to: SIMD16<UInt8>.self)
        return unsafeBitCast(
            SIMD16<UInt8>.interleaved(bytes.lowHalf, bytes.highHalf), to: SIMD8<UInt16>.self)
    }

    /// 32 bytes, bit s of byte i being weight i of block s, become planes of one bit: of words 0 … 7, or in the order
    /// that goes with a plane of two bits.
    @inline(__always)
    private borrowing func writeBits(
        _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, inOrder: Bool = true
    ) {
        let blockBytes = kind.parts.block
        if let kernels { return kernels.bits(source, rowBytes, target, blockBytes, inOrder ? 1 : 0) }
        // Bit s of byte i becomes bit i of byte s.
        @inline(__always)
        func transposed(_ bits: SIMD2<UInt64>) -> SIMD2<UInt64> {
            let pairs = Self.exchanged(bits, 7, 0x00aa_00aa_00aa_00aa)
            let quads = Self.exchanged(pairs, 14, 0x0000_cccc_0000_cccc)
            return Self.exchanged(quads, 28, 0x0000_0000_f0f0_f0f0)
        }
        @inline(__always)
        func plane(_ bits: SIMD2<UInt64>) -> SIMD8<UInt16> {
            let words = Self.merged(transposed(bits))
            guard !inOrder else { return words }
            // Words 4, 5, 0, 1, 6, 7, 2, 3.
            return (words &>> 4) & 0x0303 | (words &<< 2) & 0x0c0c | (words &>> 2) & 0x3030
                | (words &<< 4) & 0xc0c0
        }
        writeHalfwords(source, to: target, stride: blockBytes) { plane(Self.parted($0).even) }
        writeHalfwords(source, to: target + TileKind.vectorBytes, stride: blockBytes) {
            plane(Self.parted($0).odd)
        }
    }

    /// A word whose bit i is weight i's fifth.
    @inline(__always)
    private borrowing func writeFifthBits(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        for piece in 0..<8 {
            let upper = source + 4 * piece * rowBytes, lower = upper + TileKind.rows / 2 * rowBytes
            // Even bits go into the first vector, odd ones into the second; halves of the block into a byte each.
            @inline(__always)
            func parted(_ words: SIMD4<UInt32>) -> SIMD4<UInt32> {
                @inline(__always)
                func exchanged(_ bits: SIMD4<UInt32>, _ shift: UInt32, _ mask: UInt32) -> SIMD4<UInt32> {
                    let difference = (bits ^ bits &>> shift) & mask
                    return bits ^ difference ^ difference &<< shift
                }
                return exchanged(
                    exchanged(
                        exchanged(exchanged(words, 1, 0x2222_2222), 2, 0x0c0c_0c0c), 4, 0x00f0_00f0), 8,
                    0x0000_ff00)
            }
            let first = parted(
                SIMD4(upper.bits32(0), lower.bits32(0), upper.bits32(rowBytes), lower.bits32(rowBytes)))
            let second = parted(
                SIMD4(
                    upper.bits32(2 * rowBytes), lower.bits32(2 * rowBytes), upper.bits32(3 * rowBytes),
                    lower.bits32(3 * rowBytes)))
            let both = SIMD8<UInt32>(lowHalf: first, highHalf: second)
            target.store(SIMD8<UInt16>(truncatingIfNeeded: both), 16 * piece)
            target.store(SIMD8<UInt16>(truncatingIfNeeded: both &>> 16), TileKind.vectorBytes + 16 * piece)
        }
    }

    /// 32 bytes, pair q of byte i being weight i of block q (or, `descending`, of block 3 − q), become planes of two
    /// bits of four blocks.
    @inline(__always)
    private borrowing func writePairs(
        _ source: UnsafeRawPointer, descending: Bool = false, to target: UnsafeMutableRawPointer
    ) {
        let first = descending ? target + 3 * kind.parts.block : target
        let step = descending ? -kind.parts.block : kind.parts.block
        if let kernels { return kernels.pairs(source, rowBytes, first, step) }
        // Of each word: pair q of byte f becomes pair f of byte q.
        @inline(__always)
        func transposed(_ bits: SIMD2<UInt64>) -> SIMD2<UInt64> {
            let pairs = Self.exchanged(bits, 6, 0x00cc_00cc_00cc_00cc)
            return Self.exchanged(pairs, 12, 0x0000_f0f0_0000_f0f0)
        }
        for odd in 0..<2 {
            forEachSquare(source) { source in
                let parts = Self.parted(source)
                return Self.merged(transposed(odd == 0 ? parts.even : parts.odd))
            } store: { square, offset in
                let rows = square.rows, base = first + odd * TileKind.vectorBytes + offset
                base.store(rows.0, 0)
                base.store(rows.1, step)
                base.store(rows.2, 2 * step)
                base.store(rows.3, 3 * step)
                base.store(rows.4, 256)
                base.store(rows.5, step + 256)
                base.store(rows.6, 2 * step + 256)
                base.store(rows.7, 3 * step + 256)
            }
        }
    }

    /// 16 bytes, pair q of byte j being weight 16·q + j: two blocks.
    @inline(__always)
    private borrowing func writePairsOfHalves(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer)
    {
        let blockBytes = kind.parts.block
        forEachSquare(source) { source in
            // Words: inputs 0, 2, 4, 6, then 8 … 14, then the odd ones.
            let halfwords = source.loadUnaligned(as: SIMD8<UInt16>.self)
            let even = SIMD8<UInt8>(truncatingIfNeeded: halfwords & 255)
            let odd = SIMD8<UInt8>(truncatingIfNeeded: halfwords &>> 8)
            let bits = unsafeBitCast(SIMD16<UInt8>(lowHalf: even, highHalf: odd), to: SIMD2<UInt64>.self)
            let pairs = Self.exchanged(bits, 6, 0x00cc_00cc_00cc_00cc)
            // Byte q of a word is half q % 2 of block q / 2.
            return unsafeBitCast(
                Self.exchanged(pairs, 12, 0x0000_f0f0_0000_f0f0), to: SIMD8<UInt16>.self)
        } store: { square, offset in
            let rows = square.rows, first = target + offset, second = first + blockBytes
            first.store(rows.0, 0)
            second.store(rows.1, 0)
            first.store(rows.2, 256)
            second.store(rows.3, 256)
            first.store(rows.4, 128)
            second.store(rows.5, 128)
            first.store(rows.6, 384)
            second.store(rows.7, 384)
        }
    }

    // MARK: Words

    /// Each row's four words become words of four vectors.
    @inline(__always)
    private borrowing func writeWords(
        _ source: UnsafeRawPointer, rowBytes: Int, to target: UnsafeMutableRawPointer, halfBytes: Int,
        _ words: (UnsafeRawPointer) -> SIMD4<UInt32>
    ) {
        for piece in 0..<16 {
            let row = source + 4 * piece * rowBytes
            let square = WordSquare(
                rows: (
                    words(row), words(row + rowBytes), words(row + 2 * rowBytes), words(row + 3 * rowBytes)
                )
            ).transposed().rows
            let base = target + piece / 8 * halfBytes + piece % 8 * 16
            base.store(square.0, 0)
            base.store(square.1, TileKind.vectorBytes)
            base.store(square.2, 2 * TileKind.vectorBytes)
            base.store(square.3, 3 * TileKind.vectorBytes)
        }
    }

    /// 32 signed bytes: two of each half of the block for a word.
    @inline(__always)
    private borrowing func writeBytes(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        if let kernels { return kernels.bytes(source, rowBytes, target, ahead(source), aheadBytes(1)) }
        @inline(__always)
        func load(_ source: UnsafeRawPointer) -> SIMD8<UInt16> {
            source.loadUnaligned(as: SIMD8<UInt16>.self) ^ 0x8080
        }
        writeWords(source, rowBytes: rowBytes, to: target, halfBytes: 1024) {
            unsafeBitCast(
                SIMD8<UInt16>.interleavedLow(load($0), load($0 + 16)), to: SIMD4<UInt32>.self)
        }
        writeWords(
            source, rowBytes: rowBytes, to: target + 4 * TileKind.vectorBytes, halfBytes: 1024
        ) {
            unsafeBitCast(
                SIMD8<UInt16>.interleavedHigh(load($0), load($0 + 16)), to: SIMD4<UInt32>.self)
        }
    }

    /// Blocks of floats: planes of the upper eight bits and of the lower four.
    private borrowing func writeCodes(_ codesOf: RowTileKernels.Codes?) {
        guard let kernels, let codesOf else { return }
        let codes = kind.blockScaleVectors * TileKind.vectorBytes
        var factors = UnsafePointer(minima)
        forEachUnit(of: 1) { source, stage in
            codesOf(source, rowBytes, factors, self.codes)
            kernels.bytes(self.codes, 48, stage + codes, self.codes, 0)
            kernels.nibbleWords(self.codes + 32, 48, stage + codes + 2048)
            factors += TileKind.rows
        }
    }

    /// 16 bytes of nibbles: of each four, those of one word and of the next as low and high nibbles of one.
    @inline(__always)
    private borrowing func writeNibbleWords(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        if let kernels { return kernels.nibbleWords(source, rowBytes, target) }
        writeWords(source, rowBytes: rowBytes, to: target, halfBytes: 512) { source in
            let words = source.loadUnaligned(as: SIMD4<UInt32>.self)
            return words & 0xf0f0_0f0f | (words &>> 12) & 0x0000_f0f0 | (words &<< 12) & 0x0f0f_0000
        }
    }
}

extension UnsafeMutableRawPointer {
    @inline(__always)
    func store(_ vector: SIMD8<UInt16>, _ offset: Int) {
        storeBytes(of: vector, toByteOffset: offset, as: SIMD8<UInt16>.self)
    }

    @inline(__always)
    fileprivate func store(_ vector: SIMD4<UInt32>, _ offset: Int) {
        storeBytes(of: vector, toByteOffset: offset, as: SIMD4<UInt32>.self)
    }
}

extension TileKind {
    /// Vectors of scales and minima before the codes of a block.
    fileprivate var blockScaleVectors: Int {
        switch self {
        case .fourBit, .fiveBit, .eightBit, .iq4NL, .twelveBit: 1
        case .fourBitMinima, .fiveBitMinima, .sixBitHalves: 2
        case .ternary, .ternaryGroups, .twoBitFactors, .threeBitFactors, .fp4: 0
        }
    }
}
