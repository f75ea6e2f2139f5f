import SharedMemory

/// Threads for calls that may block: there is always one more than calls that do.
final class ThreadPool: Sendable {
    /// The kernel has 256 calls under way on a channel at most.
    private static let maximumThreads = 300

    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var next = 0
        var idle = 0
        var threads = 0
        var isEnding = false
    }

    private let state = Monitor(State())

    /// Runs `job` on a thread that waits for one, or a new one. False when there is none to be had.
    func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        let needsThread = state.withLock { state in
            state.jobs.append(job)
            let needsThread =
                state.idle < state.jobs.count - state.next && state.threads < Self.maximumThreads
            if needsThread { state.threads += 1 }
            return needsThread
        }
        guard needsThread else { return true }
        guard (try? DetachedThread.start { self.work() }) != nil else {
            return state.withLock { state in
                state.threads -= 1
                // Somebody else may take the job later; without any thread nobody will.
                if state.threads == 0 { state.jobs.removeLast() }
                return state.threads > 0
            }
        }
        return true
    }

    /// Ends the threads once they have no job left, and waits for that as long as `timeout`.
    func end(timeout: Duration) {
        state.withLock { $0.isEnding = true }
        _ = state.wait(timeout: timeout) { $0.threads == 0 ? true : nil }
    }

    private func work() {
        state.withLock { $0.idle += 1 }
        while let job = takeJob() {
            job()
            state.withLock { $0.idle += 1 }
        }
    }

    private func takeJob() -> (@Sendable () -> Void)? {
        state.waitForever { state -> (@Sendable () -> Void)?? in
            if state.next < state.jobs.count {
                let job = state.jobs[state.next]
                state.next += 1
                if state.next == state.jobs.count {
                    state.jobs = []
                    state.next = 0
                }
                state.idle -= 1
                return .some(job)
            }
            guard state.isEnding else { return .none }
            state.idle -= 1
            state.threads -= 1
            return .some(nil)
        }
    }
}
