import HexagonRPC
import Synchronization

/// What the process on the DSP wanted and said during a trial.
final class TransportLog: Sendable {
    private struct State {
        var lines: [String] = []
        var missing: [String] = []
        var given: [String] = []
        var served = 0
        var malformed: [String] = []
    }

    private let state = Mutex(State())

    /// The DSP's last lines, and what it asked for, for the report of a step that failed.
    var values: [String: String] {
        state.withLock { state in
            [
                "log": state.lines.joined(separator: "\n"),
                "missing": state.missing.filter { !state.given.contains($0) }.joined(separator: "\n"),
                "given": state.given.joined(separator: "\n"),
            ]
        }
    }

    /// Calls of the DSP to the host.
    var calls: (served: Int, malformed: [String]) { state.withLock { ($0.served, $0.malformed) } }

    /// Forgets which files were asked for.
    func forgetFiles() { state.withLock { ($0.missing, $0.given) = ([], []) } }

    func note(_ event: ListenerEvent) {
        state.withLock { state in
            switch event {
            case .file(let name, true): if !state.given.contains(name) { state.given.append(name) }
            case .file(let name, false):
                if !state.missing.contains(name), state.missing.count < 16 { state.missing.append(name) }
            case .warning(let line):
                state.lines.append(line)
                if state.lines.count > 8 { state.lines.removeFirst() }
            case .call: state.served += 1
            case .malformedCall(let handle, let scalars, let result):
                state.served += 1
                if state.malformed.count < 1000 {
                    state.malformed.append("call \(scalars) on handle \(handle): \(result)")
                }
            }
        }
    }
}
