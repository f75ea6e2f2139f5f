/// The outcome of one check.
package struct Check: Hashable, Sendable, Encodable {
    package enum Status: String, Hashable, Sendable, Encodable {
        /// As it should be.
        case ok
        /// Works, or is not needed, but somebody should know.
        case warn
        /// Stands in the way of using the DSP.
        case fail
        /// Not decided; the summary says why.
        case skip
    }

    /// Stable name for scripts.
    package var id: String
    package var status: Status
    /// The finding, in one line.
    package var summary: String
    /// What was seen: paths, numbers, strings; one per line.
    package var evidence: String
    /// What to do, to be pasted into a shell where that is possible; empty where there is nothing to do.
    package var remedy: String
    /// The id of the check that failed, where this one is skipped for that reason.
    package var because: String?

    init(
        _ id: String, _ status: Status, _ summary: String, evidence: String = "", remedy: String = "",
        because: String? = nil
    ) {
        self.id = id
        self.status = status
        self.summary = summary
        self.evidence = evidence
        self.remedy = remedy
        self.because = because
    }
}
