/// Repacks 64 rows at once, with the bytes that ``RowTile`` gives row by row.
///
/// Scales are gathered first, in the order of the tile's vectors. Then the codes are taken block by block: eight rows
/// that are neighbours in the tile's vectors become eight vectors of halfwords, whose transpose is a piece of eight
/// vectors of the tile. Blocks are put together in a small buffer and leave it past the caches.
///
/// Vectors are loaded and stored as they lie in memory, which means little-endian hosts.
struct WholeRowTile: ~Copyable {
    let format: WeightMatrix.Format
    let kind: TileKind
    let columns: Int
    let rowBytes: Int
    let kernels: RowTileKernels?

    /// The first row's blocks.
    private(set) var source: UnsafeRawPointer
    private(set) var destination: UnsafeMutableRawPointer
    /// 64 rows more follow and will be next.
    private(set) var isFollowed = false

    /// 64 for each scale of a row, in the order of lanes; as in ``WeightRow``.
    let scales: UnsafeMutablePointer<Float>
    let minima: UnsafeMutablePointer<Float>
    /// For each lane, what makes a scale a mantissa.
    let inverses: UnsafeMutablePointer<Float>
    /// For each lane.
    let exponents: UnsafeMutablePointer<Int32>
    /// Blocks that are being put together.
    let stage: UnsafeMutableRawPointer

    /// 64 for each scale of a row, of half precision.
    let halves: UnsafeMutablePointer<UInt16>

    /// For each lane.
    let largestHalves: UnsafeMutablePointer<UInt16>

    /// Codes of a block of weights that were floats, or of a group that was digits; of the rows.
    let codes: UnsafeMutableRawPointer

    private let memory: UnsafeMutableRawPointer

    static func supports(_ matrix: WeightMatrix, _ kernels: RowTileKernels?) -> Bool {
        switch matrix.format {
        case .tq1_0: kernels != nil
        case .f32, .f16, .bf16: kernels != nil && matrix.columns % TileKind.columns == 0
        default: true
        }
    }

    init(_ matrix: WeightMatrix, _ kernels: RowTileKernels?) {
        format = matrix.format
        kind = matrix.kind
        columns = matrix.columns
        rowBytes = matrix.format.rowBytes(columns: matrix.columns)
        self.kernels = kernels
        let table = WeightRow.scaleCount(kind, columns: columns) * TileKind.rows * 4
        let stageBytes = 8 * kind.parts.block
        let codeBytes = TileKind.rows * 64
        memory = .allocate(
            byteCount: stageBytes + 2 * table + 640 + table / 2 + codeBytes, alignment: TileKind.vectorBytes)
        source = UnsafeRawPointer(memory)
        destination = memory
        stage = memory
        scales = (memory + stageBytes).assumingMemoryBound(to: Float.self)
        minima = (memory + stageBytes + table).assumingMemoryBound(to: Float.self)
        inverses = (memory + stageBytes + 2 * table).assumingMemoryBound(to: Float.self)
        halves = (memory + stageBytes + 2 * table + 640).assumingMemoryBound(to: UInt16.self)
        largestHalves = (memory + stageBytes + 2 * table + 512).assumingMemoryBound(to: UInt16.self)
        codes = memory + stageBytes + 2 * table + 640 + table / 2
        exponents = (memory + stageBytes + 2 * table + 256).assumingMemoryBound(to: Int32.self)
    }

    deinit { memory.deallocate() }

    var blocks: Int { columns / TileKind.columns }
    /// Scales are half-precision numbers as they are in the blocks.
    var hasHalves: Bool {
        switch kind {
        case .fourBit, .fiveBit, .eightBit, .iq4NL: true
        default: false
        }
    }
    var scaleCount: Int { WeightRow.scaleCount(kind, columns: columns) }

    /// The row that is halfword `lane` of the tile's vectors.
    @inline(__always)
    static func row(_ lane: Int) -> Int { lane / 2 + lane % 2 * (TileKind.rows / 2) }

    /// The halfword of the tile's vectors that is row `row`.
    @inline(__always)
    static func lane(_ row: Int) -> Int { 2 * (row % (TileKind.rows / 2)) + row / (TileKind.rows / 2) }

    /// Writes a row tile, which `matrix` has all 64 rows of.
    ///
    /// - Returns: false, and nothing is written, where a scale or a weight is not a finite number.
    mutating func write(
        _ index: Int, of matrix: WeightMatrix, to destination: UnsafeMutableRawPointer, isFollowed: Bool
    ) -> Bool {
        guard let base = matrix.bytes.baseAddress else { return false }
        source = base + index * TileKind.rows * rowBytes + format.rowHeaderBytes
        self.destination = destination
        self.isFollowed = isFollowed
        switch format {
        case .mxfp4: gatherPowers()
        case .f32, .f16, .bf16: guard gatherFloats(), chooseUnits() else { return false }
        default:
            gatherScales(commonScale: matrix.commonScale)
            guard chooseUnits() else { return false }
        }
        for lane in 0..<TileKind.rows {
            destination.storeBytes(of: exponents[lane], toByteOffset: 4 * Self.row(lane), as: Int32.self)
        }
        writeFrame()
        writeBlocks()
        kernels?.streamed()
        return true
    }
}

// MARK: Scales

