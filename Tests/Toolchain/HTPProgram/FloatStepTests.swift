import Foundation
import TestSupport
import Testing

/// Integer sums become floats with integer instructions.
@Suite("Float step of products", .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing))
struct FloatStepTests {
    static let vectors = StepVector.all
    static let input = Data(vectors.flatMap(\.input))
    static let processor = Result {
        try FixtureBuild.hexagon[0].output(of: "float_step.c", input: input)
    }

    @Test("the float step has the same bits under qemu", arguments: FixtureBuild.host)
    func host(build: FixtureBuild) throws {
        #expect(try build.output(of: "float_step.c", input: Self.input) == Self.processor.get())
    }

    /// Doubles hold every sum and, scaled, every product that a float holds.
    @Test("a sum becomes the nearest float")
    func nearest() throws {
        let output = try Self.processor.get()
        try #require(output.count == Self.vectors.count * 128)
        var zeros = 0
        var infinities = 0
        for (index, vector) in Self.vectors.enumerated() {
            for lane in 0..<32 {
                let ours = output.withUnsafeBytes {
                    Float(
                        bitPattern: $0.loadUnaligned(fromByteOffset: index * 128 + lane * 4, as: UInt32.self))
                }
                let exponent = Int64(vector.rowExponents[lane]) + Int64(vector.exponent)
                let sum = vector.sums[lane]
                let exact = Double(
                    sign: .plus, exponent: Int(max(-600, min(600, exponent))), significand: Double(sum))
                let magnitude = exact.magnitude
                if ours.magnitude == .infinity {
                    infinities += 1
                    let least = Double(Float.greatestFiniteMagnitude) * (1 + 0x1p-25)
                    #expect(magnitude >= least, "\(sum) · 2^\(exponent)")
                } else if ours == 0 {
                    zeros += sum == 0 ? 0 : 1
                    #expect(magnitude < Double(Float.leastNormalMagnitude), "\(sum) · 2^\(exponent)")
                } else {
                    let error = (Double(ours) - exact).magnitude
                    #expect(
                        ours.isNormal && error <= magnitude * 0x1p-24, "\(sum) · 2^\(exponent): \(ours)")
                }
            }
        }
        #expect(zeros > 100 && infinities > 100)
    }
}

/// A vector of sums with the exponents of its lanes.
struct StepVector {
    let sums, rowExponents: [Int32]
    let exponent: Int32

    /// Every number of significant bits, both sides of every rounding, and exponents around the ends of the range.
    static let all: [StepVector] = {
        var generator = SeededGenerator(11)
        return (0..<2000).map { number in
            let sums = (0..<32).map { lane -> Int32 in
                let bits =
                    Int32.random(in: 0...Int32.max, using: &generator)
                    >> Int32.random(in: 0..<31, using: &generator)
                let magnitude: Int32 =
                    switch Int.random(in: 0..<8, using: &generator) {
                    case 0: 0
                    case 1: Int32.max - bits % 200
                    case 2: Int32(1) << Int32(lane % 31)
                    // Just below, on and just above the middle of two floats.
                    case 3: (0x80_0000 + bits % 0x80_0000) << 7 | (63 + bits % 3)
                    default: bits
                    }
                return Bool.random(using: &generator) ? magnitude : -magnitude
            }
            let rowExponents = (0..<32).map { _ -> Int32 in
                switch number % 4 {
                case 0: .random(in: -40...40, using: &generator)
                case 1: [.min, .max, .min + 1, 1 << 20].randomElement(using: &generator) ?? 0
                case 2: .random(in: -190...140, using: &generator)
                default: .random(in: .min ... .max, using: &generator)
                }
            }
            return StepVector(
                sums: sums, rowExponents: rowExponents, exponent: .random(in: -180...160, using: &generator))
        }
    }()

    var input: [UInt8] {
        let words = sums + rowExponents + [exponent] + [Int32](repeating: 0, count: 31)
        return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> Int32(8 * $0)) } }
    }
}
