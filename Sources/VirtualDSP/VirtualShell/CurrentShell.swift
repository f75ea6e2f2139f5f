import Glibc

/// The process that a thread belongs to: the C functions for programs have no argument that says so.
enum CurrentShell {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()
    /// The one that has the operating system's process for itself, so that every thread is one of its own.
    private static let owner = Monitor<Shell?>(nil)

    /// Makes every thread one of `shell`, or ends that with nil.
    static func own(_ shell: Shell?) {
        owner.withLock { $0 = shell }
    }

    /// Makes the calling thread one of `shell`, which must outlive it.
    static func adopt(_ shell: Shell) {
        pthread_setspecific(key, Unmanaged.passUnretained(shell).toOpaque())
    }

    /// The calling thread's process; nil where it is none of the virtual DSP's.
    static var shell: Shell? {
        if let pointer = pthread_getspecific(key) {
            return Unmanaged<Shell>.fromOpaque(pointer).takeUnretainedValue()
        }
        return owner.withLock { $0 }
    }
}
