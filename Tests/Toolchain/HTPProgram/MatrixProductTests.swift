import Foundation
import HTPProgram
import TestSupport
import Testing

/// Quantisation and matrix product, the same sources as Hexagon machine code and on this machine.
@Suite("Matrix products on Hexagon", .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing))
struct MatrixProductTests {
    static let files = ["activations.c", "matmul.c", "stream.c", "platform_dma.c"]
    static let cases = ProductCase.all
    static let input = Data(cases.flatMap(\.input))
    static let processor = Result {
        try FixtureBuild.hexagon[0].output(of: "products.c", with: files, input: input)
    }

    @Test("the matrix product has the same bits under qemu", arguments: FixtureBuild.host)
    func host(build: FixtureBuild) throws {
        try compare(build)
    }

    @Test(
        "the matrix product on arm64 has the same bits",
        .enabled(if: FixtureBuild.arm64 != nil, FixtureBuild.arm64Missing))
    func arm64() throws {
        try compare(try #require(FixtureBuild.arm64))
    }

    @Test("code for newer processors gives the same bits", arguments: FixtureBuild.hexagon.dropFirst())
    func newerProcessor(build: FixtureBuild) throws {
        try compare(build)
    }

    /// Codes of eight bits: a step of about four deviations / 254, squared, over 12; more where one input of a block is
    /// much larger than the others.
    @Test("the product under qemu is the product", arguments: 1..<UInt32(HTP_TILES_KINDS_END))
    func arithmetic(kind: UInt32) throws {
        let output = try Self.processor.get()
        var offset = 0
        var measured = 0
        for product in Self.cases {
            let start = offset
            offset += product.outputBytes
            guard product.kind == kind, product.exponentKind == .same else { continue }
            let expected = product.expected()
            var error = 0.0
            var power = 0.0
            for (ours, exact) in zip(product.results(in: output, at: start), expected) {
                error += (Double(ours) - exact) * (Double(ours) - exact)
                power += exact * exact
            }
            let bound = product.activationKind == .outlierHeavy ? 5e-4 : 5e-5
            #expect(power > 0 && error / power < bound, "\(product): \(error / power)")
            measured += 1
        }
        #expect(measured == ProductCase.measuredShapes.count)
        #expect(offset == output.count)
    }

    @Test("a row of zeros is exactly zero")
    func zeros() throws {
        let output = try Self.processor.get()
        var offset = 0
        var rows = 0
        for product in Self.cases {
            let start = offset
            offset += product.outputBytes
            guard product.exponentKind == .zeroRows else { continue }
            for (index, result) in product.results(in: output, at: start).enumerated() {
                let isZero = ProductCase.isZeroRow(index % product.out)
                #expect(isZero == (result == 0), "\(product): output \(index) is \(result)")
                rows += isZero ? 1 : 0
            }
        }
        #expect(rows > 0)
    }

    private func compare(_ build: FixtureBuild) throws {
        let expected = try Self.processor.get()
        let actual = try build.output(of: "products.c", with: Self.files, input: Self.input)
        try #require(actual.count == expected.count)
        var offset = 0
        for product in Self.cases {
            let range = offset..<offset + product.outputBytes
            offset = range.upperBound
            guard let at = range.first(where: { actual[$0] != expected[$0] }) else { continue }
            let where_ =
                at < range.lowerBound + product.quantizedBytes
                ? "byte \(at - range.lowerBound) of the quantised activations"
                : "result \((at - range.lowerBound - product.quantizedBytes) / 4)"
            Issue.record("\(product): \(where_) differs")
        }
    }
}

/// One product with its random data; the layouts are those of `htp_tiles.h`.
struct ProductCase: CustomStringConvertible {
    enum ActivationKind: CaseIterable {
        case ordinary, normal, outlierHeavy, outliers, zeros, magnitudes, huge, tiny, anyBits, special
    }
    enum ExponentKind: CaseIterable { case ordinary, wide, anyBits, same, zeroRows }

    /// `HTP_TILES_…`
    let kind: UInt32
    let out, columns, rows, experts: Int
    let activationKind: ActivationKind
    let exponentKind: ExponentKind
    /// Bytes of tightly coupled memory, and whether transfers fill it where they can.
    let nearBytes: Int
    let usesDMA: Bool
    let tiles: [UInt8]
    let activations: [Float]

    var description: String {
        "kind \(kind), \(out) × \(columns), \(rows) rows, \(experts) experts, \(activationKind) activations, "
            + "\(exponentKind) exponents, \(nearBytes) bytes near\(usesDMA ? " by DMA" : "")"
    }

