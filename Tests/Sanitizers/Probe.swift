import Glibc
import Synchronization

// What Tests/sanitize runs to see that a sanitizer finds what it should, and nothing else: `lock` is right, `race`
// and `overflow` are wrong on purpose.

final class Counter: @unchecked Sendable {
    let guarded = Mutex(0)
    var guardedToo = 0
    var unguarded = 0
}

final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

func start(_ run: @escaping @Sendable () -> Void) -> pthread_t {
    var thread = pthread_t()
    pthread_create(
        &thread, nil,
        { body in
            Unmanaged<Body>.fromOpaque(body!).takeRetainedValue().run()
            return nil
        }, Unmanaged.passRetained(Body(run)).toOpaque())
    return thread
}

func count(racing: Bool) -> Counter {
    let counter = Counter()
    let threads = (0..<4).map { _ in
        start {
            for _ in 0..<20_000 {
                counter.guarded.withLock {
                    $0 += 1
                    counter.guardedToo += 1
                    // The others arrive meanwhile, and wait.
                    if $0 % 100 == 0 { usleep(1) }
                }
                if racing { counter.unguarded += 1 }
            }
        }
    }
    for thread in threads { pthread_join(thread, nil) }
    return counter
}

switch CommandLine.arguments.dropFirst().first {
case "lock": print(count(racing: false).guardedToo)
case "race": print(count(racing: true).unguarded)
case "overflow":
    let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 16)
    bytes.initialize(repeating: 1, count: 16)
    print(bytes[Int(CommandLine.arguments.count) * 8])
    bytes.deallocate()
default: exit(2)
}
