import Glibc
import Synchronization

/// Something that blocks, on a thread of its own: the tasks of tests share too few threads to wait in them.
final class Background<Value: Sendable>: @unchecked Sendable {
    private let body: @Sendable () throws -> Value
    private var value: Result<Value, any Error>?
    private var thread = pthread_t()

    init(_ body: @escaping @Sendable () throws -> Value) {
        self.body = body
        pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<BackgroundBody>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(BackgroundBody { self.value = Result { try self.body() } }).toOpaque())
    }

    /// Waits until it is done.
    func join() throws -> Value {
        pthread_join(thread, nil)
        return try value!.get()
    }
}

private final class BackgroundBody {
    let run: () -> Void

    init(_ run: @escaping () -> Void) { self.run = run }
}
