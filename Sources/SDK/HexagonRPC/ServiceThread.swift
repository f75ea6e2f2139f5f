import DSPQueue
import Glibc
import RemoteCalls
import SharedMemory
import Synchronization

/// A thread of a session, with all signals blocked: handlers belong to the program's own threads, and a wait
/// in the driver must not end for them.
final class ServiceThread: Sendable {
    private let finished = SignalGate()
    private let running = Running()

    /// The thread while it runs.
    private final class Running: Sendable {
        private let thread = Mutex<pthread_t?>(nil)

        func begin() { thread.withLock { $0 = pthread_self() } }
        func end() { thread.withLock { $0 = nil } }

        func signal() {
            // Under the lock, so that the thread cannot have ended.
            thread.withLock { thread in
                if let thread { pthread_kill(thread, Signals.interruption) }
            }
        }
    }

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - name: at most 15 bytes are shown.
    ///   - body: what it does. It should not own what would be ended by waiting for this thread.
    init(_ name: String, _ body: @escaping @Sendable () -> Void) throws(RemoteCallError) {
        let (finished, running) = (finished, running)
        // A test's tracer is of the thread that set it.
        let tracer = SystemCalls.tracer
        try Self.start(name, blocking: Signals.allButInterruption) {
            running.begin()
            if let tracer {
                SystemCalls.$tracer.withValue(tracer, operation: body)
            } else {
                body()
            }
            running.end()
            finished.open()
        }
    }

    /// Ends a wait in the driver, now and again until the thread has ended; false when the deadline passes first.
    ///
    /// A signal is the only way: the driver waits for a method as long as it takes, but so that a signal ends the
    /// wait, and who closes the node's descriptor meanwhile closes nothing, as the waiting thread still has the file.
    /// Repeated since a signal may come before the wait begins.
    @discardableResult
    func interrupt(until deadline: ContinuousClock.Instant) -> Bool {
        while true {
            running.signal()
            let pause = ContinuousClock.now + .milliseconds(10)
            if join(until: min(pause, deadline)) { return true }
            if pause >= deadline { return false }
        }
    }

    /// Waits for the thread's end; false when the deadline passes first.
    func join(until deadline: ContinuousClock.Instant) -> Bool {
        finished.wait(after: 0, until: deadline)
    }

    /// Starts a detached thread with the creator's signal mask and `blocking`.
    static func start(
        _ name: String, blocking: sigset_t?, _ body: @escaping @Sendable () -> Void
    ) throws(RemoteCallError) {
        // A thread inherits the mask of its creator.
        let failure = Signals.blocking(blocking) { () -> SystemError? in
            do throws(SystemError) {
                try DetachedThread.start {
                    SystemCalls.threadName = name
                    body()
                }
                return nil
            } catch {
                return error
            }
        }
        if let failure {
            throw RemoteCallError(
                .noMemory, operation: "start the thread \(name) (\(failure))",
                advice: "the system or a limit of this user (ulimit -u) allows no more threads")
        }
    }
}

/// The threads that wait in the driver for a session's calls, so that they can be told to leave.
final class CallsUnderWay: Sendable {
    private let threads = Mutex<[pthread_t]>([])

    @inline(__always)
    func during<Result>(_ body: () -> Result) -> Result {
        let own = pthread_self()
        threads.withLock { $0.append(own) }
        defer {
            threads.withLock { threads in
                if let index = threads.lastIndex(of: own) { threads.remove(at: index) }
            }
        }
        return body()
    }

    /// Ends the waits, now and again until there are none or the deadline passes.
    func interrupt(until deadline: ContinuousClock.Instant) {
        while true {
            let isEmpty = threads.withLock { threads in
                // A thread that is in the list cannot have ended.
                for thread in threads { pthread_kill(thread, Signals.interruption) }
                return threads.isEmpty
            }
            guard !isEmpty, ContinuousClock.now < deadline else { return }
            usleep(5000)
        }
    }
}

/// The signals of the threads that call a DSP.
///
/// The kernel waits for a method's end in a way that a signal ends, and then makes the request again where the
/// handler was installed with `SA_RESTART`: the method would run twice, unseen. So signals are held back in
/// the thread that calls. A thread of its own takes what is sent to the process meanwhile, so that Ctrl-C ends
/// the program, or runs its handler, also while a DSP does not answer and the program has only one thread.
/// It has the signal mask of the thread that made the first session: what a program blocks everywhere stays
/// blocked.
///
/// Stopping and continuing the process (Ctrl-Z) cannot be held back: the kernel makes the request again then.
enum Signals {
    /// All of them.
    static let all: sigset_t = {
        var set = sigset_t()
        sigfillset(&set)
        return set
    }()

    /// All but those that mean a fault of the thread itself.
    static let foreign: sigset_t = {
        var set = all
        for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS] { sigdelset(&set, signal) }
        sigdelset(&set, interruption)
        return set
    }()

    /// All but the one by which ``ServiceThread/interrupt(until:)`` ends a wait.
    static let allButInterruption: sigset_t = {
        var set = all
        sigdelset(&set, interruption)
        return set
    }()

    /// A real-time signal that nobody else has a handler for. Its own does nothing, and lets no call be made again.
    static let interruption: CInt = {
        let (lowest, highest) = (__libc_current_sigrtmin(), __libc_current_sigrtmax())
        var number = highest
        for candidate in (lowest...highest).reversed() {
            var action = sigaction()
            guard sigaction(candidate, nil, &action) == 0 else { continue }
            // A null pointer is SIG_DFL.
            guard action.__sigaction_handler.sa_handler == nil else { continue }
            number = candidate
            break
        }
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        sigaction(number, &action, nil)
        return number
    }()

    /// Starts the thread that takes the process's signals, once.
    static func startReceiver() { _ = receiver }

    private static let receiver: Bool = {
        let status: Void? = try? ServiceThread.start("fastrpc-signals", blocking: nil) {
            while true { pause() }
        }
        return status != nil
    }()

    /// Runs `body`, a call that may wait in the driver, with only the signals that end it.
    @inline(__always)
    static func calling<Result>(_ body: () -> Result) -> Result {
        var (signals, before) = (foreign, sigset_t())
        pthread_sigmask(SIG_SETMASK, &signals, &before)
        let result = body()
        pthread_sigmask(SIG_SETMASK, &before, nil)
        return result
    }

    /// Runs `body` with more signals blocked.
    @inline(__always)
    static func blocking<Result>(_ signals: sigset_t?, _ body: () -> Result) -> Result {
        guard var signals else { return body() }
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &signals, &before)
        let result = body()
        pthread_sigmask(SIG_SETMASK, &before, nil)
        return result
    }
}
