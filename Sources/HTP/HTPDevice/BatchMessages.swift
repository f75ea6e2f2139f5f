/// How batches get to a DSP.
public enum BatchMessages: String, CaseIterable, Hashable, Sendable {
    /// Each as a call of the program.
    case call
    /// Each as a packet in shared memory, answered by another one. Calls where there is no queue that works.
    case queue
}
