import Glibc

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
    /// A batch of a prompt runs where the largest of these that it reaches does, a smaller one where the first does.
    package struct Prompt: Hashable, Sendable {
        /// Tokens of a batch.
        package var tokens: Int
        package var onDevices: Bool
    }

    /// In the order of their tokens; not empty.
    package var prompts: [Prompt]
    package var generationOnDevices: Bool

    package init(prompts: [Prompt], generationOnDevices: Bool) {
        self.prompts = prompts
        self.generationOnDevices = generationOnDevices
    }

    /// The same side for every prompt.
    package init(promptOnDevices: Bool, generationOnDevices: Bool) {
        prompts = [Prompt(tokens: 1, onDevices: promptOnDevices)]
        self.generationOnDevices = generationOnDevices
    }

    /// Whether a batch of tokens runs on devices.
    package func usesDevices(in phase: Executor.Phase, tokens: Int) -> Bool {
        guard phase == .prompt else { return generationOnDevices }
        return (prompts.last { $0.tokens <= tokens } ?? prompts.first)?.onDevices ?? false
    }
}

/// What was measured to choose the sides.
package struct PlacementReport: Hashable, Sendable {
    /// Tokens per second of both sides.
    package struct Speeds: Hashable, Sendable {
        /// Tokens of a batch.
        package var tokens: Int
        package var cpu: Double
        package var devices: Double

        package init(tokens: Int, cpu: Double, devices: Double) {
            (self.tokens, self.cpu, self.devices) = (tokens, cpu, devices)
        }
    }

    /// For prompts of several lengths, the shortest first.
    package var prompts: [Speeds]
    package var generation: Speeds
    /// Measured when the model was loaded before.
    package var isRemembered = false

    package init(prompts: [Speeds], generation: Speeds) {
        (self.prompts, self.generation) = (prompts, generation)
    }

    /// The faster side for everything.
    var sides: Sides {
        Sides(
            prompts: prompts.map { Sides.Prompt(tokens: $0.tokens, onDevices: $0.devices > $0.cpu) },
            generationOnDevices: generation.devices > generation.cpu)
    }
}

extension Executor {
    /// Takes sides by what was measured before.
    package func chooseSides(by report: PlacementReport) {
        placementReport = report
        sides = report.sides
    }

    /// Runs short prompts and generations on either side, and takes the faster one for each from now on.
    ///
    /// The best of a few runs counts: what else the machine does makes runs slower, never faster. The cache is empty
    /// afterwards.
    package func chooseSides() throws {
        guard !devices.isEmpty, options.contextLength > 1 else { return }
        // This is no work that somebody asked for, but a failure is one.
        let before = counters
        defer {
            let recoveries = counters.recoveries
            counters = before
            counters.recoveries = recoveries
        }
        let most = min(options.batch, options.contextLength - 1)
        let lengths = [8, 64].map { min($0, most) }.reduce(into: [Int]()) {
            if $0.last != $1 { $0.append($1) }
        }
        var speeds: [Bool: (prompts: [Double], generation: Double)] = [:]
        for onDevices in [false, true] {
            sides = Sides(promptOnDevices: onDevices, generationOnDevices: onDevices)
            let prompts = try lengths.map { try tokensPerSecond($0, .prompt) }
            speeds[onDevices] = (prompts, try tokensPerSecond(1, .generation))
        }
        rewind(to: 0)
        guard let cpu = speeds[false], let devices = speeds[true] else { return }
        chooseSides(
            by: PlacementReport(
                prompts: lengths.indices.map {
                    .init(tokens: lengths[$0], cpu: cpu.prompts[$0], devices: devices.prompts[$0])
                },
                generation: .init(tokens: 1, cpu: cpu.generation, devices: devices.generation)))
    }

    /// The best of three runs after one that finds cold caches and untouched memory; fewer where they take long.
    private func tokensPerSecond(_ count: Int, _ phase: Phase) throws -> Double {
        let tokens = (0..<count).map { Int32($0 % graph.shape.vocabulary) }
        let clock = ContinuousClock()
        let patience = clock.now + .seconds(2)
        var best = 0.0
        for run in 0..<4 where run < 2 || clock.now < patience {
            rewind(to: 0)
            let time = try clock.measure { _ = try evaluate(tokens, outputs: .last, phase) }
            if run > 0 { best = max(best, Double(count) / max(time.seconds, 1e-9)) }
        }
        return best
    }
}
