/// A generator with a known sequence, so that a failing test fails again.
public struct RandomNumbers: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        // xorshift64*, Vigna 2016.
        state = state == 0 ? 0x9e37_79b9_7f4a_7c15 : state
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }

    /// Floats of about normal distribution.
    public mutating func normals(_ count: Int) -> [Float] {
        (0..<count).map { _ in
            (0..<12).reduce(Float(-6)) { sum, _ in sum + Float.random(in: 0..<1, using: &self) }
        }
    }
}
