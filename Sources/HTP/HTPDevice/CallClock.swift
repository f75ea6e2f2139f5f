/// Tells how long calls take.
package struct CallClock: Sendable {
    /// The time since some moment in the past.
    package let now: @Sendable () -> Duration

    package init(now: @escaping @Sendable () -> Duration) { self.now = now }

    /// Stands still while the machine sleeps.
    package static let suspending: CallClock = {
        let start = SuspendingClock.now
        return CallClock { start.duration(to: .now) }
    }()
}
