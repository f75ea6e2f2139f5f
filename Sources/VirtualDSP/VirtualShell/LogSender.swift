import SharedMemory

/// Lines of programs' logs, on their way to the host. Whoever logs does not wait for the host.
final class LogSender: Sendable {
    /// Lines that wait; what comes beyond is lost, as in the DSP's own buffer.
    private static let capacity = 1000

    private struct State {
        var lines: [String] = []
        var isSending = false
        var isEnded = false
        var hasThread = false
    }

    private let state = Monitor(State())
    private let host: HostServices

    init(_ host: HostServices) {
        self.host = host
    }

    func log(_ line: String) {
        let needsThread = state.withLock { state in
            guard !state.isEnded, state.lines.count < Self.capacity else { return false }
            state.lines.append(line)
            defer { state.hasThread = true }
            return !state.hasThread
        }
        if needsThread { try? DetachedThread.start { self.work() } }
    }

    /// Sends what waits, as long as `timeout`, and no more.
    func end(timeout: Duration) {
        _ = state.wait(timeout: timeout) { $0.lines.isEmpty && !$0.isSending ? true : nil }
        state.withLock { $0.isEnded = true }
    }

    private func work() {
        while let lines = nextLines() {
            // A host that does not serve the log gets none.
            do { try host.log(lines.joined(separator: "\n")) } catch {}
            state.withLock { $0.isSending = false }
        }
    }

    private func nextLines() -> [String]? {
        state.waitForever { state -> [String]?? in
            if state.isEnded { return .some(nil) }
            guard !state.lines.isEmpty else { return .none }
            let lines = Array(state.lines.prefix(32))
            state.lines.removeFirst(lines.count)
            state.isSending = true
            return .some(lines)
        }
    }
}
