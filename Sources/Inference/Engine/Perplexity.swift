import Glibc

/// How well a model predicts a text: `exp` of the mean negative logarithm of its tokens' probabilities.
public struct Perplexity: Sendable {
    /// Tokens that were predicted.
    public private(set) var count = 0
    private var sum = 0.0
    private var sumOfSquares = 0.0

    /// Nothing predicted yet.
    public init() {}

    mutating func add(negativeLogProbability value: Double) {
        count += 1
        sum += value
        sumOfSquares += value * value
    }

    /// The mean negative logarithm of the probabilities, and its standard error.
    public var negativeLogProbability: Estimate { Estimate(sum, sumOfSquares, count) }
    /// The perplexity, and its standard error.
    public var value: Estimate { negativeLogProbability.exponential }
}

/// A mean with its standard error.
public struct Estimate: Hashable, Sendable {
    /// The mean.
    public var value: Double
    /// Its standard error; 0 where there are too few values to tell.
    public var error: Double

    /// A value that is known with an error.
    public init(value: Double, error: Double) {
        (self.value, self.error) = (value, error)
    }

    /// Of so many values, by their sum and the sum of their squares.
    init(_ sum: Double, _ sumOfSquares: Double, _ count: Int) {
        guard count > 0 else {
            self.init(value: 0, error: 0)
            return
        }
        let mean = sum / Double(count)
        let variance = sumOfSquares / Double(count) - mean * mean
        self.init(
            value: mean, error: variance > 0 && count > 10 ? (variance / Double(count - 1)).squareRoot() : 0)
    }

    /// Of a share of `count` cases.
    init(share: Int, of count: Int) {
        let value = Double(share) / Double(max(count, 1))
        self.init(value: value, error: count > 1 ? (value * (1 - value) / Double(count - 1)).squareRoot() : 0)
    }

    /// `exp` of it.
    var exponential: Estimate { Estimate(value: exp(value), error: exp(value) * error) }
}

/// A row of logits as probabilities.
struct LogitRow {
    let logits: UnsafeBufferPointer<Float>
    /// The highest logit.
    let maximum: Float
    /// Where it is; the first of several.
    let top: Int
    /// The logarithm of the sum of exponentials, above the maximum.
    let logSum: Double

    /// Nil where a logit is not a number.
    init?(_ logits: UnsafeBufferPointer<Float>) {
        var maximum = -Float.infinity
        var top = 0
        for (index, logit) in logits.enumerated() where logit > maximum { (maximum, top) = (logit, index) }
        var sum = 0.0
        for logit in logits { sum += Double(expf(logit - maximum)) }
        guard sum.isFinite, maximum.isFinite else { return nil }
        (self.logits, self.maximum, self.top, logSum) = (logits, maximum, top, log(sum))
    }

    /// The natural logarithm of a token's probability.
    func logProbability(_ token: Int) -> Double { Double(logits[token] - maximum) - logSum }
}
