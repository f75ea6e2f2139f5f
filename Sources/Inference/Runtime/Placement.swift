/// Which phases of a generation run on the DSPs.
public enum Placement: String, CaseIterable, Sendable {
    /// Whichever is faster, measured for either phase when the model is loaded.
    case auto
    /// Prompt and generation.
    case all
    /// The prompt only; the CPU goes on in the same cache.
    case prompt
    /// Nothing.
    case none

    /// Whether the CPU, too, writes and reads the cache.
    var changesSides: Bool { self == .auto || self == .prompt }
}

/// The sides on which the phases run.
package struct Sides: Hashable, Sendable {
    package var promptOnDevices: Bool
    package var generationOnDevices: Bool

    subscript(_ phase: Executor.Phase) -> Bool {
        phase == .prompt ? promptOnDevices : generationOnDevices
    }
}

/// What was measured to choose the sides.
package struct PlacementReport: Sendable {
    /// Tokens per second of both sides in a phase.
    package struct Speeds: Sendable {
        package var cpu: Double
        package var devices: Double
    }

    /// Tokens of the measured prompt.
    package var promptTokens: Int
    package var prompt: Speeds
    package var generation: Speeds
}

extension Executor {
    /// Runs short prompts and generations on either side, and takes the faster one for each phase from now on.
    ///
    /// The best of a few runs counts: what else the machine does makes runs slower, never faster. The cache is empty
    /// afterwards.
    package func chooseSides() throws {
        guard !devices.isEmpty, options.contextLength > 1 else { return }
        let count = min(64, options.batch, options.contextLength - 1)
        let prompt = (0..<count).map { Int32($0 % graph.shape.vocabulary) }
        var speeds: [Bool: (prompt: Double, generation: Double)] = [:]
        // This is no work that somebody asked for, but a failure is one.
        let before = counters
        defer {
            let recoveries = counters.recoveries
            counters = before
            counters.recoveries = recoveries
        }
        for onDevices in [false, true] {
            sides = Sides(promptOnDevices: onDevices, generationOnDevices: onDevices)
            // The first run finds cold caches and untouched memory.
            _ = try evaluate(prompt, outputs: .last)
            var best = (prompt: 0.0, generation: 0.0)
            for _ in 0..<3 {
                rewind(to: 0)
                best.prompt = max(best.prompt, try tokensPerSecond(prompt, .prompt))
                best.generation = max(best.generation, try tokensPerSecond([prompt[0]], .generation))
            }
            speeds[onDevices] = best
            rewind(to: 0)
        }
        guard let cpu = speeds[false], let devices = speeds[true] else { return }
        placementReport = PlacementReport(
            promptTokens: count, prompt: .init(cpu: cpu.prompt, devices: devices.prompt),
            generation: .init(cpu: cpu.generation, devices: devices.generation))
        sides = Sides(
            promptOnDevices: devices.prompt > cpu.prompt,
            generationOnDevices: devices.generation > cpu.generation)
    }

    private func tokensPerSecond(_ tokens: [Int32], _ phase: Phase) throws -> Double {
        let clock = ContinuousClock()
        let time = try clock.measure { _ = try evaluate(tokens, outputs: .last, phase) }
        return Double(tokens.count) / max(time.seconds, 1e-9)
    }
}
