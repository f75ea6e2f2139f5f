import GGUF
import Glibc

extension Rotation {
    /// Tensors with divisors of the frequencies: those of Llama 3.1, and those of Phi 3 for short and long contexts.
    static let factorTensors = ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"]
}

extension Hyperparameters {
    /// The rotary embedding: frequencies in geometric progression, stretched as the file says.
    ///
    /// - Parameters:
    ///   - base: instead of the file's.
    ///   - isScaled: whether the file's stretching applies.
    func rotation(
        _ pairing: Rotation.Pairing, keySize: Int, base ownBase: Double? = nil, isScaled: Bool = true
    ) throws -> Rotation {
        let members = try count("rope.dimension_count", default: keySize, limit: 4096)
        guard members % 2 == 0, members <= keySize else {
            throw fail(
                "\(architecture).rope.dimension_count \(members) is not an even number up to the heads' "
                    + "size of \(keySize)")
        }
        let base = try ownBase ?? float("rope.freq_base", default: 10000)
        guard base > 0 else { throw fail("\(architecture).rope.freq_base is 0") }
        var rotation = Rotation(
            pairing: pairing,
            frequencies: (0..<members / 2).map { pow(base, -2 * Double($0) / Double(members)) })
        guard isScaled else { return try checked(rotation) }

        rotation.magnitude = try float("rope.scaling.attn_factor", default: 1)
        try divide(&rotation)
        let hasFactor = file.metadata["\(architecture).rope.scaling.factor"] != nil
        switch try string("rope.scaling.type") ?? (hasFactor ? "linear" : "none") {
        case "none", "longrope": break
        case "linear":
            let scale = 1 / (try stretching())
            rotation.frequencies = rotation.frequencies.map { $0 * scale }
            rotation.long = rotation.long.map { ($0.contextLength, $0.frequencies.map { $0 * scale }) }
        case "yarn":
            let stretched = try yarn(rotation.frequencies, base: base)
            rotation.frequencies = stretched.frequencies
            rotation.magnitude *= stretched.magnitude
        case let type:
            throw fail("rotation scaling \(quoted(type)) is not known; known: linear, longrope, none, yarn")
        }
        return try checked(rotation)
    }

    private func stretching() throws -> Double {
        let factor = try float("rope.scaling.factor")
        guard factor > 0 else { throw fail("\(architecture).rope.scaling.factor is 0") }
        return factor
    }

    /// Divides the frequencies by what the file's tensors say.
    private func divide(_ rotation: inout Rotation) throws {
        let plain = rotation.frequencies
        func divided(_ name: String) throws -> [Double]? {
            guard file.tensor(named: name) != nil else { return nil }
            let factors = try floats(name, count: plain.count)
            return try zip(plain, factors).enumerated().map { index, pair in
                guard pair.1 > 0 else {
                    throw fail(
                        "tensor \(quoted(name)) holds \(pair.1) at \(index), expected a number above 0")
                }
                return pair.0 / Double(pair.1)
            }
        }
        let names = Rotation.factorTensors
        if let frequencies = try divided(names[0]) {
            rotation.frequencies = frequencies
            return
        }
        if let frequencies = try divided(names[1]) { rotation.frequencies = frequencies }
        if let frequencies = try divided(names[2]) {
            rotation.long = (try originalContext(), frequencies)
        }
    }

    /// Tokens that the model was trained for before its context was stretched.
    func originalContext() throws -> Int {
        try count(
            "rope.scaling.original_context_length", default: try count("context_length", limit: 1 << 30),
            limit: 1 << 30)
    }

    /// YaRN: frequencies that turn often within the original context stay, those that turn less than once are
    /// interpolated, and between the two there is a ramp.
    private func yarn(
        _ frequencies: [Double], base: Double
    ) throws -> (frequencies: [Double], magnitude: Double) {
        let factor = try stretching()
        let context = Double(try originalContext())
        let fast = try float("rope.scaling.yarn_beta_fast", default: 32)
        let slow = try float("rope.scaling.yarn_beta_slow", default: 1)
        let weight = try float("rope.scaling.yarn_ext_factor", default: 1)
        guard fast > 0, slow > 0, base > 1 else {
            throw fail("YaRN with a base of \(base) and betas of \(fast) and \(slow) is not possible")
        }
        // The pair that makes `turns` turns within the original context.
        func pair(_ turns: Double) -> Double {
            Double(frequencies.count) * log(context / (turns * 2 * .pi)) / log(base)
        }
        let low = max(pair(fast).rounded(.down), 0)
        let high = min(pair(slow).rounded(.up), Double(2 * frequencies.count - 1))
        let stretched = frequencies.enumerated().map { index, frequency in
            let place = (Double(index) - low) / max(high - low, 0.001)
            let own = (1 - min(max(place, 0), 1)) * weight
            return frequency * own + frequency / factor * (1 - own)
        }
        func magnitude(_ share: Double) -> Double { factor > 1 ? 1 + 0.1 * share * log(factor) : 1 }
        let share = try float("rope.scaling.yarn_log_multiplier", default: 0)
        return (stretched, magnitude(1) / magnitude(share))
    }

    private func checked(_ rotation: Rotation) throws -> Rotation {
        let numbers = rotation.frequencies + (rotation.long?.frequencies ?? []) + [rotation.magnitude]
        guard numbers.allSatisfy(\.isFinite) else {
            throw fail("the rotation's frequencies are not finite numbers")
        }
        return rotation
    }
}
