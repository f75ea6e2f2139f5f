import Glibc

/// Where blocking and asynchronous callers wait for the DSP's next signal.
///
/// Whoever waits says which signal it has seen, so that none gets lost between its last look at the queue
/// and the wait. Which queue moved is not looked at: everybody wakes and looks at its own.
package final class SignalGate: @unchecked Sendable {
    // A condition variable has a deadline, which no lock of the standard library has. Both live at a fixed
    // address and guard everything below.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var signalCount: UInt64 = 0
    private var failure: DSPQueueError?
    private var tasks: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var lastTask: UInt64 = 0

    package init() {
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// How many signals came so far, or why no more will come.
    package func current() throws(DSPQueueError) -> UInt64 {
        let (count, failure) = withLock { (signalCount, self.failure) }
        if let failure { throw failure }
        return count
    }

    /// A signal came: wakes all.
    package func open() {
        wake { signalCount += 1 }
    }

    /// No signal will come any more: wakes all, for good.
    package func fail(_ error: DSPQueueError) {
        wake { if failure == nil { failure = error } }
    }

    /// Blocks until a signal after `seen`, or until the deadline; false then.
    package func wait(after seen: UInt64, until deadline: ContinuousClock.Instant?) -> Bool {
        withLock {
            while signalCount == seen, failure == nil {
                guard let deadline else {
                    pthread_cond_wait(condition, mutex)
                    continue
                }
                let left = ContinuousClock.now.duration(to: deadline)
                guard left > .zero else { return false }
                // In pieces: the two clocks differ while the machine sleeps, and very long times overflow.
                var time = timespec()
                clock_gettime(CLOCK_MONOTONIC, &time)
                let piece = min(left, .seconds(1)).components
                time.tv_nsec += Int(piece.attoseconds / 1_000_000_000)
                time.tv_sec += Int(piece.seconds) + time.tv_nsec / 1_000_000_000
                time.tv_nsec %= 1_000_000_000
                pthread_cond_timedwait(condition, mutex, &time)
            }
            return true
        }
    }

    /// Suspends until a signal after `seen`, or until the task is cancelled.
    package func wait(after seen: UInt64) async {
        let id = withLock {
            lastTask += 1
            return lastTask
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = withLock {
                    // A task that is cancelled later finds its continuation in the table.
                    let waits = signalCount == seen && failure == nil && !Task.isCancelled
                    if waits { tasks[id] = continuation }
                    return waits
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            withLock { tasks.removeValue(forKey: id) }?.resume()
        }
    }

    private func wake(_ change: () -> Void) {
        let waiting = withLock {
            change()
            pthread_cond_broadcast(condition)
            defer { tasks = [:] }
            return tasks
        }
        for continuation in waiting.values { continuation.resume() }
    }

    private func withLock<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
