/// How much power work on a DSP may take. It is asked for when work begins, and given back a tenth of a second after
/// the last.
public enum PowerLevel: UInt32, CaseIterable, Hashable, Sendable {
    /// The highest clocks, and no sleep between two pieces of work.
    case full = 0
    /// The system's own balance.
    case balanced = 1
    /// Low clocks.
    case saving = 2
}
