import Synchronization

/// The largest of numbers that several threads find.
final class Maximum: Sendable {
    private let number = Mutex<Float>(0)

    func include(_ value: Float) {
        number.withLock { $0 = max($0, value) }
    }

    var value: Float { number.withLock { $0 } }
}
