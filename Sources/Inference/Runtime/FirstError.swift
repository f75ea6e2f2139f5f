import Synchronization

/// Keeps the first error of a loop whose iterations run on several threads.
package final class FirstError: Sendable {
    private let error = Mutex<(any Error)?>(nil)

    package init() {}

    /// Runs `body`; what it throws is kept if it is the first.
    package func catching(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            self.error.withLock { $0 = $0 ?? error }
        }
    }

    /// Throws the kept error, if there is one.
    package func rethrow() throws {
        if let error = error.withLock({ $0 }) { throw error }
    }
}
