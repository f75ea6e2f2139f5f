/// How the next token is chosen from the logits. Names and defaults follow llama.cpp.
public struct SamplingParameters: Hashable, Sendable {
    /// Divides the logits; 0 always takes the most likely token.
    public var temperature: Float
    /// Only the `topK` most likely tokens are considered; 0 for all.
    public var topK: Int
    /// Only the most likely tokens that together reach this probability are considered; 1 for all.
    public var topP: Float
    /// Only tokens at least this fraction as likely as the most likely one are considered; 0 for all.
    public var minP: Float
    /// Makes tokens among the last ``repeatLastN`` less likely; 1 for no change.
    public var repeatPenalty: Float
    /// How many tokens back the penalty looks; -1 for all.
    public var repeatLastN: Int
    /// The seed of the random choices; the same seed gives the same text.
    public var seed: UInt64

    /// llama.cpp's defaults, with a seed of its own for each call.
    public init(
        temperature: Float = 0.8, topK: Int = 40, topP: Float = 0.95, minP: Float = 0.05,
        repeatPenalty: Float = 1, repeatLastN: Int = 64, seed: UInt64 = .random(in: 0...UInt64.max)
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repeatPenalty = repeatPenalty
        self.repeatLastN = repeatLastN
        self.seed = seed
    }

    /// Always the most likely token.
    public static let greedy = SamplingParameters(temperature: 0, seed: 0)
}
