import Synchronization

/// Records the system calls made under it and answers some of them in the kernel's place.
///
///     let tracer = SystemCallTracer()
///     tracer.force("ioctl", .failure(EINTR))
///     SystemCalls.$tracer.withValue(tracer) { … }
package final class SystemCallTracer: Sendable {
    /// What a call is answered with.
    package enum Answer: Sendable {
        /// The call returns this.
        case value(Int)
        /// The call returns -1 with this `errno`.
        case failure(CInt)
    }

    private struct State: Sendable {
        var calls: [String] = []
        var forced: [String: [@Sendable (UnsafeMutableRawPointer?) -> Answer]] = [:]
        var handlers: [String: @Sendable (String, UnsafeMutableRawPointer?) -> Answer?] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// The calls so far, each as `name(arguments)`.
    package var calls: [String] { state.withLock { $0.calls } }

    /// Answers the next calls of this name, in order; later ones go to the kernel again.
    package func force(_ name: String, _ answers: Answer...) {
        for answer in answers { force(name) { _ in answer } }
    }

    /// Answers the next call of this name with what `answer` makes of its pointer argument.
    package func force(_ name: String, answer: @escaping @Sendable (UnsafeMutableRawPointer?) -> Answer) {
        state.withLock { $0.forced[name, default: []].append(answer) }
    }

    /// Asks `answer` at every call of this name that is not forced; nil sends the call to the kernel. It gets
    /// the arguments as ``calls`` shows them, and may be asked by several threads at once.
    package func handle(
        _ name: String, answer: @escaping @Sendable (String, UnsafeMutableRawPointer?) -> Answer?
    ) {
        state.withLock { $0.handlers[name] = answer }
    }

    func answer(_ name: String, _ arguments: String, _ pointer: UnsafeMutableRawPointer?) -> Answer? {
        let (forced, handler) = state.withLock { state in
            state.calls.append("\(name)(\(arguments))")
            let isForced = state.forced[name]?.isEmpty == false
            return (isForced ? state.forced[name]?.removeFirst() : nil, state.handlers[name])
        }
        return forced?(pointer) ?? handler?(arguments, pointer)
    }
}