extension WholeRowTile {
    /// Finds each row's largest scale.
    ///
    /// - Returns: whether all are finite.
    private borrowing func chooseUnits() -> Bool {
        if hasHalves, kernels != nil {
            for lane in 0..<TileKind.rows {
                guard choose(UnsafeRawPointer(largestHalves + lane).half(0), lane) else { return false }
            }
            return true
        }
        let step: Float = kind == .fourBitMinima ? 0x1p-3 : kind == .fiveBitMinima ? 0x1p-4 : 1
        let hasMinima = kind == .fourBitMinima || kind == .fiveBitMinima || kind == .twoBitFactors
        let count = scaleCount
        if let kernels {
            // Each lane's largest, and then what takes its place.
            inverses.update(repeating: 0, count: TileKind.rows)
            kernels.largest(scales, count, 1, inverses)
            if hasMinima { kernels.largest(minima, count, step, inverses) }
            for lane in 0..<TileKind.rows {
                guard choose(inverses[lane], lane) else { return false }
            }
            return true
        }
        for first in stride(from: 0, to: TileKind.rows, by: 8) {
            // Magnitudes of floats are ordered as their bits.
            var largest = SIMD8<Int32>(repeating: 0)
            for index in 0..<count {
                largest = largest.larger(Self.load(scales, index, first).magnitudeBits)
            }
            if hasMinima {
                for index in 0..<count {
                    largest = largest.larger((Self.load(minima, index, first) * step).magnitudeBits)
                }
            }
            for lane in 0..<8 {
                guard choose(Float(bitPattern: UInt32(largest[lane])), first + lane) else { return false }
            }
        }
        return true
    }

    @inline(__always)
    private borrowing func choose(_ largest: Float, _ lane: Int) -> Bool {
        // Infinity has no exponent.
        guard largest.isFinite else { return false }
        let exponent = largest > 0 ? RowTile.exponent(of: largest) : RowTile.exponentOfZeros
        exponents[lane] = Int32(exponent)
        inverses[lane] = largest > 0 ? Float(sign: .plus, exponent: -exponent, significand: 1) : 0
        return true
    }

    @inline(__always)
    private static func load(
        _ table: UnsafeMutablePointer<Float>, _ index: Int, _ lane: Int
    ) -> SIMD8<Float> {
        UnsafeRawPointer(table + index * TileKind.rows + lane).load(as: SIMD8<Float>.self)
    }

    /// A vector of scales. Adding 1.5 · 2^23 rounds to an integer, ties to even.
    @inline(__always)
    private borrowing func writeMantissas(
        _ table: UnsafeMutablePointer<Float>, _ index: Int, step: Float = 1,
        to target: UnsafeMutableRawPointer
    ) {
        if let kernels {
            let mantissas = target.assumingMemoryBound(to: UInt16.self)
            kernels.mantissas(table + index * TileKind.rows, inverses, step, mantissas)
            return
        }
        for first in stride(from: 0, to: TileKind.rows, by: 8) {
            let value = Self.load(table, index, first) * (Self.load(inverses, 0, first) * step)
            let rounded = unsafeBitCast(value + 12_582_912, to: SIMD8<Int32>.self) &- 0x4b40_0000
            // Magnitudes are at most 32768, which becomes 32767.
            let sign = rounded &>> 31
            let magnitude = (rounded ^ sign) &- sign
            let clamped = ((magnitude &- magnitude &>> 15) ^ sign) &- sign
            target.store(SIMD8<UInt16>(truncatingIfNeeded: clamped), 2 * first)
        }
    }

    /// What stands before the blocks.
    private borrowing func writeFrame() {
        let parts = kind.parts, offsets = kind.offsets(columns: columns)
        switch kind {
        case .ternary: writeMantissas(scales, 0, to: destination + 256)
        case .ternaryGroups, .threeBitFactors, .twoBitFactors:
            for group in 0..<scaleCount {
                let target = destination + offsets.groups + group * parts.group
                writeMantissas(scales, group, to: target)
                if kind == .twoBitFactors {
                    writeMantissas(minima, group, to: target + TileKind.vectorBytes)
                }
                let chunks = destination + offsets.chunks + 2 * group * parts.chunk
                if kind == .twoBitFactors { writeFactorsQ2_K(group, to: chunks) }
                if kind == .threeBitFactors { writeFactorsQ3_K(group, to: chunks) }
            }
        case .fp4: writeDistances(to: destination + offsets.pairs)
        default: break
        }
    }

    /// The scales of a block, and its minima.
    @inline(__always)
    borrowing func writeScales(_ block: Int, to target: UnsafeMutableRawPointer) {
        switch kind {
        case .fourBit, .fiveBit, .eightBit, .iq4NL:
            if let kernels {
                let mantissas = target.assumingMemoryBound(to: UInt16.self)
                kernels.mantissasOfHalves(halves + block * TileKind.rows, inverses, mantissas)
            } else {
                writeMantissas(scales, block, to: target)
            }
        case .twelveBit: writeMantissas(scales, block, to: target)
        case .fourBitMinima, .fiveBitMinima:
            writeMantissas(scales, block, to: target)
            writeMantissas(
                minima, block, step: kind == .fourBitMinima ? 0x1p-3 : 0x1p-4,
                to: target + TileKind.vectorBytes)
        case .sixBitHalves:
            writeMantissas(scales, 2 * block, to: target)
            writeMantissas(scales, 2 * block + 1, to: target + TileKind.vectorBytes)
        default: break
        }
    }
}

extension SIMD8 where Scalar == Float {
    /// The bits of the magnitudes.
    @inline(__always)
    fileprivate var magnitudeBits: SIMD8<Int32> {
        unsafeBitCast(self, to: SIMD8<Int32>.self) & 0x7fff_ffff
    }
}

extension SIMD8 where Scalar == Int32 {
    @inline(__always)
    fileprivate func larger(_ other: Self) -> Self {
        let difference = other &- self
        return self &+ (difference & ~(difference &>> 31))
    }
}
