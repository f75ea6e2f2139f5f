import CPUKernels
import Glibc
import Synchronization

/// A fixed set of threads that share the iterations of loops.
///
/// ```swift
/// let pool = ThreadPool(threads: 4)
/// pool.run(chunks: 64) { chunk in compute(rows: chunk * 32..<(chunk + 1) * 32) }
/// ```
///
/// The calling thread takes part. Each thread claims one chunk at a time, so fast cores do more of them; a thread
/// that wakes up after the last chunk was claimed is not waited for. Waiting threads look for work for some
/// microseconds, as the next loop of a token usually follows at once, and then sleep. Threads that outnumber the
/// processors sleep on: they would only take turns with those that work.
package final class ThreadPool: Sendable {
    /// How many threads take part in a loop, the calling one included. Fewer than were asked for where the system
    /// refused to start them.
    package let threads: Int
    /// How many of them work at the same time.
    package let workers: Int
    private let crew: Crew?
    /// CPUs of each thread, the calling one first; none for any.
    private let cpus: [CPUSet]
    private let handles: [pthread_t]

    /// Starts `threads - 1` threads; with one (or less), everything runs on the caller's thread.
    ///
    /// - Parameter cpus: CPUs to run on: one for each thread, or all for all where there are more threads. None for
    ///   wherever the system puts them.
    package init(threads: Int, cpus: [Int] = []) {
        self.cpus = cpus.isEmpty ? [] : threads > cpus.count ? [CPUSet(cpus)] : cpus.map { CPUSet([$0]) }
        guard threads > 1 else {
            (self.threads, workers, crew, handles) = (1, 1, nil, [])
            return
        }
        let cores = cpus.isEmpty ? sysconf(Int32(_SC_NPROCESSORS_ONLN)) : Set(cpus).count
        let seats = min(threads - 1, max(cores - 1, 1))
        // A thread that has to share a core must leave it to the one with work.
        let crew = Crew(seats: seats, spins: seats < cores ? 1000 : 0)
        var handles: [pthread_t] = []
        for number in 1..<threads {
            var handle = pthread_t()
            let cpus = self.cpus.isEmpty ? nil : self.cpus[number % self.cpus.count]
            let reference = Unmanaged.passRetained(Seat(crew, cpus))
            let code = pthread_create(
                &handle, nil,
                { reference in
                    guard let reference else { return nil }
                    let seat = Unmanaged<Seat>.fromOpaque(reference).takeRetainedValue()
                    seat.cpus?.use()
                    seat.crew.serve()
                    return nil
                }, reference.toOpaque())
            guard code == 0 else {
                reference.release()
                break
            }
            handles.append(handle)
        }
        self.threads = handles.count + 1
        workers = min(handles.count, seats) + 1
        self.crew = handles.isEmpty ? nil : crew
        self.handles = handles
    }

    deinit {
        crew?.stop()
        for handle in handles { pthread_join(handle, nil) }
    }

    /// Runs `body` on the calling thread's CPUs, and lets it go back to those it had.
    package func withCPUs<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard let own = cpus.first, let before = CPUSet.current else { return try body() }
        own.use()
        defer { before.use() }
        return try body()
    }

    /// What threads did in loops so far.
    package struct Times: Sendable {
        /// Seconds that the threads other than the caller's were in loops.
        var members = 0.0
        /// Seconds that the caller waited for them at the end of loops.
        var owner = 0.0
        /// How many of them can be.
        var memberCount = 0

        package init() {}

        /// Seconds that threads had nothing to do, all added, in a time of so many seconds: those of the caller at the
        /// ends of loops, those of the others also between loops.
        package func waiting(since earlier: Times, seconds: Double) -> Double {
            max(owner - earlier.owner + Double(memberCount) * seconds - (members - earlier.members), 0)
        }
    }

    package var times: Times {
        guard let crew else { return Times() }
        var times = crew.times
        times.memberCount = workers - 1
        return times
    }

    /// Calls `body` once for each number in `0..<chunks`, on all threads, and returns when all calls have.
    ///
    /// One loop at a time: calling this from `body`, or from two threads at once, is a programming error and stops
    /// the program. (A pool of one thread, and loops of one chunk, are plain loops and have no such limit.)
    package func run(chunks: Int, _ body: (Int) -> Void) {
        let accepted = runIfIdle(chunks: chunks, body)
        precondition(accepted, "ThreadPool.run was called while the pool runs another loop")
    }

    /// Calls `body` with ranges that together are `0..<count`, large ones first and small ones last, so that all threads
    /// end at about the same time whatever their speed.
    ///
    /// - Parameters:
    ///   - unit: what lengths are multiples of, but the last.
    ///   - atLeast: the length of a range that is worth claiming.
    package func run(over count: Int, unit: Int, atLeast: Int, _ body: (Range<Int>) -> Void) {
        guard workers > 1, count > atLeast else { return body(0..<max(count, 0)) }
        var bounds = [0]
        var rest = count
        while rest > 0 {
            let size = max(rest / (2 * workers), atLeast)
            rest -= min((size + unit - 1) / unit * unit, rest)
            bounds.append(count - rest)
        }
        bounds.withUnsafeBufferPointer { bounds in
            run(chunks: bounds.count - 1) { body(bounds[$0]..<bounds[$0 + 1]) }
        }
    }

    /// As ``run(chunks:_:)``, but where the pool is busy it calls nothing and returns false.
    package func runIfIdle(chunks: Int, _ body: (Int) -> Void) -> Bool {
        guard let crew, chunks > 1 else {
            for chunk in 0..<max(chunks, 0) { body(chunk) }
            return true
        }
        return crew.run(chunks: chunks, body)
    }
}

