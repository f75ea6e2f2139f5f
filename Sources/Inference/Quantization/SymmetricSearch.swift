/// The searches for a scale of Q6_K and Q3_K, in eight sub-blocks of 16 at once. A weight is scale × code with codes
/// from -top to top - 1; a weight counts by its square. For given codes the best scale is sum(w·x·code) / sum(w·code²), and
/// the larger the square of the first sum by the second, the less is the error.
struct SymmetricSearch {
    /// The lowest code is -top.
    let top: Float

    struct Fit {
        var scale: Lanes
        /// Sub-blocks without a weight that counts; their scale is 0.
        var isZero: Lanes.Mask
    }

    /// Least magnitude of a weight that counts.
    static let tiny: Float = 1e-15

    /// Tries 19 scales around the one that gives the largest magnitude the code -top.
    ///
    /// - Returns: also what weights are multiplied with for the codes of the search.
    @inline(__always)
    func fit(_ room: SuperBlock) -> (fit: Fit, inverse: Lanes) {
        let (extreme, isZero) = extremes(room)
        var inverse = Lanes(repeating: -top) / extreme
        var (sumLX, sumL2) = sums(room, inverse)
        var scale = (sumLX / sumL2).replacing(with: 0, where: sumL2 .== 0)
        var best = scale * sumLX
        for number in -9...9 where number != 0 {
            let candidate = Lanes(repeating: -(top + 0.1 * Float(number))) / extreme
            (sumLX, sumL2) = sums(room, candidate)
            let isBetter = (sumL2 .> 0) .& (sumLX * sumLX .> best * sumL2)
            let refined = sumLX / sumL2
            inverse.replace(with: candidate, where: isBetter)
            scale.replace(with: refined, where: isBetter)
            best.replace(with: refined * sumLX, where: isBetter)
        }
        return (Fit(scale: scale.replacing(with: 0, where: isZero), isZero: isZero), inverse)
    }

    /// Begins with the scale that gives the largest magnitude the code -top, and then moves one code after the other, in up
    /// to five rounds, to where it is the best for the scale of all others. Leaves the codes in the room.
    @inline(__always)
    func refinedFit(_ room: SuperBlock) -> Fit {
        let (x, codes) = (room.values, room.laneCodes)
        let (extreme, isZero) = extremes(room)
        let inverse = Lanes(repeating: -top) / extreme
        var (sumLX, sumL2) = (Lanes.zero, Lanes.zero)
        for i in 0..<16 {
            let code = code(x[i], inverse)
            codes[i] = code
            let weight = x[i] * x[i]
            sumLX += weight * x[i] * code
            sumL2 += weight * code * code
        }
        for _ in 0..<5 {
            var hasChanged = false
            for i in 0..<16 {
                let weight = x[i] * x[i]
                let code = codes[i]
                var othersLX = sumLX - weight * x[i] * code
                var othersL2 = sumL2 - weight * code * code
                var isBetter = (othersLX .> 0) .& .!isZero
                let moved = (x[i] * othersL2 / othersLX).nearest.clamped(-top, top - 1)
                isBetter = isBetter .& (moved .!= code)
                guard any(isBetter) else { continue }
                othersLX += weight * x[i] * moved
                othersL2 += weight * moved * moved
                isBetter = isBetter .& (othersL2 .> 0)
                isBetter = isBetter .& (othersLX * othersLX * sumL2 .> sumLX * sumLX * othersL2)
                guard any(isBetter) else { continue }
                hasChanged = true
                codes[i].replace(with: moved, where: isBetter)
                sumLX.replace(with: othersLX, where: isBetter)
                sumL2.replace(with: othersL2, where: isBetter)
            }
            guard hasChanged else { break }
        }
        let scale = Lanes.zero.replacing(with: sumLX / sumL2, where: sumL2 .> 0)
        return Fit(scale: scale.replacing(with: 0, where: isZero), isZero: isZero)
    }

    @inline(__always)
    func code(_ value: Lanes, _ inverse: Lanes) -> Lanes {
        (inverse * value).nearest.clamped(-top, top - 1)
    }

    @inline(__always)
    private func sums(_ room: SuperBlock, _ inverse: Lanes) -> (lx: Lanes, l2: Lanes) {
        var (lx, l2) = (Lanes.zero, Lanes.zero)
        for i in 0..<16 {
            let value = room.values[i]
            let code = code(value, inverse)
            let weight = value * value
            lx += weight * value * code
            l2 += weight * code * code
        }
        return (lx, l2)
    }

    /// The weight of largest magnitude in each sub-block, the first of several.
    @inline(__always)
    private func extremes(_ room: SuperBlock) -> (Lanes, isZero: Lanes.Mask) {
        var extreme = Lanes.zero
        for i in 0..<16 {
            let value = room.values[i]
            extreme.replace(with: value, where: value.magnitudes .> extreme.magnitudes)
        }
        return (extreme, extreme.magnitudes .< Lanes(repeating: Self.tiny))
    }
}
