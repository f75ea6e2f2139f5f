import RemoteCalls
import Synchronization

/// Whether a session can still be used, and if not, why: the same error for every call.
final class SessionState: Sendable {
    private let isDown = Atomic(false)
    private let failure = Mutex<RemoteCallError?>(nil)
    private let isEnding = Atomic(false)

    /// Throws where the session is over.
    @inline(__always)
    func check() throws(RemoteCallError) {
        if isDown.load(ordering: .acquiring) { throw reason }
    }

    /// Why the session is over.
    var reason: RemoteCallError {
        failure.withLock { $0 }
            ?? RemoteCallError(AEEResult(rawValue: 0x0d), operation: "use a session that was ended")
    }

    /// Whether the process on the DSP was lost, or the session ended.
    var isOver: Bool { isDown.load(ordering: .acquiring) }

    /// The first loss is the one that is told.
    func lose(_ error: RemoteCallError) {
        failure.withLock { if $0 == nil { $0 = error } }
        isDown.store(true, ordering: .releasing)
    }

    /// Whether this is the first call; no further one may use the session.
    func beginEnd() -> Bool {
        !isEnding.exchange(true, ordering: .acquiringAndReleasing)
    }

    /// Whether the session is being ended on purpose.
    var isEndingOnPurpose: Bool { isEnding.load(ordering: .acquiring) }
}
