import Glibc
import Synchronization

/// Sends signals that are meant to end this process on to the program that it runs.
final class SignalForwarding: Sendable {
    private struct State {
        var process: pid_t?
        var isCancelled = false
    }

    private let state = Mutex(State())
    private static let numbers = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

    /// Blocks the signals for this thread and those that it makes from now on.
    init() {
        var set = Self.set
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Whether a signal came after the program's end: nobody waits for what it left behind any more.
    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func start(_ process: pid_t) {
        state.withLock { $0.process = process }
        Thread.start { [self] in
            while true {
                var set = Self.set
                var information = siginfo_t()
                let number = sigwaitinfo(&set, &information)
                guard number > 0 else { continue }
                state.withLock { state in
                    guard let process = state.process else {
                        state.isCancelled = true
                        return
                    }
                    // A terminal sends to the whole group; then the code is SI_KERNEL, which is positive.
                    if information.si_code <= 0 { kill(process, number) }
                }
            }
        }
    }

    func commandEnded() {
        state.withLock { $0.process = nil }
    }

    private static var set: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        return set
    }
}
