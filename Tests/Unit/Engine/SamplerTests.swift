import Engine
import Foundation
import Runtime
import TestSupport
import Testing

@Suite("Sampler") struct SamplerTests {
    private func sample(
        _ parameters: SamplingParameters, _ logits: [Float], history: [Int32] = []
    ) -> Int32? {
        var sampler = Sampler(parameters)
        return logits.withUnsafeBufferPointer { sampler.sample($0, history: history) }
    }

    /// The most likely tokens are enough where the sampler says so.
    @Test func chosenAmongTheMostLikelyAsAmongAll() {
        var generator = SeededGenerator(3)
        for _ in 0..<500 {
            let logits = (0..<400).map { _ in Float(Int.random(in: -300...300, using: &generator)) / 10 }
            let history = (0..<80).map { _ in Int32.random(in: 0..<400, using: &generator) }
            let parameters = SamplingParameters(
                temperature: [0, 0.8, 2].randomElement(using: &generator) ?? 1,
                topK: [1, 40, 5].randomElement(using: &generator) ?? 40,
                topP: [1, 0.9].randomElement(using: &generator) ?? 1, minP: 0,
                repeatPenalty: [1, 1.3].randomElement(using: &generator) ?? 1, repeatLastN: 64,
                seed: UInt64.random(in: 0...1000, using: &generator))
            var sampler = Sampler(parameters)
            let needed = sampler.candidatesNeeded(history: history) ?? 400
            #expect(needed <= 104)
            let order = logits.indices.sorted {
                logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1
            }
            let likely = order.prefix(needed).map { Candidate(token: Int32($0), logit: logits[$0]) }
            let found = sampler.sample(likely, history: history)
            #expect(found == sample(parameters, logits, history: history), "\(parameters)")
        }
        var all = SamplingParameters.greedy
        (all.temperature, all.topK) = (1, 0)
        #expect(Sampler(all).candidatesNeeded(history: [1]) == nil)
        (all.topK, all.repeatPenalty) = (40, 0.5)
        #expect(Sampler(all).candidatesNeeded(history: [1]) == nil)
        var greedy = Sampler(.greedy)
        #expect(greedy.sample([Candidate(token: 3, logit: .nan)], history: []) == nil)
        #expect(greedy.sample([Candidate](), history: []) == nil)
    }

