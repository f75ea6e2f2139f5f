/// What a generation is to do.
public struct GenerationParameters: Sendable {
    /// Tokens to generate; `nil` until the model ends its text or the context is full.
    public var maxTokens: Int?
    /// Whether to go on after the model has ended its text.
    public var ignoresEndOfText = false
    /// How tokens are chosen.
    public var sampling: SamplingParameters
    /// Whether the logits of all prompt tokens are kept.
    public var keepsPromptLogits = false

    /// Whether what the cache holds of the prompt's beginning is taken from there; not with all logits.
    public var reusesCache = false

    /// Generates until the end of the text.
    public init(maxTokens: Int? = nil, sampling: SamplingParameters = SamplingParameters()) {
        self.maxTokens = maxTokens
        self.sampling = sampling
    }
}

/// What was generated, and how.
public struct Generation: Sendable {
    /// Why a generation ended.
    public enum End: String, Sendable {
        /// The wanted number of tokens is there.
        case length
        /// The model ended its text.
        case endOfText = "stop"
        /// The context is full.
        case contextFull = "context"
        /// The caller asked to stop.
        case interrupted
    }

    /// The generated text, without the prompt.
    public var text = ""
    /// The generated ids; a token that ended the text is not among them.
    public var tokens: [Int32] = []
    /// Why it ended.
    public var end = End.length
    /// Tokens of the prompt.
    public var promptTokens = 0
    /// Tokens of it that were in the cache.
    public var reusedTokens = 0
    /// Seconds to compute the prompt.
    public var promptSeconds = 0.0
    /// Seconds to generate, sampling included.
    public var generateSeconds = 0.0
    /// `promptTokens × vocabulary` logits, where they were asked for and the prompt was not interrupted.
    public var promptLogits: [Float] = []
}
