import CPUKernels
import Glibc
import Runtime

/// Chooses tokens: repeat penalty, top-k, top-p, min-p, temperature, in llama.cpp's order.
public struct Sampler: Sendable {
    /// What it chooses by.
    public let parameters: SamplingParameters
    private var random: SplitMix64
    /// Room for logits with the penalty.
    private var penalizedLogits: [Float] = []

    /// A sampler at the start of its random sequence.
    public init(_ parameters: SamplingParameters) {
        self.parameters = parameters
        random = SplitMix64(state: parameters.seed)
    }

    /// Chooses a token.
    ///
    /// - Parameters:
    ///   - logits: one for each token of the vocabulary.
    ///   - history: the tokens so far, for the repeat penalty.
    /// - Returns: `nil` where no logit is a number.
    public mutating func sample(
        _ logits: UnsafeBufferPointer<Float>, history: some BidirectionalCollection<Int32>
    ) -> Int32? {
        let penalized = penalized(history)
        guard !penalized.isEmpty else { return sample(logits) }
        penalizedLogits.removeAll(keepingCapacity: true)
        penalizedLogits.append(contentsOf: logits)
        for token in penalized.lazy.map(Int.init) where penalizedLogits.indices.contains(token) {
            penalizedLogits[token] = lessLikely(penalizedLogits[token])
        }
        let own = penalizedLogits
        penalizedLogits = []
        defer { penalizedLogits = own }
        return own.withUnsafeBufferPointer { sample($0) }
    }

    private mutating func sample(_ logits: UnsafeBufferPointer<Float>) -> Int32? {
        let likely = LikelyTokens(of: logits)
        guard likely.best > -.infinity else { return nil }
        if limit == 1 { return likely.first }
        if limit > 0 { return choose(among: likely.first(limit)) }
        // Of several that are infinitely likely the first.
        if likely.best == .infinity { return choose(among: likely.first(1)) }
        // What may stay after top-p and min-p; they decide it themselves.
        let sum = parameters.topP < 1 ? likely.sum : 0
        let candidates = likely.candidates(
            ofMass: parameters.topP < 1 ? Double(parameters.topP) * sum : .infinity, minP: parameters.minP)
        return choose(among: candidates, sum: Float(sum))
    }

    /// How many of the most likely tokens sampling needs to choose as if it had all logits; nil
    /// where it needs these.
    package func candidatesNeeded(history: some BidirectionalCollection<Int32>) -> Int? {
        // A penalty below 1 lifts tokens from anywhere.
        guard limit > 0, parameters.repeatPenalty >= 1 else { return nil }
        return limit + penalized(history).count
    }

    /// Chooses among the most likely tokens.
    ///
    /// - Parameter candidates: at least ``candidatesNeeded(history:)``.
    /// - Returns: `nil` where a logit is not a number.
    package mutating func sample(
        _ candidates: [Candidate], history: some BidirectionalCollection<Int32>
    ) -> Int32? {
        guard candidates.allSatisfy({ !$0.logit.isNaN }) else { return nil }
        let penalized = penalized(history)
        var candidates = candidates
        for index in candidates.indices where penalized.contains(candidates[index].token) {
            candidates[index].logit = lessLikely(candidates[index].logit)
        }
        candidates.sort { $0.isLikelier(than: $1) }
        return choose(among: Array(candidates.prefix(limit)))
    }

    /// Tokens that are considered at most; 0 for all.
    private var limit: Int { parameters.temperature > 0 ? parameters.topK : 1 }

    /// Chooses among tokens, the most likely first.
    ///
    /// - Parameter sum: of all tokens' probabilities relative to the best one's; nil where these are all.
    private mutating func choose(among candidates: [Candidate], sum total: Float? = nil) -> Int32? {
        var candidates = candidates
        guard parameters.temperature > 0, let best = candidates.first?.logit else {
            return candidates.first?.token
        }
        let weights = candidates.map { exp($0.logit - best) }
        // Without a limit no rounding of the sum may cut the tail, which a high temperature makes likely.
        let enough = parameters.topP < 1 ? parameters.topP * (total ?? weights.reduce(0, +)) : .infinity
        var kept = 0
        var sum: Float = 0
        // At least one token stays, whatever the limits.
        while kept < candidates.count, kept == 0 || (sum < enough && weights[kept] >= parameters.minP) {
            sum += weights[kept]
            kept += 1
        }
        candidates.removeLast(candidates.count - kept)
        let chances = candidates.map { exp(($0.logit - best) / parameters.temperature) }
        var point = Float(random.nextUnit()) * chances.reduce(0, +)
        for (candidate, chance) in zip(candidates, chances) {
            point -= chance
            if point < 0 { return candidate.token }
        }
        return candidates.last?.token
    }

    /// The tokens that the repeat penalty makes less likely.
    private func penalized(_ history: some BidirectionalCollection<Int32>) -> Set<Int32> {
        guard parameters.repeatPenalty != 1 else { return [] }
        return Set(history.suffix(parameters.repeatLastN < 0 ? .max : parameters.repeatLastN))
    }

    /// A logit with the repeat penalty.
    private func lessLikely(_ logit: Float) -> Float {
        logit > 0 ? logit / parameters.repeatPenalty : logit * parameters.repeatPenalty
    }
}

/// A small generator with a known sequence: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014.
package struct SplitMix64: Sendable {
    private var state: UInt64

    package init(state: UInt64) { self.state = state }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// A number in 0 ..< 1.
    package mutating func nextUnit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }
}