    /// The plain definition, over sorted tokens, with the sampler's order of random numbers.
    private func plain(
        _ parameters: SamplingParameters, _ logits: [Float], _ history: [Int32], _ random: inout SplitMix64
    ) -> Int32? {
        let recent = Set(parameters.repeatLastN < 0 ? history[...] : history.suffix(parameters.repeatLastN))
        var tokens = logits.enumerated().map { id, logit in
            guard parameters.repeatPenalty != 1, recent.contains(Int32(id)) else {
                return (id: id, logit: logit)
            }
            return (
                id: id, logit: logit > 0 ? logit / parameters.repeatPenalty : logit * parameters.repeatPenalty
            )
        }
        tokens = tokens.filter { $0.logit > -.infinity }
        tokens.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.id < $1.id }
        guard parameters.temperature > 0, let best = tokens.first?.logit else {
            return tokens.first.map { Int32($0.id) }
        }
        if parameters.topK > 0 { tokens = Array(tokens.prefix(parameters.topK)) }
        let weights = tokens.map { exp($0.logit - best) }
        let enough = parameters.topP < 1 ? parameters.topP * weights.reduce(0, +) : .infinity
        var (kept, sum) = (0, Float(0))
        while kept < tokens.count, kept == 0 || (sum < enough && weights[kept] >= parameters.minP) {
            sum += weights[kept]
            kept += 1
        }
        tokens = Array(tokens.prefix(kept))
        let chances = tokens.map { exp(($0.logit - best) / parameters.temperature) }
        var point = Float(random.nextUnit()) * chances.reduce(0, +)
        for (token, chance) in zip(tokens, chances) {
            point -= chance
            if point < 0 { return Int32(token.id) }
        }
        return tokens.last.map { Int32($0.id) }
    }

    /// Ties, NaN and infinities among logits of every shape: as chosen without shortcuts.
    @Test("as without shortcuts", arguments: 0..<300) func asPlain(_ seed: Int) {
        var generator = SeededGenerator(UInt64(seed) + 1000)
        func one<Value>(of values: Value...) -> Value {
            values[Int.random(in: 0..<values.count, using: &generator)]
        }
        let count = one(of: 1, 5, 63, 64, 65, 400, 3000, 20000)
        let spread = one(of: Float(0.5), 3, 12, 60)
        let steps = one(of: 3, 40, 1_000_000)
        var logits = (0..<count).map { _ in
            Float(Int.random(in: -steps...steps, using: &generator)) / Float(steps) * spread
        }
        let odd = one(of: [], [Float.nan], [-.infinity], [.nan, -.infinity, -3e38], [.infinity, .nan])
        for value in odd {
            for _ in 0..<max(count / 10, 1) { logits[Int.random(in: 0..<count, using: &generator)] = value }
        }
        let history = (0..<64).map { _ in Int32.random(in: 0..<Int32(count) + 3, using: &generator) }
        let parameters = SamplingParameters(
            temperature: one(of: 0, 0.3, 0.8, 1, 2.5), topK: one(of: 0, 0, 1, 2, 40, 1000),
            topP: one(of: 0, 0.3, 0.9, 0.99, 1), minP: one(of: 0, 0.05, 0.3, 1),
            repeatPenalty: one(of: 1, 1, 1.1, 2, 0.7), repeatLastN: one(of: -1, 0, 5, 64), seed: UInt64(seed))
        var sampler = Sampler(parameters)
        var random = SplitMix64(state: UInt64(seed))
        for _ in 0..<5 {
            let found = logits.withUnsafeBufferPointer { sampler.sample($0, history: history) }
            #expect(found == plain(parameters, logits, history, &random), "\(parameters), \(count) logits")
        }
    }

    /// A vocabulary of 151,936 tokens with logits as a trained model's: a few likely tokens and a long tail.
    @Test(
        "time of a token (printed)",
        arguments: [
            ("greedy", SamplingParameters.greedy),
            ("top-k 40", SamplingParameters(topK: 40, topP: 0.95, minP: 0.05, seed: 1)),
            ("top-k 40, penalty", SamplingParameters(topK: 40, repeatPenalty: 1.1, seed: 1)),
            ("top-p 0.9", SamplingParameters(topK: 0, topP: 0.9, minP: 0, seed: 1)),
            ("min-p 0.05", SamplingParameters(topK: 0, topP: 1, minP: 0.05, seed: 1)),
        ])
    func time(_ name: String, _ parameters: SamplingParameters) {
        var generator = SeededGenerator(5)
        var logits = (0..<151_936).map { _ in
            (0..<4).reduce(Float(0)) { sum, _ in sum + Float.random(in: -2...2, using: &generator) }
        }
        for index in 0..<50 {
            logits[Int.random(in: 0..<logits.count, using: &generator)] = 18 - Float(index) / 4
        }
        let history = (0..<64).map { _ in Int32.random(in: 0..<151_936, using: &generator) }
        var sampler = Sampler(parameters)
        var best = Duration.seconds(1)
        for _ in 0..<100 {
            let start = ContinuousClock.now
            let token = logits.withUnsafeBufferPointer { sampler.sample($0, history: history) }
            best = min(best, ContinuousClock.now - start)
            #expect(token != nil)
        }
        print("sampling of 151936, \(name): \(best)")
    }

    private func greedy(_ logits: [Float]) -> Int32? { sample(.greedy, logits) }

    // MARK: Greedy

    @Test func greedyTakesTheLargest() {
        #expect(greedy([0.5, 2, -1]) == 1)
        #expect(greedy([-3]) == 0)
        var generator = SeededGenerator(1)
        for _ in 0..<200 {
            let logits = (0..<Int.random(in: 1...100, using: &generator)).map { _ in
                Float(Int.random(in: -5...5, using: &generator))
            }
            let largest = logits.max()
            #expect(greedy(logits) == logits.firstIndex { $0 == largest }.map(Int32.init))
        }
    }

    @Test func equalLogitsGoToTheLowestID() {
        #expect(greedy([1, 7, 7, 7]) == 1)
        #expect(greedy([Float](repeating: 0, count: 50)) == 0)
        #expect(greedy([-0.0, 0.0]) == 0)
        var parameters = SamplingParameters.greedy
        (parameters.temperature, parameters.topK) = (1, 1)
        #expect(sample(parameters, [1, 7, 7, 7]) == 1)
    }

    @Test func whatIsNotANumberIsNeverTaken() {
        #expect(greedy([.nan, 1, .nan, 0]) == 1)
        #expect(greedy([.nan, -.infinity, -1e30]) == 2)
        #expect(greedy([1, .infinity, .nan]) == 1)
        let parameters = SamplingParameters(temperature: 5, topK: 0, topP: 1, minP: 0, seed: 3)
        for seed in 0..<200 {
            var parameters = parameters
            parameters.seed = UInt64(seed)
            #expect(sample(parameters, [.nan, 1, .nan, 0])?.isMultiple(of: 2) == false)
        }
    }

    @Test func withoutANumberThereIsNoToken() {
        let sampling = SamplingParameters(seed: 1)
        for logits: [Float] in [[], [.nan], [.nan, .nan, -.infinity], [-.infinity, -.infinity]] {
            #expect(greedy(logits) == nil)
            #expect(sample(sampling, logits) == nil)
        }
    }

    // MARK: Limits

    /// Which tokens come out of many draws.
    private func drawn(_ parameters: SamplingParameters, _ logits: [Float], count: Int = 2000) -> Set<Int32> {
        var sampler = Sampler(parameters)
        return logits.withUnsafeBufferPointer { logits in
            Set((0..<count).compactMap { _ in sampler.sample(logits, history: [Int32]()) })
        }
    }

    private func parameters(
        _ temperature: Float = 1, topK: Int = 0, topP: Float = 1, minP: Float = 0
    ) -> SamplingParameters {
        SamplingParameters(temperature: temperature, topK: topK, topP: topP, minP: minP, seed: 7)
    }

    @Test func limitsAtTheirBounds() {
        // Probabilities 1/2, 1/4, 1/8, 1/8.
        let logits: [Float] = [0.125, 0.5, 0.125, 0.25].map { log2($0) * Float(M_LN2) }
        #expect(drawn(parameters(), logits) == [0, 1, 2, 3])
        #expect(drawn(parameters(topK: 1), logits) == [1])
        #expect(drawn(parameters(topK: 2), logits) == [1, 3])
        // Of the equal ones the lower id.
        #expect(drawn(parameters(topK: 3), logits) == [0, 1, 3])
        #expect(drawn(parameters(topK: 1000), logits) == [0, 1, 2, 3])
        #expect(drawn(parameters(topP: 0), logits) == [1])
        #expect(drawn(parameters(topP: 0.45), logits) == [1])
        // The token that crosses the bar stays.
        #expect(drawn(parameters(topP: 0.55), logits) == [1, 3])
        #expect(drawn(parameters(topP: 0.8), logits) == [0, 1, 3])
        #expect(drawn(parameters(minP: 1), logits) == [1])
        #expect(drawn(parameters(minP: 0.45), logits) == [1, 3])
        #expect(drawn(parameters(minP: 0.2), logits) == [0, 1, 2, 3])
        #expect(drawn(parameters(minP: 1), [3, 3, 2]) == [0, 1])
        #expect(drawn(parameters(1e-6), logits) == [1])
    }

    /// All tokens are unlikely at temperature 1 but one; a high temperature makes them likely.
    @Test func topPOfOneKeepsTheTail() {
        let logits: [Float] = [20] + [Float](repeating: 0, count: 99)
        #expect(drawn(parameters(20), logits, count: 20000).count == 100)
    }

    // MARK: Distribution

    /// The probabilities by the book, in double precision and without shortcuts.
    private func expected(
        _ parameters: SamplingParameters, _ logits: [Float], _ history: [Int32]
    ) -> [Int: Double] {
        let recent = parameters.repeatLastN < 0 ? history[...] : history.suffix(parameters.repeatLastN)
        let penalty = Double(parameters.repeatPenalty)
        var tokens = logits.enumerated().map { id, logit in
            var logit = Double(logit)
            if recent.contains(Int32(id)) { logit = logit > 0 ? logit / penalty : logit * penalty }
            return (id: id, logit: logit)
        }
        tokens.sort { ($0.logit, -$0.id) > ($1.logit, -$1.id) }
        if parameters.topK > 0 { tokens = Array(tokens.prefix(parameters.topK)) }
        func softmax(_ temperature: Double) -> [Double] {
            let weights = tokens.map { exp(($0.logit - tokens[0].logit) / temperature) }
            let sum = weights.reduce(0, +)
            return weights.map { $0 / sum }
        }
        if parameters.topP < 1 {
            var sum = 0.0
            var count = 0
            for chance in softmax(1) where sum < Double(parameters.topP) {
                sum += chance
                count += 1
            }
            tokens = Array(tokens.prefix(max(count, 1)))
        }
        let chances = softmax(1)
        let count = chances.prefix { $0 >= Double(parameters.minP) * chances[0] }.count
        tokens = Array(tokens.prefix(max(count, 1)))
        return Dictionary(
            uniqueKeysWithValues: zip(tokens.map(\.id), softmax(Double(parameters.temperature))))
    }

    @Test("draws follow the distribution", arguments: 0..<40)
    func distribution(_ seed: Int) {
        var generator = SeededGenerator(UInt64(seed))
        let vocabulary = Int.random(in: 2...300, using: &generator)
        let spread = Float.random(in: 0.5...6, using: &generator)
        let logits = (0..<vocabulary).map { _ in Float.random(in: -spread...spread, using: &generator) }
        let history = (0..<30).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &generator) }
        func one<Value>(of values: Value...) -> Value {
            values[Int.random(in: 0..<values.count, using: &generator)]
        }
        let parameters = SamplingParameters(
            temperature: one(of: 0.3, 0.8, 1, 2.5), topK: one(of: 0, 1, 5, 40, 1000),
            topP: one(of: 0.3, 0.9, 0.95, 1), minP: one(of: 0, 0.05, 0.3),
            repeatPenalty: one(of: 1, 1.1, 2), repeatLastN: one(of: -1, 0, 5, 64), seed: UInt64(seed))
        let expected = expected(parameters, logits, history)

        let draws = 60000
        var counts: [Int: Int] = [:]
        var sampler = Sampler(parameters)
        logits.withUnsafeBufferPointer { logits in
            for _ in 0..<draws {
                guard let token = sampler.sample(logits, history: history) else { continue }
                counts[Int(token), default: 0] += 1
            }
        }
        #expect(Set(counts.keys).isSubset(of: expected.keys), "\(parameters)")
        #expect(counts.values.reduce(0, +) == draws)
        // Pearson's statistic over the tokens that are expected often enough, the rest taken together. The
        // seeds are fixed, so this bound, which chance alone passes once in 30000 times (Wilson and Hilferty's
        // approximation), holds always or never.
        var (statistic, bins) = (0.0, 0)
        var (restExpected, restCount) = (0.0, 0)
        for (token, chance) in expected {
            let (mean, count) = (chance * Double(draws), counts[token] ?? 0)
            guard mean >= 10 else {
                restExpected += mean
                restCount += count
                continue
            }
            statistic += (Double(count) - mean) * (Double(count) - mean) / mean
            bins += 1
        }
        if restExpected >= 10 {
            statistic +=
                (Double(restCount) - restExpected) * (Double(restCount) - restExpected) / restExpected
            bins += 1
        }
        guard bins > 1 else { return }
        let freedom = Double(bins - 1), variance = 2 / (9 * freedom)
        let bound = freedom * pow(1 - variance + 4 * variance.squareRoot(), 3)
        #expect(statistic <= bound, "\(bins) bins, \(parameters)")
    }

    @Test func repeatPenalty() {
        var parameters = SamplingParameters.greedy
        parameters.repeatPenalty = 2
        let logits: [Float] = [3, 2, -1]
        #expect(sample(parameters, logits) == 0)
        #expect(sample(parameters, logits, history: [0]) == 1)
        #expect(sample(parameters, logits, history: [0, 1]) == 0)
        // Below zero it multiplies: -1 becomes -2.
        #expect(sample(parameters, [-1, -1.5], history: [0]) == 1)
        #expect(sample(parameters, [-1, -2.5], history: [0]) == 0)
        // A token counts once, however often it came.
        #expect(sample(parameters, [5, 2], history: [0, 0, 0]) == 0)
        parameters.repeatLastN = 2
        #expect(sample(parameters, logits, history: [0, 2, 2]) == 0)
        parameters.repeatLastN = 0
        #expect(sample(parameters, logits, history: [0]) == 0)
        parameters.repeatLastN = -1
        #expect(sample(parameters, logits, history: [0] + [Int32](repeating: 2, count: 5000)) == 1)
    }

    @Test func sameSeedSameTokens() {
        let logits: [Float] = (0..<100).map { sin(Float($0)) }
        func tokens(_ seed: UInt64) -> [Int32?] {
            var sampler = Sampler(SamplingParameters(seed: seed))
            return logits.withUnsafeBufferPointer { logits in
                (0..<50).map { _ in sampler.sample(logits, history: [Int32]()) }
            }
        }
        #expect(tokens(1) == tokens(1))
        #expect(tokens(1) != tokens(2))
        #expect(Set(tokens(1)).count > 5)
    }
}
