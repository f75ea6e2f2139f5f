import Glibc
import Synchronization

/// Turns the first Ctrl-C into a wish to stop; the second one ends the program at once.
enum Interrupt {
    private static let flag = Atomic(false)
    /// A pipe that gets a byte with each wish, for those who wait for something else besides.
    private static let wake: (reader: CInt, writer: CInt) = {
        var ends: [CInt] = [-1, -1]
        _ = pipe(&ends)
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        return (ends[0], ends[1])
    }()

    /// Whether Ctrl-C was pressed.
    static var isRequested: Bool { flag.load(ordering: .relaxed) }

    /// Readable once Ctrl-C was pressed.
    static var descriptor: CInt { wake.reader }

    /// Forgets it: what was to stop has stopped.
    static func reset() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(wake.reader, &bytes, bytes.count) > 0 {}
        flag.store(false, ordering: .relaxed)
    }

    static func catchFirst() {
        // The handler must not be the first to use the flag or the pipe: they are made then.
        guard !isRequested, wake.writer != CInt.min else { return }
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            // Whatever is left goes with the process: its files, and with them its sessions and buffers.
            if Interrupt.flag.exchange(true, ordering: .relaxed) { _exit(130) }
            let error = errno
            _ = write(Interrupt.wake.writer, "!", 1)
            errno = error
        }
        action.sa_flags = CInt(bitPattern: UInt32(SA_RESTART))
        sigaction(SIGINT, &action, nil)
    }
}
