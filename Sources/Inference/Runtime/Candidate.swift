import HTPDevice

/// A token that may come next, and its logit.
package struct Candidate: Sendable {
    package var token: Int32
    package var logit: Float

    package init(token: Int32, logit: Float) {
        (self.token, self.logit) = (token, logit)
    }

    /// How many of the most likely tokens a DSP sends instead of all logits. Enough for what people sample from, with
    /// what a repeat penalty may push down, and a fraction of a vocabulary's size.
    package static let count = 128
}

/// What an evaluation says of the next token.
package enum NextToken {
    /// The logits of the whole vocabulary, valid until the next evaluation.
    case logits(UnsafeBufferPointer<Float>)
    /// The most likely tokens, the most likely first.
    case candidates([Candidate])
}
