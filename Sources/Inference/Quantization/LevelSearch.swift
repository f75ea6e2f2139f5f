/// The search for a scale of IQ4_NL and IQ4_XS, in eight sub-blocks of 32 at once. A weight is scale × level; it counts by
/// its square. Tried are the scales with which the weight of largest magnitude is -127 and its neighbours, from -134 to -120;
/// of each, the sums decide as in ``SymmetricSearch``.
enum LevelSearch {
    /// The scales; 0 for a sub-block without a weight that counts.
    @inline(__always)
    static func fit(_ values: UnsafePointer<Lanes>) -> Lanes {
        var extreme = Lanes.zero
        for i in 0..<32 {
            extreme.replace(with: values[i], where: values[i].magnitudes .> extreme.magnitudes)
        }
        let lowest: Float = -127
        var (sumQX, sumQ2) = sums(values, 1 / (-extreme / Lanes(repeating: lowest)))
        var scale = sumQX / sumQ2
        var best = scale * sumQX
        for number in -7...7 {
            (sumQX, sumQ2) = sums(values, Lanes(repeating: Float(number) + lowest) / extreme)
            let isBetter = (sumQ2 .> 0) .& (sumQX * sumQX .> best * sumQ2)
            let refined = sumQX / sumQ2
            scale.replace(with: refined, where: isBetter)
            best.replace(with: refined * sumQX, where: isBetter)
        }
        return scale.replacing(
            with: 0, where: extreme.magnitudes .< Lanes(repeating: SymmetricSearch.tiny))
    }

    @inline(__always)
    private static func sums(_ values: UnsafePointer<Lanes>, _ inverse: Lanes) -> (qx: Lanes, q2: Lanes) {
        var (qx, q2) = (Lanes.zero, Lanes.zero)
        for i in 0..<32 {
            let value = values[i]
            let level = level(inverse * value)
            let weighted = value * value * level
            qx += weighted * value
            q2 += weighted * level
        }
        return (qx, q2)
    }

    /// The nearest level, of two as near the upper one.
    @inline(__always)
    private static func level(_ value: Lanes) -> Lanes { climb(value, from: -127) { $0 } }

    /// The number of the nearest level.
    @inline(__always)
    static func code(_ value: Lanes) -> Lanes { climb(value, from: 0) { _ in 1 } }

    /// What is at the lowest level, and what each next one adds, made of its height above the one before: it is reached at
    /// the middle between the two.
    @inline(__always)
    private static func climb(_ value: Lanes, from lowest: Float, _ addition: (Float) -> Float) -> Lanes {
        var result = Lanes(repeating: lowest)
        result += step(value, -115.5, addition(23))
        result += step(value, -93.5, addition(21))
        result += step(value, -74.0, addition(18))
        result += step(value, -57.0, addition(16))
        result += step(value, -42.0, addition(14))
        result += step(value, -28.5, addition(13))
        result += step(value, -16.0, addition(12))
        result += step(value, -4.5, addition(11))
        result += step(value, 7.0, addition(12))
        result += step(value, 19.0, addition(12))
        result += step(value, 31.5, addition(13))
        result += step(value, 45.5, addition(15))
        result += step(value, 61.0, addition(16))
        result += step(value, 79.0, addition(20))
        result += step(value, 101.0, addition(24))
        return result
    }

    @inline(__always)
    private static func step(_ value: Lanes, _ middle: Float, _ height: Float) -> Lanes {
        Lanes.zero.replacing(with: Lanes(repeating: height), where: value .>= Lanes(repeating: middle))
    }
}