    /// Shapes with whole and broken row tiles, chunks and pairs of blocks, and all row counts that the kernel
    /// treats differently; then every kind of number, and experts, some without a row.
    static let all: [ProductCase] = {
        let shapes = [
            (32, 32, 1), (65, 96, 2), (100, 64, 3), (1, 160, 4), (64, 1056, 5), (70, 2080, 6), (31, 4096, 1),
            (64, 256, 9), (33, 768, 33),
            // Blocks that are not full: the only one, one after a whole row of vectors, one after a group.
            (65, 1, 2), (40, 31, 1), (64, 129, 5), (70, 1055, 6), (33, 257, 33),
        ]
        var generator = SeededGenerator(7)
        var cases: [ProductCase] = []
        for kind in 1..<UInt32(HTP_TILES_KINDS_END) {
            for (out, columns, rows) in shapes {
                cases.append(ProductCase(kind, out, columns, rows, 0, .ordinary, .ordinary, &generator))
            }
            for activations in ActivationKind.allCases {
                for exponents in [ExponentKind.ordinary, .wide, .anyBits] {
                    cases.append(ProductCase(kind, 40, 224, 6, 0, activations, exponents, &generator))
                }
            }
            for (rows, experts) in [(1, 4), (13, 3), (31, 8)] {
                cases.append(ProductCase(kind, 70, 96, rows, experts, .ordinary, .ordinary, &generator))
            }
        }
        // Batches of all sizes that take other ways through the rows, and rows of zeros among others.
        for kind in 1..<UInt32(HTP_TILES_KINDS_END) {
            for rows in [7, 8, 31, 32] {
                cases.append(ProductCase(kind, 70, 64, rows, 0, .ordinary, .ordinary, &generator))
            }
            cases.append(ProductCase(kind, 100, 512, 3, 0, .ordinary, .zeroRows, &generator))
            for (out, columns, rows, activations) in measuredShapes {
                cases.append(ProductCase(kind, out, columns, rows, 0, activations, .same, &generator))
            }
        }
        for kind in 1..<UInt32(HTP_TILES_KINDS_END) {
            // Large batches, which take a matrix in several goes.
            cases.append(ProductCase(kind, 70, 96, 64, 0, .ordinary, .ordinary, &generator))
            cases.append(ProductCase(kind, 3, 32, 512, 0, .ordinary, .ordinary, &generator))
            // Tightly coupled memory: too little, room for small pieces, for large ones; with several row tiles.
            for (rows, columns, bytes) in [
                (16, 1056, 4096), (19, 1056, 40 << 10), (16, 1056, 512 << 10), (17, 1030, 40 << 10),
            ] {
                cases.append(
                    ProductCase(
                        kind, 200, columns, rows, 0, .ordinary, .ordinary, &generator, nearBytes: bytes))
            }
            for (rows, bytes) in [(1, 8192), (3, 40 << 10), (1, 512 << 10), (21, 90 << 10)] {
                cases.append(
                    ProductCase(
                        kind, 200, 1312, rows, 0, .ordinary, .ordinary, &generator, nearBytes: bytes,
                        usesDMA: true))
            }
            cases.append(
                ProductCase(
                    kind, 70, 96, 31, 4, .ordinary, .ordinary, &generator, nearBytes: 64 << 10, usesDMA: true)
            )
        }
        // Large batches and tall matrices, as in models.
        for kind in [HTP_TILES_4BIT, HTP_TILES_6BIT_HALVES] {
            cases.append(ProductCase(UInt32(kind), 65, 256, 512, 0, .ordinary, .ordinary, &generator))
            cases.append(ProductCase(UInt32(kind), 130, 4096, 64, 0, .ordinary, .ordinary, &generator))
            cases.append(ProductCase(UInt32(kind), 2048, 256, 1, 0, .ordinary, .ordinary, &generator))
        }
        // The head of the largest vocabulary in use.
        cases.append(
            ProductCase(UInt32(HTP_TILES_4BIT), 152_064, 64, 1, 0, .ordinary, .ordinary, &generator))
        return cases
    }()

    /// What is compared with double precision, of every kind: enough outputs for a mean.
    static let measuredShapes: [(out: Int, columns: Int, rows: Int, ActivationKind)] = [
        (64, 256, 33, .normal), (128, 1056, 9, .normal), (256, 4096, 4, .normal), (256, 14336, 2, .normal),
        (128, 2048, 8, .outlierHeavy), (256, 1001, 9, .normal),
    ]

    static func isZeroRow(_ output: Int) -> Bool { output % 3 == 0 }

