/// How long somebody who waits goes on with it.
struct Patience {
    /// Between two questions.
    static let interval = Duration.milliseconds(50)
    /// How long work may go on once nobody wants its result.
    private static let grace = Duration.milliseconds(300)

    private let clock: CallClock
    private let start: Duration
    private let limit: Duration?
    private let isUnwanted: (@Sendable () -> Bool)?
    private var interruption: Duration?

    init(_ limit: Duration?, _ clock: CallClock, _ isUnwanted: (@Sendable () -> Bool)?) {
        (self.limit, self.clock, self.isUnwanted) = (limit, clock, isUnwanted)
        start = clock.now()
    }

    /// Whether nobody wants the result any more.
    var isInterrupted: Bool { interruption != nil }

    /// Whether to wait on.
    var remains: Bool {
        mutating get {
            let now = clock.now()
            if let limit, now - start > limit { return false }
            if interruption == nil, isUnwanted?() == true { interruption = now }
            return interruption.map { now - $0 < Self.grace } ?? true
        }
    }
}
