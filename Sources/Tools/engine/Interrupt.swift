import Glibc
import Synchronization

/// Turns the first Ctrl-C into a wish to stop; the second one ends the program as usual.
enum Interrupt {
    private static let flag = Atomic(false)

    /// Whether Ctrl-C was pressed.
    static var isRequested: Bool { flag.load(ordering: .relaxed) }

    static func catchFirst() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in Interrupt.flag.store(true, ordering: .relaxed) }
        action.sa_flags = CInt(bitPattern: UInt32(SA_RESETHAND))
        sigaction(SIGINT, &action, nil)
    }
}