/// What a thread of a pool begins with.
private final class Seat: Sendable {
    let crew: Crew
    let cpus: CPUSet?

    init(_ crew: Crew, _ cpus: CPUSet?) { (self.crew, self.cpus) = (crew, cpus) }
}

/// What the threads of a pool share.
///
/// Unchecked because of `job`. It is written only by the thread that owns the loop (`busy`), while no thread
/// has joined, and is published by opening the loop; threads read it between joining and leaving, and the owner
/// waits for the last to leave. All of these are operations on `state`.
private final class Crew: @unchecked Sendable {
    private typealias Body = (Int) -> Void

    private struct Job {
        var body: UnsafePointer<Body>
        var chunks: Int
    }

    /// Threads besides the owner that may be in a loop.
    private let seats: Int
    private let spins: Int
    private let busy = Atomic(false)
    private var job: Job?
    private let nextChunk = Atomic(0)
    private let state = Atomic(State().rawValue)
    private let sleepers = Atomic(0)
    /// Threads that look for work.
    private let seekers = Atomic(0)
    private let ownerSleeps = Atomic(false)
    private let lock = Lock()
    private let memberNanoseconds = Atomic(0)
    /// Written by owners only, one after the other.
    private let ownerNanoseconds = Atomic(0)

    var times: ThreadPool.Times {
        var times = ThreadPool.Times()
        times.members = Double(memberNanoseconds.load(ordering: .relaxed)) * 1e-9
        times.owner = Double(ownerNanoseconds.load(ordering: .relaxed)) * 1e-9
        return times
    }

    init(seats: Int, spins: Int) { (self.seats, self.spins) = (seats, spins) }

    /// The number of the loop, whether threads may join it, and how many have and not left.
    private struct State {
        var rawValue: UInt64 = 0

        static let stopped: UInt64 = 1 << 31
        static let open: UInt64 = 1 << 30

        var loop: UInt64 { rawValue >> 32 }
        var isStopped: Bool { rawValue & Self.stopped != 0 }
        var isOpen: Bool { rawValue & Self.open != 0 }
        var members: UInt64 { rawValue & (Self.open - 1) }
    }

    private func currentState() -> State {
        State(rawValue: state.load(ordering: .sequentiallyConsistent))
    }

    // MARK: The owner's side

