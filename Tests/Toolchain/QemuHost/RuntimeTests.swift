import Foundation
import TestSupport
import Testing

/// The functions of `HexagonRuntime`, as clang calls them, against this machine's arithmetic.
@Suite("Runtime functions for Hexagon", .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing))
struct RuntimeTests {
    private static let extremes: [UInt64] = [
        0, 1, 2, 3, 7, 10, 1000, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_ffff, 1 << 32, .max, 1 << 63,
        (1 << 63) - 1, 0x3c00, 0x03ff, 0x0001, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0x8001,
        // Floats around the ends of half precision.
        0x477f_e000, 0x477f_f000, 0x4780_0000, 0x3880_0000, 0x387f_ffff, 0x3300_0000, 0x3300_0001,
        0x32ff_ffff,
        0x3380_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x0080_0000, 0x007f_ffff, 0xbf80_0000,
        // Doubles: one, least and greatest, normal and not, infinite, none.
        0x3ff0_0000_0000_0000, 0x0010_0000_0000_0000, 0x000f_ffff_ffff_ffff, 0x7fef_ffff_ffff_ffff,
        0x7ff0_0000_0000_0000, 0xfff0_0000_0000_0000, 0x7ff8_0000_0000_0000, 0x2000_0000_0000_0000,
        0x1ff0_0000_0000_0001, 0x5fe0_0000_0000_0000, 0x3fef_ffff_ffff_ffff, 0xbff8_0000_0000_0000,
    ]

    private static let operands: [(UInt64, UInt64)] = {
        var generator = SeededGenerator(1)
        var pairs = extremes.flatMap { a in extremes.map { (a, $0) } }
        for _ in 0..<20_000 {
            // Of all lengths; and doubles whose product is near the ends.
            let (a, b) = (
                UInt64.random(in: .min ... .max, using: &generator),
                UInt64.random(in: .min ... .max, using: &generator)
            )
            pairs.append(
                (
                    a >> UInt64.random(in: 0...63, using: &generator),
                    b >> UInt64.random(in: 0...63, using: &generator)
                ))
            pairs.append((a, b))
            pairs.append((a & ~(0x400 << 52) | 0x200 << 52, b & ~(0x600 << 52)))
        }
        return pairs
    }()

    @Test(arguments: FixtureBuild.hexagon)
    func areThoseOfThisMachine(build: FixtureBuild) throws {
        let input = Self.operands.reduce(into: Data()) { data, pair in
            withUnsafeBytes(of: (pair.0.littleEndian, pair.1.littleEndian)) { data.append(contentsOf: $0) }
        }
        let output = try build.output(
            of: "../../QemuHost/Fixtures/runtime.c",
            with: ["../HexagonRuntime/division.c", "../HexagonRuntime/floats.c"], input: input)
        let size = 80
        try #require(output.count == Self.operands.count * size)
        var wrong: [String] = []
        output.withUnsafeBytes { bytes in
            for (index, (a, b)) in Self.operands.enumerated() {
                func word(_ offset: Int) -> UInt32 {
                    bytes.loadUnaligned(fromByteOffset: index * size + offset, as: UInt32.self)
                }
                func long(_ offset: Int) -> UInt64 {
                    bytes.loadUnaligned(fromByteOffset: index * size + offset, as: UInt64.self)
                }
                func expect<Value: Equatable>(_ name: String, _ found: Value, _ expected: Value) {
                    guard found != expected else { return }
                    wrong.append(
                        "\(name) of \(String(a, radix: 16)), \(String(b, radix: 16)): \(found), not \(expected)"
                    )
                }
                let (x, y) = (UInt32(truncatingIfNeeded: a), max(1, UInt32(truncatingIfNeeded: b)))
                let (sx, sy) = (Int32(bitPattern: x), Int32(bitPattern: y))
                expect("a / b", word(0), x / y)
                expect("a % b", word(4), x % y)
                expect(
                    "signed a / b", word(8),
                    UInt32(bitPattern: sx.dividedReportingOverflow(by: sy).partialValue))
                expect(
                    "signed a % b", word(12),
                    UInt32(bitPattern: sx.remainderReportingOverflow(dividingBy: sy).partialValue))
                let divisor = max(1, b)
                let (sa, sb) = (Int64(bitPattern: a), Int64(bitPattern: divisor))
                expect("long a / b", long(16), a / divisor)
                expect("long a % b", long(24), a % divisor)
                expect(
                    "signed long a / b", long(32),
                    UInt64(bitPattern: sa.dividedReportingOverflow(by: sb).partialValue))
                expect(
                    "signed long a % b", long(40),
                    UInt64(bitPattern: sa.remainderReportingOverflow(dividingBy: sb).partialValue))
                // Which not-a-number does not matter.
                let (p, q) = (Double(bitPattern: a), Double(bitPattern: b))
                func bits(_ value: Double) -> UInt64 { value.isNaN ? .max : value.bitPattern }
                func bits(_ value: Float) -> UInt32 { value.isNaN ? .max : value.bitPattern }
                expect("product", bits(Double(bitPattern: long(48))), bits(p * q))
                expect("ratio", bits(Double(bitPattern: long(56))), bits(p / q))
                expect("root", bits(Float(bitPattern: word(64))), bits(Float(bitPattern: x).squareRoot()))
                expect(
                    "from half", bits(Float(bitPattern: word(68))),
                    bits(Self.float(half: UInt16(truncatingIfNeeded: a))))
                let value = Float(bitPattern: x)
                expect(
                    "to half", value.isNaN ? .max : word(72), value.isNaN ? .max : UInt32(Self.half(value)))
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count) wrong: \(wrong.prefix(5))")
    }

    /// Half precision by its definition, for machines whose Swift has no Float16.
    private static func float(half: UInt16) -> Float {
        let (exponent, fraction) = (Int(half >> 10 & 31), Float(half & 0x3ff) / 1024)
        let magnitude =
            switch exponent {
            case 31: fraction == 0 ? Float.infinity : .nan
            case 0: Float(sign: .plus, exponent: -14, significand: 1) * fraction
            default: Float(sign: .plus, exponent: exponent - 15, significand: 1) * (1 + fraction)
            }
        return half & 0x8000 == 0 ? magnitude : -magnitude
    }

    /// The nearest half; of two, the even one. In steps of the half's last place everything is exact in double.
    private static func half(_ value: Float) -> UInt16 {
        let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
        let magnitude = Double(value.magnitude)
        guard magnitude < 65520 else { return sign | 0x7c00 }
        let exponent = max(magnitude == 0 ? -14 : Int(magnitude.exponent), -14)
        let step = Double(sign: .plus, exponent: exponent - 10, significand: 1)
        let steps = UInt16((magnitude / step).rounded(.toNearestOrEven))
        // 1024 steps are one of the next exponent.
        return sign | (UInt16(exponent + 14) << 10 + steps)
    }
}
