import Foundation
import TestSupport
import Testing

/// Quantisation and matrix product, the same sources as Hexagon machine code and on this machine.
@Suite("Matrix products on Hexagon", .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing))
struct MatrixProductTests {
    static let files = ["activations.c", "matmul.c"]
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

    @Test("the product under qemu is the product")
    func arithmetic() throws {
        let output = try Self.processor.get()
        var offset = 0
        for product in Self.cases {
            let results = product.results(in: output, at: offset)
            offset += product.outputBytes
            guard product.activationKind == .ordinary, product.exponentKind == .ordinary else { continue }
            let expected = product.expected()
            var error = 0.0
            var power = 0.0
            for (ours, exact) in zip(results, expected) {
                error += (Double(ours) - exact) * (Double(ours) - exact)
                power += exact * exact
            }
            // Codes of eight bits: a step of about two deviations / 127, squared, over 12.
            #expect(power > 0 && error / power < 1e-4, "\(product): \(error / power)")
        }
        #expect(offset == output.count)
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
        case ordinary, outliers, zeros, magnitudes, huge, tiny, anyBits, special
    }
    enum ExponentKind: CaseIterable { case ordinary, wide, anyBits }

    let bits, out, columns, rows: Int
    let activationKind: ActivationKind
    let exponentKind: ExponentKind
    let exponents: [Int32]  // 32 for each row tile
    let scales: [Int16]  // 64 for each pair of blocks of each row tile
    let codes: [UInt8]
    let activations: [Float]

    var description: String {
        "\(bits) bits, \(out) × \(columns), \(rows) rows, \(activationKind) activations, \(exponentKind) exponents"
    }

    var tiles: Int { (out + 31) / 32 }
    var pairs: Int { (columns / 32 + 1) / 2 }
    var tileBytes: Int { bits * 128 }

    /// Shapes with whole and broken row tiles, even and odd numbers of blocks, and all row counts that the
    /// kernel treats differently; then every kind of number.
    static let all: [ProductCase] = {
        let shapes = [
            (32, 32, 1), (33, 96, 2), (100, 64, 3), (1, 160, 4), (64, 1056, 5), (70, 2080, 6), (31, 4096, 1),
        ]
        var generator = SeededGenerator(7)
        var cases: [ProductCase] = []
        for bits in [4, 8] {
            for (out, columns, rows) in shapes {
                cases.append(ProductCase(bits, out, columns, rows, .ordinary, .ordinary, &generator))
            }
            for activations in ActivationKind.allCases {
                for exponents in ExponentKind.allCases {
                    cases.append(ProductCase(bits, 40, 224, 6, activations, exponents, &generator))
                }
            }
        }
        return cases
    }()

    private init(
        _ bits: Int, _ out: Int, _ columns: Int, _ rows: Int, _ activationKind: ActivationKind,
        _ exponentKind: ExponentKind, _ generator: inout SeededGenerator
    ) {
        (self.bits, self.out, self.columns, self.rows) = (bits, out, columns, rows)
        (self.activationKind, self.exponentKind) = (activationKind, exponentKind)
        let tiles = (out + 31) / 32
        let pairs = (columns / 32 + 1) / 2
        exponents = (0..<tiles * 32).map { _ in
            switch exponentKind {
            case .ordinary: Int32.random(in: -24 ... -16, using: &generator)
            case .wide: Int32.random(in: -300...300, using: &generator)
            case .anyBits:
                [.min, .max, 0, Int32(truncatingIfNeeded: generator.next())]
                    .randomElement(using: &generator) ?? 0
            }
        }
        scales = (0..<tiles * pairs * 64).map { _ in
            [.min, .max, 0, Int16(truncatingIfNeeded: generator.next())][
                Int.random(in: 0...20, using: &generator) % 4 | (exponentKind == .ordinary ? 3 : 0)]
        }
        codes = (0..<tiles * pairs * 2 * bits * 128).map { _ in UInt8.random(in: 0...255, using: &generator) }
        activations = (0..<rows * columns).map { index in
            let x = Float.random(in: -1...1, using: &generator)
            let pick = Int.random(in: 0..<32, using: &generator)
            switch activationKind {
            case .ordinary: return x
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
        for word in [bits, out, columns, rows] { bytes.append(littleEndian: UInt32(word)) }
        for tile in 0..<tiles {
            for e in exponents[tile * 32..<tile * 32 + 32] {
                bytes.append(littleEndian: UInt32(bitPattern: e))
            }
            for pair in tile * pairs..<(tile + 1) * pairs {
                for s in scales[pair * 64..<pair * 64 + 64] {
                    bytes.append(littleEndian: UInt16(bitPattern: s))
                }
                bytes += codes[pair * 2 * tileBytes..<(pair + 1) * 2 * tileBytes]
            }
        }
        for x in activations { bytes.append(littleEndian: x.bitPattern) }
        return bytes
    }

    /// Bytes of the quantised rows, as `activation_row_bytes` has them.
    var quantizedBytes: Int {
        let blocks = (columns / 32 + 3) / 4 * 4
        func rounded(_ bytes: Int) -> Int { (bytes + 127) / 128 * 128 }
        return rows * (128 + blocks * 32 + rounded(blocks * 2) + rounded(blocks) + rounded(blocks * 4))
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

    /// The product in double precision, of the activations as they are.
    func expected() -> [Double] {
        var results = [Double](repeating: 0, count: rows * out)
        for output in 0..<out {
            let (tile, row) = (output / 32, output % 32)
            let weights = (0..<columns).map { column -> Double in
                let (block, group, b) = (column / 32, column % 32 / 4, column % 4)
                let scale = scales[(tile * pairs + block / 2) * 64 + row * 2 + block % 2]
                let start = ((tile * pairs + block / 2) * 2 + block % 2) * tileBytes
                var code: Int
                if bits == 4 {
                    let byte = codes[start + group / 2 * 128 + row * 4 + b]
                    code = Int(group % 2 == 0 ? byte & 15 : byte >> 4) * 16
                } else {
                    code = Int(codes[start + group * 128 + row * 4 + b])
                }
                code -= 128
                return Double(scale) * Double(code) * pow(2, Double(exponents[output]))
            }
            for r in 0..<rows {
                results[r * out + output] = zip(weights, activations[r * columns..<(r + 1) * columns])
                    .reduce(0) { $0 + $1.0 * Double($1.1) }
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
