/// Eight numbers at once. Searches put one sub-block into each lane: then the sums of a sub-block are made in the order
/// of its weights, as sums of single-precision numbers depend on it, and eight of them at the same time.
typealias Lanes = SIMD8<Float>
private typealias Words = SIMD8<UInt32>

/// 1.5 × 2^23: what is added to a number of magnitude up to 2^22 is rounded to a whole one, ties to even.
private let rounder: Float = 0x1.8p23

extension SIMD8<Float> {
    typealias Mask = SIMDMask<SIMD8<Int32>>

    /// The nearest whole number, ties to even. From 2^22 on, it is what the low 23 bits of the sum say, as in llama.cpp.
    @inline(__always)
    var nearest: Self {
        let bits = unsafeBitCast(self + Self(repeating: rounder), to: Words.self)
        let number = bits & Words(repeating: 0x7f_ffff) | Words(repeating: 0x4b00_0000)
        return unsafeBitCast(number, to: Self.self) - Self(repeating: rounder)
    }

    /// Within bounds; a NaN becomes the lower one.
    @inline(__always)
    func clamped(_ lower: Float, _ upper: Float) -> Self {
        let raised = Self(repeating: lower).replacing(with: self, where: self .> Self(repeating: lower))
        return raised.replacing(with: Self(repeating: upper), where: raised .> Self(repeating: upper))
    }

    /// The largest whole number that is not above; for magnitudes up to 2^22.
    @inline(__always)
    var floor: Self {
        let nearest = (self + Self(repeating: rounder)) - Self(repeating: rounder)
        return nearest - Self.zero.replacing(with: Self(repeating: 1), where: nearest .> self)
    }

    /// The nearest whole number, ties away from zero; for magnitudes up to 2^22.
    @inline(__always)
    var nearestOrAway: Self {
        let even = (self + Self(repeating: rounder)) - Self(repeating: rounder)
        let rest = self - even
        let up = Self.zero.replacing(
            with: Self(repeating: 1), where: (rest .== Self(repeating: 0.5)) .& (self .> .zero))
        let down = Self.zero.replacing(
            with: Self(repeating: 1), where: (rest .== Self(repeating: -0.5)) .& (self .< .zero))
        return even + up - down
    }

    @inline(__always)
    var magnitudes: Self {
        unsafeBitCast(
            unsafeBitCast(self, to: Words.self) & Words(repeating: 0x7fff_ffff), to: Self.self)
    }

    /// The lowest bytes of whole numbers of magnitude up to 2^22, in two's complement.
    @inline(__always)
    var bytes: SIMD8<UInt8> {
        SIMD8<UInt8>(
            truncatingIfNeeded: unsafeBitCast(self + Self(repeating: rounder), to: Words.self))
    }

    /// Eight numbers of memory that is aligned to numbers.
    @inline(__always)
    init(at address: UnsafePointer<Float>) {
        self = UnsafeRawPointer(address).loadUnaligned(as: Self.self)
    }

    /// The largest number, and 0 where there is none above it; NaNs do not count.
    @inline(__always)
    var largest: Float {
        var result: Float = 0
        for lane in 0..<8 where self[lane] > result { result = self[lane] }
        return result
    }
}

/// The nearest whole number as in ``Lanes``, of one number.
@inline(__always)
func nearestInteger(_ number: Float) -> Int32 {
    Int32(bitPattern: (number + rounder).bitPattern & 0x7f_ffff) - 0x40_0000
}

/// The number of largest magnitude, the first of several; 0 where none is above 0.
@inline(__always)
func extreme(_ values: UnsafePointer<Float>, count: Int) -> Float {
    var best = Lanes.zero
    for i in stride(from: 0, to: count, by: 8) {
        let next = Lanes(at: values + i)
        best.replace(with: next, where: next.magnitudes .> best.magnitudes)
    }
    let magnitude = best.magnitudes.largest
    guard magnitude > 0 else { return 0 }
    let isPositive = any(best .== Lanes(repeating: magnitude))
    let isNegative = any(best .== Lanes(repeating: -magnitude))
    guard isPositive, isNegative else { return isNegative ? -magnitude : magnitude }
    for i in 0..<count where values[i].magnitude == magnitude { return values[i] }
    return magnitude
}

/// The smallest and the largest of some numbers; NaNs do not count.
@inline(__always)
func bounds(_ values: UnsafePointer<Float>, count: Int) -> (smallest: Float, largest: Float) {
    var low = Lanes(repeating: .greatestFiniteMagnitude), high = -low
    for i in stride(from: 0, to: count, by: 8) {
        let next = Lanes(at: values + i)
        low.replace(with: next, where: next .< low)
        high.replace(with: next, where: next .> high)
    }
    var (smallest, largest) = (low[0], high[0])
    for lane in 1..<8 {
        if low[lane] < smallest { smallest = low[lane] }
        if high[lane] > largest { largest = high[lane] }
    }
    return (smallest, largest)
}
