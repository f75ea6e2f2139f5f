/// How long a DSP may take for a call before its session is given up.
package enum CallTimeout: Hashable, Sendable {
    /// For ever.
    case none
    /// The same for every call.
    case seconds(Double)
    /// Batches ten times as long as the longest of their size so far, other calls half a minute.
    case measured

    /// Of all calls but batches.
    package var forCalls: Duration? {
        switch self {
        case .none: nil
        case .seconds(let seconds): .seconds(seconds)
        case .measured: .seconds(30)
        }
    }

    /// Of a batch.
    ///
    /// - Parameter longest: what batches of its size took so far, if there were any.
    package func forBatch(tokens: Int, longest: Duration?) -> Duration? {
        guard self == .measured else { return forCalls }
        // Work grows with the position, but not tenfold from one batch to the next. Of the first nothing is known: half
        // a token a second is slower than anybody would wait for.
        return longest.map { max(.seconds(10), $0 * 10) } ?? .seconds(30 + 2 * tokens)
    }
}

/// Somebody wants no more of the work that is under way.
package struct Interruption: Error {
    package init() {}
}
