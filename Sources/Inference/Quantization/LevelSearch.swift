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

    /// The nearest level, of two as near the upper one: -127, and what the next levels are above it for each middle between
    /// two that is reached.
    @inline(__always)
    private static func level(_ value: Lanes) -> Lanes {
        var result = Lanes(repeating: -127)
        result += step(value, -115.5, 23)
        result += step(value, -93.5, 21)
        result += step(value, -74.0, 18)
        result += step(value, -57.0, 16)
        result += step(value, -42.0, 14)
        result += step(value, -28.5, 13)
        result += step(value, -16.0, 12)
        result += step(value, -4.5, 11)
        result += step(value, 7.0, 12)
        result += step(value, 19.0, 12)
        result += step(value, 31.5, 13)
        result += step(value, 45.5, 15)
        result += step(value, 61.0, 16)
        result += step(value, 79.0, 20)
        result += step(value, 101.0, 24)
        return result
    }

    /// The number of the nearest level.
    @inline(__always)
    static func code(_ value: Lanes) -> Lanes {
        var result = Lanes.zero
        result += step(value, -115.5, 1)
        result += step(value, -93.5, 1)
        result += step(value, -74.0, 1)
        result += step(value, -57.0, 1)
        result += step(value, -42.0, 1)
        result += step(value, -28.5, 1)
        result += step(value, -16.0, 1)
        result += step(value, -4.5, 1)
        result += step(value, 7.0, 1)
        result += step(value, 19.0, 1)
        result += step(value, 31.5, 1)
        result += step(value, 45.5, 1)
        result += step(value, 61.0, 1)
        result += step(value, 79.0, 1)
        result += step(value, 101.0, 1)
        return result
    }

    @inline(__always)
    private static func step(_ value: Lanes, _ middle: Float, _ height: Float) -> Lanes {
        Lanes.zero.replacing(with: Lanes(repeating: height), where: value .>= Lanes(repeating: middle))
    }
}
