/// One step of a trial, as the child process tells it, one JSON object a line.
package struct SessionStep: Hashable, Sendable, Codable {
    package enum State: String, Hashable, Sendable, Codable {
        /// The step begins; it may take `deadline` seconds.
        case begins
        /// Something is known, but the step goes on.
        case goesOn
        case done
        case failed
    }

    package var name: String
    package var state: State
    /// When the step begins: the seconds that it may take.
    package var deadline: Double?
    /// What was found.
    package var values: [String: String]
    /// Where it failed: the code, what was being done, and what the error advises.
    package var code: UInt32?
    package var text: String?
    package var advice: String?

    package init(
        _ name: String, _ state: State, deadline: Double? = nil, values: [String: String] = [:],
        code: UInt32? = nil, text: String? = nil, advice: String? = nil
    ) {
        self.name = name
        self.state = state
        self.deadline = deadline
        self.values = values
        self.code = code
        self.text = text
        self.advice = advice
    }
}

/// What came of a trial.
package struct SessionOutcome: Sendable {
    /// Why there was none.
    var reason: Findings.Cause?
    /// The steps that came to an end, by name.
    package var steps: [String: SessionStep] = [:]
    /// The step in which the child process was when its deadline passed, or when it died, and how that was.
    package var interrupted: (step: String, how: String)?

    /// A trial that was made.
    package init(steps: [SessionStep] = [], interrupted: (step: String, how: String)? = nil) {
        for step in steps where step.state != .begins { self.steps[step.name] = step }
        self.interrupted = interrupted
    }

    static func notTried(_ cause: Findings.Cause) -> SessionOutcome {
        var outcome = SessionOutcome()
        outcome.reason = cause
        return outcome
    }

    /// A trial that was not made, and why.
    package static func notTried(_ reason: String) -> SessionOutcome { .notTried(.other(reason)) }

    /// How a step ended.
    enum Ending {
        case done(SessionStep)
        case failed(SessionStep)
        /// The DSP did not answer in time, or the process died.
        case interrupted(how: String, SessionStep?)
        /// The trial ended before.
        case notReached
    }

    func ending(_ name: String) -> Ending {
        let step = steps[name]
        if let interrupted, interrupted.step == name { return .interrupted(how: interrupted.how, step) }
        guard let step else { return .notReached }
        return step.state == .failed ? .failed(step) : .done(step)
    }
}

/// Tries sessions, each in a process of its own: a thread that the driver holds cannot be cancelled.
package protocol SessionTrial {
    func kernel(_ request: KernelTrialRequest) -> SessionOutcome
    func library(_ request: LibraryTrialRequest) -> SessionOutcome
}

/// What to try through the kernel's driver.
package struct KernelTrialRequest: Hashable, Sendable, Codable {
    package var domain: String
    /// Modules that the host has, by file name.
    package var modules: [String]
    /// Whether only the capabilities are asked for.
    package var endsBeforeSession: Bool
}

/// What to try through libcdsprpc.
package struct LibraryTrialRequest: Hashable, Sendable, Codable {
    package var domain: String
    /// The library's file.
    package var file: String
    package var modules: [String]
}

/// Tries nothing.
package struct NoTrial: SessionTrial {
    let reason: String

    package init(reason: String) {
        self.reason = reason
    }

    package func kernel(_ request: KernelTrialRequest) -> SessionOutcome { .notTried(reason) }
    package func library(_ request: LibraryTrialRequest) -> SessionOutcome { .notTried(reason) }
}
