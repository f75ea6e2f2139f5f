import Glibc

/// How far a model's predictions are from those of another, the base.
///
/// Definitions and errors are those of llama.cpp's `llama-perplexity --kl-divergence`.
public struct Divergence: Sendable {
    /// The model's perplexity.
    public private(set) var perplexity = Perplexity()
    /// The base's.
    public private(set) var basePerplexity = Perplexity()
    private var sumOfProducts = 0.0
    private var differences: [Double] = []
    private var divergences: [Double] = []
    private var sameTop = 0

    /// Nothing compared yet.
    public init() {}

    /// Predictions that were compared.
    public var count: Int { divergences.count }

    mutating func add(_ row: LogitRow, _ base: LogProbabilityFile.Row, token: Int) {
        let value = -row.logProbability(token)
        let baseValue = -Double(base.logProbability(token))
        perplexity.add(negativeLogProbability: value)
        basePerplexity.add(negativeLogProbability: baseValue)
        sumOfProducts += value * baseValue
        differences.append(exp(-value) - exp(-baseValue))

        var divergence = 0.0
        var top = 0
        var highest = -Float.infinity
        for index in row.logits.indices {
            let logarithm = base.logProbability(index)
            if logarithm > highest { (highest, top) = (logarithm, index) }
            guard logarithm > -16 else { continue }
            divergence += Double(expf(logarithm)) * (Double(logarithm) - row.logProbability(index))
        }
        divergences.append(divergence)
        if top == row.top { sameTop += 1 }
    }

    /// The mean Kullback-Leibler divergence of the model's predictions from the base's.
    public var mean: Estimate { Self.mean(of: divergences) }
    /// How often both hold the same token for the most likely.
    public var sameTopShare: Estimate { Estimate(share: sameTop, of: count) }
    /// The mean difference of the probabilities of the text's tokens.
    public var meanDifference: Estimate { Self.mean(of: differences) }

    /// The root of the mean square of that difference.
    public var differenceRMS: Estimate {
        let square = Self.mean(of: differences.map { $0 * $0 })
        let root = square.value.squareRoot()
        return Estimate(value: root, error: root > 0 ? 0.5 / root * square.error : 0)
    }

    /// The logarithm of the ratio of the perplexities.
    public var logRatio: Estimate {
        let (one, base) = (perplexity.negativeLogProbability, basePerplexity.negativeLogProbability)
        let variance = one.error * one.error + base.error * base.error - 2 * covariance
        return Estimate(value: one.value - base.value, error: max(variance, 0).squareRoot())
    }

    /// The ratio of the perplexities.
    public var ratio: Estimate { logRatio.exponential }

    /// The correlation of the logarithms of the perplexities.
    public var correlation: Double {
        let product =
            perplexity.negativeLogProbability.error * basePerplexity.negativeLogProbability.error
        return product > 0 ? covariance / product : 0
    }

    /// The divergence that this share of the predictions does not exceed; between two, in proportion.
    public func divergence(atPercentile share: Double) -> Double {
        Self.percentile(divergences.sorted(), share)
    }

    /// The same of the differences of the probabilities.
    public func difference(atPercentile share: Double) -> Double {
        Self.percentile(differences.sorted(), share)
    }

    private var covariance: Double {
        guard count >= 10 else { return 0 }
        let number = Double(count)
        let means = perplexity.negativeLogProbability.value * basePerplexity.negativeLogProbability.value
        return (sumOfProducts / number - means) / (number - 1)
    }

    private static func mean(of values: [Double]) -> Estimate {
        Estimate(values.reduce(0, +), values.reduce(0) { $0 + $1 * $1 }, values.count)
    }

    private static func percentile(_ sorted: [Double], _ share: Double) -> Double {
        guard let last = sorted.last else { return 0 }
        let place = max(0, share) * Double(sorted.count - 1)
        let index = Int(place)
        guard index + 1 < sorted.count else { return last }
        return sorted[index] + (sorted[index + 1] - sorted[index]) * (place - Double(index))
    }
}
