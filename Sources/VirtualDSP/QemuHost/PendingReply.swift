import Glibc

/// A call that has not been answered yet, and the thread that waits for that.
///
/// The answer is written once, before the semaphore is raised, and read after it was taken.
final class PendingReply: @unchecked Sendable {
    struct Answer {
        var status: UInt32
        var value: UInt32
        var bytes: [UInt8]
    }

    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private var answer: Answer?

    init() {
        semaphore.initialize(to: sem_t())
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Ends the wait; nil where there will be no answer. Called once.
    func complete(_ answer: Answer?) {
        self.answer = answer
        sem_post(semaphore)
    }

    func wait() -> Answer? {
        while sem_wait(semaphore) != 0 {}
        return answer
    }
}
