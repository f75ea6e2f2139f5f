/// The search for scale and minimum of Q2_K, Q4_K and Q5_K, in eight sub-blocks at once.
///
/// A weight is scale × code + minimum with a minimum that is not above 0. The first try spreads the codes from the least
/// weight to the largest. Each further one stretches that by a little, takes the codes which that gives, and computes the
/// scale and the minimum that fit them best: the solution of the weighted least squares' normal equations. The try with
/// the least error stays; the following ones begin from its minimum.
struct AffineSearch {
    /// The highest code.
    let top: Float
    /// What is added to the highest code in the first try, and how much more in each further one.
    let (start, step): (Float, Float)
    let tries: Int
    /// Whether errors count by their magnitude or by their square.
    let usesMagnitude: Bool

    struct Fit {
        /// 0 where all weights are equal, and not above 0.
        var scale: Lanes
        /// What is taken away from scale × code.
        var minimum: Lanes
        /// Code = nearest(inverse × (weight - offset)): the codes that were the best.
        fileprivate var (inverse, offset): (Lanes, Lanes)
        fileprivate var isConstant: Lanes.Mask

        /// Writes the codes that are nearest with steps and minima as they are stored; those of the search where a step is 0.
        @inline(__always)
        func storeCodes(
            _ room: SuperBlock, length: Int, first: Int, top: Float, _ steps: Lanes, _ minima: Lanes
        ) {
            let isZero = steps .== 0
            for i in 0..<length {
                let value = room.values[i]
                var code = ((value + minima) / steps).nearest.clamped(0, top)
                if any(isZero) {
                    let found = (inverse * (value - offset)).nearest.clamped(0, top)
                    code.replace(with: found.replacing(with: 0, where: isConstant), where: isZero)
                }
                room.laneCodes[i] = code
            }
            room.storeCodes(length: length, first: first)
        }
    }

    /// - Parameters:
    ///   - room: values and importance are read, codes written over.
    ///   - length: weights in a sub-block.
    @inline(__always)
    func fit(_ room: SuperBlock, length: Int) -> Fit {
        let (x, w, codes) = (room.values, room.importance, room.laneCodes)
        var (low, high) = (x[0], x[0])
        var sumW = w[0]
        var sumX = w[0] * x[0]
        for i in 1..<length {
            low.replace(with: x[i], where: x[i] .< low)
            high.replace(with: x[i], where: x[i] .> high)
            sumW += w[i]
            sumX += w[i] * x[i]
        }
        low.replace(with: 0, where: low .> 0)
        var fit = Fit(
            scale: .zero, minimum: low, inverse: Lanes(repeating: top) / (high - low), offset: low,
            isConstant: high .== low)
        fit.scale = 1 / fit.inverse
        for i in 0..<length { codes[i] = (fit.inverse * (x[i] - low)).nearest.clamped(0, top) }
        var least = error(room, length, scale: fit.scale, minimum: low)
        for number in 0...tries {
            let inverse = Lanes(repeating: start + step * Float(number) + top) / (high - fit.minimum)
            var (sumL, sumL2, sumXL) = (Lanes.zero, Lanes.zero, Lanes.zero)
            for i in 0..<length {
                let code = (inverse * (x[i] - fit.minimum)).nearest.clamped(0, top)
                codes[i] = code
                let weighted = w[i] * code
                sumL += weighted
                sumL2 += weighted * code
                sumXL += weighted * x[i]
            }
            let determinant = sumW * sumL2 - sumL * sumL
            var scale = (sumW * sumXL - sumX * sumL) / determinant
            var minimum = (sumL2 * sumX - sumL * sumXL) / determinant
            let isPositive = minimum .> 0
            minimum.replace(with: 0, where: isPositive)
            scale.replace(with: sumXL / sumL2, where: isPositive)
            let error = error(room, length, scale: scale, minimum: minimum)
            let isBetter = (determinant .> 0) .& (error .< least)
            least.replace(with: error, where: isBetter)
            fit.inverse.replace(with: inverse, where: isBetter)
            fit.offset.replace(with: fit.minimum, where: isBetter)
            fit.scale.replace(with: scale, where: isBetter)
            fit.minimum.replace(with: minimum, where: isBetter)
        }
        fit.scale.replace(with: 0, where: fit.isConstant)
        fit.minimum = -fit.minimum.replacing(with: low, where: fit.isConstant)
        return fit
    }

    /// What the codes in the room are off by.
    @inline(__always)
    private func error(_ room: SuperBlock, _ length: Int, scale: Lanes, minimum: Lanes) -> Lanes {
        var sum = Lanes.zero
        for i in 0..<length {
            let difference = scale * room.laneCodes[i] + minimum - room.values[i]
            sum += room.importance[i] * (usesMagnitude ? difference.magnitudes : difference * difference)
        }
        return sum
    }
}