    private init(
        _ kind: UInt32, _ out: Int, _ columns: Int, _ rows: Int, _ experts: Int,
        _ activationKind: ActivationKind, _ exponentKind: ExponentKind, _ generator: inout SeededGenerator,
        nearBytes: Int = 0, usesDMA: Bool = false
    ) {
        self.kind = kind
        (self.nearBytes, self.usesDMA) = (nearBytes, usesDMA)
        (self.out, self.columns, self.rows, self.experts) = (out, columns, rows, experts)
        (self.activationKind, self.exponentKind) = (activationKind, exponentKind)
        // Any bytes are tiles: only exponents decide whether a result is a number.
        let rowTileBytes = Int(htp_row_tile_bytes(kind, UInt32(columns)))
        var tiles: [UInt8] = []
        tiles.reserveCapacity(rowTileBytes * ((out + 63) / 64) * max(experts, 1))
        for _ in 0..<(out + 63) / 64 * max(experts, 1) {
            for row in 0..<64 {
                let exponent: Int32 =
                    switch exponentKind {
                    case .same: -20
                    // What the host writes for a row without a weight; scales and codes are as they may be.
                    case .zeroRows: Self.isZeroRow(tiles.count / rowTileBytes * 64 + row) ? -1024 : -20
                    case .ordinary: Int32.random(in: -24 ... -16, using: &generator)
                    case .wide: Int32.random(in: -300...300, using: &generator)
                    case .anyBits:
                        [.min, .max, 0, Int32(truncatingIfNeeded: generator.next())]
                            .randomElement(using: &generator) ?? 0
                    }
                tiles.append(littleEndian: UInt32(bitPattern: exponent))
            }
            for _ in 0..<(rowTileBytes - 256) / 8 {
                let bits = generator.next()
                for byte in 0..<8 { tiles.append(UInt8(truncatingIfNeeded: bits >> UInt64(8 * byte))) }
            }
        }
        self.tiles = tiles
        activations = (0..<rows * columns).map { index in
            let x = Float.random(in: -1...1, using: &generator)
            let pick = Int.random(in: 0..<32, using: &generator)
            switch activationKind {
            case .ordinary: return x
            case .normal, .outlierHeavy:
                // The sum of twelve is close enough.
                let sum = (0..<12).reduce(Float(0)) { sum, _ in
                    sum + Float.random(in: -1...1, using: &generator)
                }
                return activationKind == .outlierHeavy && pick < 1 && index % 2 == 0 ? sum * 100 : sum
            case .outliers: return pick == 0 ? x * 1000 : x
            // Whole blocks, and the whole second row.
            case .zeros: return index / 32 % 3 == 0 || index / columns == 1 ? (pick % 2 == 0 ? 0 : -0.0) : x
            // Each block another one, further apart than the 31 bits of a shift too.
            case .magnitudes: return Float(sign: .plus, exponent: index / 32 * 13 % 90 - 60, significand: x)
            case .huge: return x * .greatestFiniteMagnitude
            case .tiny: return x * .leastNormalMagnitude * (pick % 2 == 0 ? 1 : 4)
            case .anyBits: return Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
            case .special:
                return [x, .infinity, -.infinity, .nan, -.nan, .greatestFiniteMagnitude, 0, -0.0][pick % 8]
            }
        }
    }

    /// What `products.c` reads.
    var input: [UInt8] {
        var bytes: [UInt8] = []
        for word in [Int(kind), out, columns, rows, experts, nearBytes, usesDMA ? 1 : 0] {
            bytes.append(littleEndian: UInt32(word))
        }
        bytes += tiles
        for x in activations { bytes.append(littleEndian: x.bitPattern) }
        return bytes
    }

    /// Bytes of the quantised rows, as `activation_row_bytes` has them.
    var quantizedBytes: Int {
        let blocks = (Int(htp_tile_blocks(UInt32(columns))) + 3) / 4 * 4
        let starts = (blocks / 8 + 1) * 4
        return rows * (128 + blocks * (32 + 32) + (starts + 127) / 128 * 128)
    }

    var outputBytes: Int { quantizedBytes + rows * out * 4 }

    func results(in output: Data, at offset: Int) -> [Float] {
        output.withUnsafeBytes { bytes in
            (0..<rows * out).map {
                Float(
                    bitPattern: UInt32(
                        littleEndian: bytes.loadUnaligned(
                            fromByteOffset: offset + quantizedBytes + $0 * 4, as: UInt32.self)))
            }
        }
    }

    /// The product in double precision, of the activations as they are; without experts.
    func expected() -> [Double] {
        var results = [Double](repeating: 0, count: rows * out)
        let reader = TileWeights(kind: kind, columns: columns, tiles: tiles)
        for output in 0..<out {
            let weights = reader.row(output)
            for r in 0..<rows {
                var sum = 0.0
                for column in 0..<columns {
                    sum += weights[column] * Double(activations[r * columns + column])
                }
                results[r * out + output] = sum
            }
        }
        return results
    }
}

extension [UInt8] {
    fileprivate mutating func append<Word: FixedWidthInteger>(littleEndian word: Word) {
        Swift.withUnsafeBytes(of: word.littleEndian) { append(contentsOf: $0) }
    }
}
