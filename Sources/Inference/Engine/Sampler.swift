import Glibc

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

    private struct Candidate {
        var token: Int32
        var logit: Float
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
        var candidates = mostLikely(
            parameters.temperature > 0 ? parameters.topK : 1, of: logits, penalized: penalized)
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

    /// The `count` most likely tokens, or all for 0, most likely first; of equals the lower id. What is not a
    /// number is never likely.
    private func mostLikely(
        _ count: Int, of logits: UnsafeBufferPointer<Float>, penalized: Set<Int32>
    ) -> [Candidate] {
        let limit = count > 0 ? min(count, logits.count) : logits.count
        // Twice the wanted number is collected before it is sorted and cut: a pass over the vocabulary with a
        // rising bar instead of sorting all of it.
        var candidates: [Candidate] = []
        candidates.reserveCapacity(2 * limit)
        var bar = -Float.infinity
        func cut() {
            candidates.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.token < $1.token }
            if candidates.count > limit { candidates.removeLast(candidates.count - limit) }
            if candidates.count == limit, let last = candidates.last { bar = last.logit }
        }
        for index in logits.indices {
            let token = Int32(index)
            var logit = logits[index]
            if !penalized.isEmpty, penalized.contains(token) {
                logit = logit > 0 ? logit / parameters.repeatPenalty : logit * parameters.repeatPenalty
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
