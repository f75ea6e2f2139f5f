import Runtime

/// Where the time of computing went.
public struct ProfileReport: Sendable {
    /// Tokens that were computed.
    public var tokens: Int
    /// Seconds that it took.
    public var seconds: Double
    /// The part of the CPU threads' time in which they had nothing to do but wait for each other, from 0 to 1; of what
    /// was computed without devices. Threads that outnumber the processors do not count: they sleep.
    public var waitShare: Double
    /// Seconds of each kind of operation, the longest first. Empty unless ``LanguageModel/Options/profiles``.
    public var operations: [(name: String, seconds: Double)]
}

extension LanguageModel {
    /// Where the time of prompts or of generations went since the model was loaded, or measured.
    public func profile(of phase: ProfiledPhase) -> ProfileReport {
        let profile = executor.profiles[phase == .prompt ? .prompt : .generation] ?? ExecutionProfile()
        let threadSeconds = profile.cpuSeconds * Double(executor.pool.workers)
        return ProfileReport(
            tokens: profile.tokens, seconds: profile.seconds,
            waitShare: threadSeconds > 0 ? profile.waitSeconds / threadSeconds : 0,
            operations: profile.kinds.map { (name: $0.key, seconds: $0.value) }
                .sorted { ($1.seconds, $0.name) < ($0.seconds, $1.name) })
    }
}

/// What the engine computes: a prompt, many tokens at once, or a generation, token by token.
public enum ProfiledPhase: String, Sendable, CaseIterable {
    /// Many tokens at once.
    case prompt
    /// Token by token.
    case generation
}
