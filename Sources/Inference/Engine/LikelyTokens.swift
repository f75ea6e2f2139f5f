import CPUKernels
import Glibc
import Runtime

/// Finds the most likely of many tokens without looking at each: the logits are cut into blocks whose largest is known.
///
/// What is not a number is never likely, and neither is -infinity. Of equals the lower id is first.
struct LikelyTokens {
    private let logits: UnsafeBufferPointer<Float>
    private let largest: [Float]
    private let kernels = cpu_activation_kernels_get(cpu_kernels_best()).pointee
    /// The largest logit; -infinity where there is none.
    let best: Float

    private static let blockSize = Int(CPU_LARGEST_BLOCK)

    /// - Parameter logits: valid as long as this is used.
    init(of logits: UnsafeBufferPointer<Float>) {
        self.logits = logits
        let blocks = (logits.count + Self.blockSize - 1) / Self.blockSize
        largest = [Float](unsafeUninitializedCapacity: blocks) { [kernels] room, count in
            kernels.largest(logits.baseAddress, logits.count, room.baseAddress)
            count = blocks
        }
        best = largest.reduce(-.infinity) { $1 > $0 ? $1 : $0 }
    }

    /// The most likely token, nil where there is none.
    var first: Int32? {
        guard best > -.infinity, let block = largest.firstIndex(of: best) else { return nil }
        return tokens(block).first { logits[$0] == best }.map(Int32.init)
    }

    /// The `limit` most likely ones, the most likely first.
    func first(_ limit: Int) -> [Candidate] {
        let limit = min(limit, logits.count)
        // Twice the wanted number is collected before it is sorted and cut: a pass with a rising bar.
        var candidates: [Candidate] = []
        candidates.reserveCapacity(2 * limit)
        var bar = -Float.infinity
        func cut() {
            candidates.sort { $0.isLikelier(than: $1) }
            if candidates.count > limit { candidates.removeLast(candidates.count - limit) }
            if candidates.count == limit, let last = candidates.last { bar = last.logit }
        }
        for block in largest.indices where largest[block] > bar {
            for token in tokens(block) where logits[token] > bar {
                candidates.append(Candidate(token: Int32(token), logit: logits[token]))
                if candidates.count == 2 * limit { cut() }
            }
        }
        cut()
        return candidates
    }

    /// The sum of all tokens' probabilities relative to the best one's.
    var sum: Double { kernels.sum_of_exponentials(logits.baseAddress, logits.count, best) }

    /// The most likely ones, the most likely first: at least those that together reach a part of ``sum``, and are at least
    /// `minP` as likely as the best one; somewhat more, or all.
    func candidates(ofMass mass: Double, minP: Float) -> [Candidate] {
        // Somewhat more than what rounding may make of it.
        let lowest = minP > 0 ? best + log(minP) - 1e-3 : -.infinity
        var candidates: [Candidate] = []
        var distance: Float = mass < .infinity ? 2 : .infinity
        while true {
            let isLast = distance > 128 || best - distance <= lowest
            let bar = isLast ? lowest : best - distance
            candidates.removeAll(keepingCapacity: true)
            for block in largest.indices where largest[block] >= bar && largest[block] > -.infinity {
                for token in tokens(block) where logits[token] >= bar && logits[token] > -.infinity {
                    candidates.append(Candidate(token: Int32(token), logit: logits[token]))
                }
            }
            let found = candidates.reduce(0.0) { $0 + Double(exp($1.logit - best)) }
            if isLast || found > mass * (1 + 1e-4) { break }
            distance *= 2
        }
        candidates.sort { $0.isLikelier(than: $1) }
        return candidates
    }

    private func tokens(_ block: Int) -> Range<Int> {
        block * Self.blockSize..<min((block + 1) * Self.blockSize, logits.count)
    }
}

extension Candidate {
    /// Of equals the lower id comes first.
    func isLikelier(than other: Candidate) -> Bool {
        logit != other.logit ? logit > other.logit : token < other.token
    }
}
