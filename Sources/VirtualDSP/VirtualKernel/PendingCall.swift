import Glibc

/// A message that the process on the DSP has not answered yet, and the thread that waits for that.
///
/// The outcome is written once, before the semaphore is raised, and read after it was taken.
final class PendingCall: @unchecked Sendable {
    /// How a call ended.
    enum Outcome {
        /// The DSP's answer.
        case reply(status: UInt32, value: UInt64)
        /// The process died over it.
        case processDied
        /// The whole DSP went away.
        case channelGone
    }

    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private var outcome: Outcome?

    init() {
        semaphore.initialize(to: sem_t())
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Ends the wait. Called once.
    func complete(_ outcome: Outcome) {
        self.outcome = outcome
        sem_post(semaphore)
    }

    /// Waits until the call has ended, or, where nobody has ended it, as long as `goOn` says at intervals.
    /// Returns nil where that says no.
    ///
    /// A signal to the client's thread is nothing that this process could wait for, so that a wait looks after
    /// its client now and then.
    func wait(while goOn: (_ waited: Duration) -> Bool) -> Outcome? {
        let start = ContinuousClock.now
        while true {
            var deadline = timespec()
            clock_gettime(CLOCK_REALTIME, &deadline)
            deadline.tv_nsec += Self.interval
            if deadline.tv_nsec >= 1_000_000_000 {
                deadline.tv_nsec -= 1_000_000_000
                deadline.tv_sec += 1
            }
            if sem_timedwait(semaphore, &deadline) == 0 { return outcome }
            guard errno == EINTR || goOn(start.duration(to: .now)) else { return nil }
        }
    }

    /// Nanoseconds between two looks after the client.
    private static let interval = 250_000_000
}
