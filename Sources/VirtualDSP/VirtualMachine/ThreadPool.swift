import SharedMemory
import Synchronization

/// Threads that take calls, so many that one always waits for the next.
final class ThreadPool: Sendable {
    private struct State {
        var waiting = 0
        var isEnding = false
    }

    private let state = Mutex(State())
    /// How many may wait: one more than needed, so that calls in turn make no threads.
    private static let maximumWaiting = 2

    var isEnding: Bool { state.withLock { $0.isEnding } }

    /// Starts.
    ///
    /// - Parameter body: waits for one call and does it. Calls its argument before it does what may take long.
    ///   Returns false when there will be no more calls.
    func start(_ body: @escaping @Sendable (_ becomeBusy: () -> Void) -> Bool) {
        state.withLock { $0.waiting += 1 }
        Thread.start { [self] in run(body) }
    }

    /// Lets every thread end that comes back from its call.
    func end() {
        state.withLock { $0.isEnding = true }
    }

    private func run(_ body: @escaping @Sendable (() -> Void) -> Bool) {
        while true {
            var isBusy = false
            let goesOn = body {
                isBusy = true
                if leave() { start(body) }
            }
            if !goesOn { return end() }
            if isBusy, !comeBack() { return }
        }
    }

    // Whether nobody waits any more.
    private func leave() -> Bool {
        state.withLock { state in
            state.waiting -= 1
            return state.waiting == 0 && !state.isEnding
        }
    }

    private func comeBack() -> Bool {
        state.withLock { state in
            guard state.waiting < Self.maximumWaiting, !state.isEnding else { return false }
            state.waiting += 1
            return true
        }
    }
}

/// A thread that nobody waits for.
enum Thread {
    /// Runs `body` in a thread of its own, here and now where there is none to be had.
    static func start(_ body: @escaping @Sendable () -> Void) {
        if (try? DetachedThread.start(stackByteCount: 1 << 20, body)) == nil { body() }
    }
}
