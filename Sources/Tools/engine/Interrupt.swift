import Glibc
import Synchronization

/// Turns the first Ctrl-C into a wish to stop; the second one ends the program at once.
enum Interrupt {
    private static let flag = Atomic(false)

    /// Whether Ctrl-C was pressed.
    static var isRequested: Bool { flag.load(ordering: .relaxed) }

    static func catchFirst() {
        // The handler must not be the first to use the flag: it is made then.
        guard !isRequested else { return }
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            // Whatever is left goes with the process: its files, and with them its sessions and buffers.
            if Interrupt.flag.exchange(true, ordering: .relaxed) { _exit(130) }
        }
        action.sa_flags = CInt(bitPattern: UInt32(SA_RESTART))
        sigaction(SIGINT, &action, nil)
    }
}
