import CPUKernels
import Glibc
import Testing

@Suite("CPU kernels: functions of single elements") struct ActivationTests {
    /// Numbers large and small, zeros, and lengths that are no multiple of a vector.
    private static let values: [Float] =
        (0..<1037).map { index in
            var random = KernelRandom(seed: UInt64(index))
            return random.normal() * [0.001, 0.1, 1, 3, 30][index % 5]
        } + [0, -0.0, 100, -100, 1e-30, 7, -7, 0.2, -0.2]
    private static let others: [Float] = values.reversed()

    private func expectClose(_ found: [Float], _ expected: [Double], _ tolerance: Double = 1e-6) {
        for (index, (found, expected)) in zip(found, expected).enumerated() {
            #expect(abs(Double(found) - expected) <= tolerance * (abs(expected) + 1e-6), "\(index)")
        }
    }

    private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    @Test(arguments: kernelLevels) func gelu(_ level: KernelLevel) {
        var result = Self.values
        level.activations.gelu_mul(&result, Self.values, Self.others, result.count)
        expectClose(
            result,
            zip(Self.values, Self.others).map { gate, up in
                let x = Double(gate)
                // Not 0.5 · (1 + tanh), which is 0 where the sum cancels.
                return x * sigmoid(2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)) * Double(up)
            }, 3e-5)
    }

    @Test(arguments: kernelLevels) func squaredReLU(_ level: KernelLevel) {
        var result = Self.values
        level.activations.relu_squared_mul(&result, Self.values, Self.others, result.count)
        expectClose(
            result,
            zip(Self.values, Self.others).map { gate, up in
                let x = max(Double(gate), 0)
                return x * x * Double(up)
            })
    }

    @Test(arguments: kernelLevels, [(Float(1.702), Float(7)), (1, 0.5)])
    func clampedSwiGLU(_ level: KernelLevel, _ parameters: (Float, Float)) {
        let (alpha, limit) = parameters
        var result = Self.values
        level.activations.swiglu_clamped(&result, Self.values, Self.others, result.count, alpha, limit)
        expectClose(
            result,
            zip(Self.values, Self.others).map { gate, up in
                let x = min(Double(gate), Double(limit))
                let u = max(min(Double(up), Double(limit)), -Double(limit))
                return x * sigmoid(Double(alpha) * x) * (u + 1)
            }, 3e-5)
    }

    @Test(arguments: kernelLevels, [(Float(1), Float(30)), (0.25, 5), (2, 0), (-1, 0.1)])
    func scalesAndCaps(_ level: KernelLevel, _ parameters: (Float, Float)) {
        let (factor, cap) = parameters
        var result = Self.values
        level.activations.scale(&result, result.count, factor, cap)
        expectClose(
            result,
            Self.values.map { value in
                let x = Double(value) * Double(factor)
                return cap == 0 ? x : Double(cap) * tanh(x / Double(cap))
            }, 2e-6)
    }

    /// Both pairings, with an odd number of pairs, elements behind them, and heads that are not turned.
    @Test(arguments: kernelLevels, [(3, 64, 32), (2, 81, 37), (1, 7, 3), (5, 128, 16)])
    func rotates(_ level: KernelLevel, _ shape: (heads: Int, size: Int, pairs: Int)) {
        let values = Array(Self.values.prefix(shape.heads * shape.size + 5))
        let turns = (0..<shape.pairs).flatMap { pair in
            [Float(cos(Double(pair) * 1.7)), Float(sin(Double(pair) * 1.7))]
        }
        for isHalves in [true, false] {
            var result = values
            let rotate = isHalves ? level.activations.rotate_halves : level.activations.rotate_neighbours
            rotate?(&result, shape.heads, shape.size, turns, shape.pairs)
            var expected = values.map(Double.init)
            for head in 0..<shape.heads {
                for pair in 0..<shape.pairs {
                    let first = head * shape.size + (isHalves ? pair : 2 * pair)
                    let second = first + (isHalves ? shape.pairs : 1)
                    let (x, y) = (Double(values[first]), Double(values[second]))
                    let (cosine, sine) = (Double(turns[2 * pair]), Double(turns[2 * pair + 1]))
                    (expected[first], expected[second]) = (x * cosine - y * sine, x * sine + y * cosine)
                }
            }
            for (index, (found, expected)) in zip(result, expected).enumerated() {
                #expect(abs(Double(found) - expected) <= 2e-5, "\(index)")
            }
            // What is no pair stays as it was.
            #expect(result.suffix(5) == values.suffix(5))
        }
    }

    @Test(arguments: kernelLevels, [1, 63, 64, 65, 128, 1000, 5003])
    func largestOfBlocks(_ level: KernelLevel, _ count: Int) {
        var random = KernelRandom(seed: UInt64(count))
        var values = (0..<count).map { _ in random.normal() }
        for index in stride(from: 0, to: count, by: 7) { values[index] = [.nan, -.infinity][index % 2] }
        if count > 200 { for index in 64..<128 { values[index] = .nan } }
        let blocks = (count + 63) / 64
        var found = [Float](repeating: 7, count: blocks + 1)
        level.activations.largest(values, count, &found)
        let expected = (0..<blocks).map { block in
            values[block * 64..<min(block * 64 + 64, count)].reduce(-Float.infinity) { $1 > $0 ? $1 : $0 }
        }
        #expect(found == expected + [7])
    }

    @Test(arguments: kernelLevels, [1, 15, 100, 4096, 10001])
    func sumOfExponentials(_ level: KernelLevel, _ count: Int) {
        var random = KernelRandom(seed: UInt64(count))
        var values = (0..<count).map { _ in random.normal() * 5 }
        for index in stride(from: 3, to: count, by: 11) {
            values[index] = [.nan, -.infinity, -200][index % 3]
        }
        let best = values.filter { !$0.isNaN }.max() ?? 0
        let expected = values.filter { !$0.isNaN }.reduce(0.0) { $0 + exp(Double($1) - Double(best)) }
        let found = level.activations.sum_of_exponentials(values, count, best)
        #expect(abs(found - expected) <= 1e-6 * expected)
    }
}
