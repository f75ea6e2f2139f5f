import DSPQueue
import Synchronization

/// A thread that makes calls for another one, which need not wait until they return.
///
/// One thread at a time may use it. It ends with ``end()`` or with this object, once the call under way has returned.
package final class CallerThread: Sendable {
    private let shared = Shared()
    private let thread: ServiceThread

    /// What the thread shares with those who use it.
    private final class Shared: Sendable {
        struct State {
            var call: (@Sendable () -> Void)?
            var isEnding = false
        }

        let state = Mutex(State())
        /// Opened when there is something to do.
        let work = SignalGate()
        /// Opened when a call has returned and what it held is released.
        let returned = SignalGate()
    }

    /// Starts the thread.
    package init(_ name: String) throws(RemoteCallError) {
        thread = try ServiceThread(name) { [shared] in
            var seen: UInt64 = 0
            while true {
                _ = shared.work.wait(after: seen, until: nil)
                seen = (try? shared.work.current()) ?? 0
                let isEnding = Self.makeCall(shared)
                if isEnding { return }
            }
        }
    }

    deinit { end() }

    private static func makeCall(_ shared: Shared) -> Bool {
        let (call, isEnding) = shared.state.withLock { state in
            defer { state.call = nil }
            return (state.call, state.isEnding)
        }
        guard let call else { return isEnding }
        call()
        shared.returned.open()
        return isEnding
    }

    /// Runs `body` on the thread and waits for its end, or, at intervals, as long as `goOn` says. Nil where that said
    /// no: then `body` still runs, and this object is good for ``end()`` and ``interrupt(until:)`` only.
    package func run<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value, while goOn: () -> Bool
    ) -> Value? {
        let answer = Answer<Value>()
        let seen = (try? shared.returned.current()) ?? 0
        shared.state.withLock { state in
            state.call = {
                let value = body()
                answer.value.withLock { $0 = value }
            }
        }
        shared.work.open()
        while !shared.returned.wait(after: seen, until: .now + Self.interval) {
            guard goOn() else { return nil }
        }
        return answer.value.withLock { $0 }
    }

    private static let interval = Duration.milliseconds(50)

    private final class Answer<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }

    /// Lets the thread end.
    package func end() {
        shared.state.withLock { $0.isEnding = true }
        shared.work.open()
    }

    /// Ends a wait in the driver that the call under way is in, and waits for the end of the thread; false when the
    /// deadline passes first. Call ``end()`` before.
    @discardableResult
    package func interrupt(until deadline: ContinuousClock.Instant) -> Bool {
        thread.interrupt(until: deadline)
    }
}
