import DSPQueue
import Glibc
import RemoteCalls
import SharedMemory

/// A thread of a session, with all signals blocked: handlers belong to the program's own threads, and a wait
/// in the driver must not end for them.
final class ServiceThread: Sendable {
    private let finished = SignalGate()

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - name: at most 15 bytes are shown.
    ///   - body: what it does. It should not own what would be ended by waiting for this thread.
    init(_ name: String, _ body: @escaping @Sendable () -> Void) throws(RemoteCallError) {
        let finished = finished
        // A test's tracer is of the thread that set it.
        let tracer = SystemCalls.tracer
        try Self.start(name, blocking: Signals.all) {
            if let tracer {
                SystemCalls.$tracer.withValue(tracer, operation: body)
            } else {
                body()
            }
            finished.open()
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
        return set
    }()

    /// Starts the thread that takes the process's signals, once.
    static func startReceiver() { _ = receiver }

    private static let receiver: Bool = {
        let status: Void? = try? ServiceThread.start("fastrpc-signals", blocking: nil) {
            while true { pause() }
        }
        return status != nil
    }()

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
