/// How long somebody who waits goes on with it.
struct Patience {
    /// Between two questions.
    static let interval = Duration.milliseconds(50)
    /// How long work may go on once nobody wants its result.
    private static let grace = Duration.milliseconds(300)

    // It does not go on while the machine sleeps.
    private let start = SuspendingClock.now
    private let limit: Duration?
    private let isUnwanted: (@Sendable () -> Bool)?
    private var interruption: SuspendingClock.Instant?

    init(_ limit: Duration?, _ isUnwanted: (@Sendable () -> Bool)?) {
        (self.limit, self.isUnwanted) = (limit, isUnwanted)
    }

    /// Whether nobody wants the result any more.
    var isInterrupted: Bool { interruption != nil }

    /// Whether to wait on.
    var remains: Bool {
        mutating get {
            let now = SuspendingClock.now
            if let limit, start.duration(to: now) > limit { return false }
            if interruption == nil, isUnwanted?() == true { interruption = now }
            return interruption.map { $0.duration(to: now) < Self.grace } ?? true
        }
    }
}
