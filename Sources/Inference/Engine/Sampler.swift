import Glibc
import Runtime

/// Chooses tokens: repeat penalty, top-k, top-p, min-p, temperature, in llama.cpp's order.
public struct Sampler: Sendable {
    /// What it chooses by.
    public let parameters: SamplingParameters
    private var random: SplitMix64

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
        choose(among: mostLikely(of: logits, penalized: penalized(history)))
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
        sort(&candidates)
        return choose(among: Array(candidates.prefix(limit)))
    }

    /// Tokens that are considered at most; 0 for all.
    private var limit: Int { parameters.temperature > 0 ? parameters.topK : 1 }

    /// Chooses among tokens, the most likely first.
    private mutating func choose(among candidates: [Candidate]) -> Int32? {
        var candidates = candidates
        guard parameters.temperature > 0, let best = candidates.first?.logit else {
            return candidates.first?.token
        }
        let weights = candidates.map { exp($0.logit - best) }
        // Without a limit no rounding of the sum may cut the tail, which a high temperature makes likely.
        let enough = parameters.topP < 1 ? parameters.topP * weights.reduce(0, +) : .infinity
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

    /// The most likely first; of equals the lower id.
    private func sort(_ candidates: inout [Candidate]) {
        candidates.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.token < $1.token }
    }

    /// The `limit` most likely tokens, most likely first. What is not a number is never likely.
    private func mostLikely(
        of logits: UnsafeBufferPointer<Float>, penalized: Set<Int32>
    ) -> [Candidate] {
        let limit = limit > 0 ? min(limit, logits.count) : logits.count
        // Twice the wanted number is collected before it is sorted and cut: a pass over the vocabulary with a
        // rising bar instead of sorting all of it.
        var candidates: [Candidate] = []
        candidates.reserveCapacity(2 * limit)
        var bar = -Float.infinity
        func cut() {
            sort(&candidates)
            if candidates.count > limit { candidates.removeLast(candidates.count - limit) }
            if candidates.count == limit, let last = candidates.last { bar = last.logit }
        }
        for index in logits.indices {
            let token = Int32(index)
            var logit = logits[index]
            if !penalized.isEmpty, penalized.contains(token) {
                logit = lessLikely(logit)
            }
            guard logit > bar else { continue }
            candidates.append(Candidate(token: token, logit: logit))
            if candidates.count == 2 * limit { cut() }
        }
        cut()
        return candidates
    }
}

/// A small generator with a known sequence: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014.
struct SplitMix64: Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// A number in 0 ..< 1.
    mutating func nextUnit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }
}
