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

    @Test func gelu() {
        var result = Self.values
        cpu_gelu_mul(&result, Self.values, Self.others, result.count)
        expectClose(
            result,
            zip(Self.values, Self.others).map { gate, up in
                let x = Double(gate)
                // Not 0.5 · (1 + tanh), which is 0 where the sum cancels.
                return x * sigmoid(2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)) * Double(up)
            }, 3e-5)
    }

    @Test func squaredReLU() {
        var result = Self.values
        cpu_relu_squared_mul(&result, Self.values, Self.others, result.count)
        expectClose(
            result,
            zip(Self.values, Self.others).map { gate, up in
                let x = max(Double(gate), 0)
                return x * x * Double(up)
            })
    }

    @Test(arguments: [(Float(1.702), Float(7)), (1, 0.5)])
    func clampedSwiGLU(_ alpha: Float, _ limit: Float) {
        var result = Self.values
        cpu_swiglu_clamped(&result, Self.values, Self.others, result.count, alpha, limit)
        expectClose(
            result,
            zip(Self.values, Self.others).map { gate, up in
                let x = min(Double(gate), Double(limit))
                let u = max(min(Double(up), Double(limit)), -Double(limit))
                return x * sigmoid(Double(alpha) * x) * (u + 1)
            }, 3e-5)
    }

    @Test(arguments: [(Float(1), Float(30)), (0.25, 5), (2, 0), (-1, 0.1)])
    func scalesAndCaps(_ factor: Float, _ cap: Float) {
        var result = Self.values
        cpu_scale(&result, result.count, factor, cap)
        expectClose(
            result,
            Self.values.map { value in
                let x = Double(value) * Double(factor)
                return cap == 0 ? x : Double(cap) * tanh(x / Double(cap))
            }, 2e-6)
    }
}