    func run(chunks: Int, _ body: (Int) -> Void) -> Bool {
        guard !busy.exchange(true, ordering: .acquiring) else { return false }
        // No thread keeps the closure: each has left when this returns.
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { body in
                job = Job(body: body, chunks: chunks)
                nextChunk.store(0, ordering: .relaxed)
                open()
                work(Job(body: body, chunks: chunks))
                close()
                job = nil
            }
        }
        busy.store(false, ordering: .releasing)
        return true
    }

    private func open() {
        state.store((currentState().loop &+ 1) << 32 | State.open, ordering: .sequentiallyConsistent)
        guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
        // Who looks for work sees it, also on the way to sleep.
        let missing = seats - seekers.load(ordering: .sequentiallyConsistent)
        if missing > 0 { lock.wake(.work, count: missing) }
    }

    /// Lets no more threads join and waits for those that have.
    private func close() {
        let left = State(
            rawValue: state.bitwiseAnd(~State.open, ordering: .sequentiallyConsistent).newValue)
        guard left.members > 0 else { return }
        let start = nanoseconds()
        defer { ownerNanoseconds.add(nanoseconds() - start, ordering: .relaxed) }
        for _ in 0..<spins {
            if currentState().members == 0 { return }
            cpu_pause()
        }
        lock.hold {
            ownerSleeps.store(true, ordering: .sequentiallyConsistent)
            while currentState().members > 0 { lock.sleep(.end) }
            ownerSleeps.store(false, ordering: .relaxed)
        }
    }

    func stop() {
        state.bitwiseOr(State.stopped, ordering: .sequentiallyConsistent)
        lock.wakeAll(.work)
    }

    // MARK: The other threads' side

    func serve() {
        var lastLoop: UInt64 = 0
        while let loop = join(after: lastLoop) {
            lastLoop = loop
            let start = nanoseconds()
            if let job { work(job) }
            memberNanoseconds.add(nanoseconds() - start, ordering: .relaxed)
            leave()
        }
    }

    /// Waits for a loop other than `last` and joins it. Returns its number, or nil when the pool ends.
    private func join(after last: UInt64) -> UInt64? {
        while true {
            let now = awaitChange(after: last)
            if now.isStopped { return nil }
            let (joined, _) = state.compareExchange(
                expected: now.rawValue, desired: now.rawValue + 1, ordering: .acquiring)
            if joined { return now.loop }
        }
    }

    private func awaitChange(after last: UInt64) -> State {
        func isNews(_ state: State) -> Bool {
            state.isStopped || state.isOpen && state.loop != last && state.members < seats
        }
        if let now = seek(isNews) { return now }
        return lock.hold {
            // Counted before looking: the owner opens before it looks at the count.
            sleepers.add(1, ordering: .sequentiallyConsistent)
            defer { sleepers.subtract(1, ordering: .relaxed) }
            var now = currentState()
            while !isNews(now) {
                lock.sleep(.work)
                now = currentState()
            }
            return now
        }
    }

    /// Looks for work, as one of as many as there are seats; nil where there is none for some microseconds.
    private func seek(_ isNews: (State) -> Bool) -> State? {
        defer { seekers.subtract(1, ordering: .sequentiallyConsistent) }
        guard seekers.add(1, ordering: .sequentiallyConsistent).newValue <= seats else { return nil }
        for _ in 0..<spins {
            let now = currentState()
            if isNews(now) { return now }
            cpu_pause()
        }
        return nil
    }

    private func leave() {
        let now = State(
            rawValue: state.subtract(1, ordering: .sequentiallyConsistent).newValue)
        if now.members == 0, !now.isOpen, ownerSleeps.load(ordering: .sequentiallyConsistent) {
            lock.wakeAll(.end)
        }
    }

    // MARK: Both

    /// Not inlined, so that the copy of the closure is gone before the thread leaves the loop.
    @inline(never)
    private func work(_ job: Job) {
        let body = job.body.pointee
        while true {
            let chunk = nextChunk.add(1, ordering: .relaxed).oldValue
            guard chunk < job.chunks else { return }
            body(chunk)
        }
    }
}

/// A mutex with two conditions, at fixed addresses as pthreads wants them.
private final class Lock: @unchecked Sendable {  // pthread's own objects are made for sharing
    enum Condition: Int { case work, end }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let conditions = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 2)

    init() {
        pthread_mutex_init(mutex, nil)
        for i in 0..<2 { pthread_cond_init(conditions + i, nil) }
    }

    deinit {
        for i in 0..<2 { pthread_cond_destroy(conditions + i) }
        pthread_mutex_destroy(mutex)
        conditions.deallocate()
        mutex.deallocate()
    }

    func hold<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Only within ``hold(_:)``; may also return without a wake-up.
    func sleep(_ condition: Condition) {
        pthread_cond_wait(conditions + condition.rawValue, mutex)
    }

    func wake(_ condition: Condition, count: Int) {
        hold { for _ in 0..<count { pthread_cond_signal(conditions + condition.rawValue) } }
    }

    func wakeAll(_ condition: Condition) {
        hold { _ = pthread_cond_broadcast(conditions + condition.rawValue) }
    }
}

/// The time of a clock that only goes forward.
private func nanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
