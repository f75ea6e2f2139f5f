/// Which phases of a generation run on the DSPs.
package enum Placement: String, CaseIterable, Sendable {
    /// Prompt and generation.
    case all
    /// The prompt only; the CPU goes on in the same cache.
    case prompt
    /// Nothing.
    case none

    func usesDevices(in phase: Executor.Phase) -> Bool {
        switch self {
        case .all: true
        case .prompt: phase == .prompt
        case .none: false
        }
    }
}
