import Glibc
import Runtime
import Synchronization
import Testing

@Suite("Thread pool")
struct ThreadPoolTests {
    @Test("thousands of small loops call every chunk exactly once", arguments: 1...8)
    func everyChunkOnce(threads: Int) {
        let pool = ThreadPool(threads: threads)
        #expect(pool.threads == threads)
        let slots = 97
        // Plain memory: a data race between loops would show in the counts.
        let counts = UnsafeMutablePointer<Int>.allocate(capacity: slots)
        defer { counts.deallocate() }
        counts.initialize(repeating: 0, count: slots)
        var expected = [Int](repeating: 0, count: slots)
        for round in 0..<4000 {
            let chunks = round % slots + 1
            // Each loop reads what another thread may have written in the one before.
            let shift = round % 7
            pool.run(chunks: chunks) { counts[($0 + shift) % slots] += round }
            for chunk in 0..<chunks { expected[(chunk + shift) % slots] += round }
        }
        #expect(expected == Array(UnsafeBufferPointer(start: counts, count: slots)))
    }

    @Test("no chunks, no calls")
    func empty() {
        let pool = ThreadPool(threads: 3)
        pool.run(chunks: 0) { _ in Issue.record("called") }
        pool.run(chunks: -1) { _ in Issue.record("called") }
    }

    @Test("several threads take part")
    func sharing() {
        let pool = ThreadPool(threads: 2)
        let arrived = Atomic(0)
        // Each chunk waits for the other one: a single thread could not end this.
        pool.run(chunks: 2) { _ in
            arrived.add(1, ordering: .relaxed)
            while arrived.load(ordering: .relaxed) < 2 { sched_yield() }
        }
        #expect(arrived.load(ordering: .relaxed) == 2)
    }

    @Test("a loop within a loop is refused, and the pool works on")
    func nesting() {
        let pool = ThreadPool(threads: 2)
        let refusals = Atomic(0)
        pool.run(chunks: 16) { _ in
            if !pool.runIfIdle(chunks: 4, { _ in Issue.record("called") }) {
                refusals.add(1, ordering: .relaxed)
            }
        }
        #expect(refusals.load(ordering: .relaxed) == 16)
        #expect(pool.runIfIdle(chunks: 4) { _ in })
    }

    @Test("threads that sleep wake up again")
    func sleeping() {
        let pool = ThreadPool(threads: 2)
        for _ in 0..<20 {
            usleep(3000)
            let arrived = Atomic(0)
            pool.run(chunks: 2) { _ in
                arrived.add(1, ordering: .relaxed)
                while arrived.load(ordering: .relaxed) < 2 { sched_yield() }
            }
        }
    }

    @Test("a pool at rest uses no processor time")
    func rest() {
        let threads = 2
        let pool = ThreadPool(threads: threads)
        let clocks = UnsafeMutablePointer<clockid_t>.allocate(capacity: threads)
        defer { clocks.deallocate() }
        let arrived = Atomic(0)
        pool.run(chunks: threads) { chunk in
            pthread_getcpuclockid(pthread_self(), clocks + chunk)
            arrived.add(1, ordering: .relaxed)
            while arrived.load(ordering: .relaxed) < threads { sched_yield() }
        }
        usleep(20_000)
        let before = (0..<threads).map { seconds(clocks[$0]) }
        usleep(300_000)
        for (chunk, earlier) in before.enumerated() {
            #expect(seconds(clocks[chunk]) - earlier < 0.03)
        }
        withExtendedLifetime(pool) {}
    }

    @Test("threads run on the CPUs that were chosen, and the caller's go back")
    func chosenCPUs() throws {
        let before = try #require(CPUSet.current)
        let allowed = before.numbers
        for cpus in [[allowed[0]], Array(allowed.prefix(2).reversed())] {
            for threads in [1, 2, 4] {
                let pool = ThreadPool(threads: threads, cpus: cpus)
                // Of threads that outnumber the CPUs some sleep; two always work.
                let chunks = min(threads, max(cpus.count, 2))
                #expect(pool.threads == threads && pool.workers == chunks)
                let arrived = Atomic(0)
                let found = Mutex<[Int: CPUSet]>([:])
                pool.withCPUs {
                    pool.run(chunks: chunks) { chunk in
                        arrived.add(1, ordering: .relaxed)
                        while arrived.load(ordering: .relaxed) < chunks { sched_yield() }
                        let own = CPUSet.current
                        found.withLock { $0[chunk] = own }
                    }
                }
                let sets = found.withLock { $0 }.values
                #expect(sets.count == chunks)
                if threads <= cpus.count {
                    #expect(Set(sets.map(\.numbers)) == Set(cpus.prefix(threads).map { [$0] }))
                } else {
                    #expect(sets.allSatisfy { $0 == CPUSet(cpus) })
                }
                #expect(CPUSet.current == before)
            }
        }
    }

    @Test("ranges cover everything once, in units, with small ones last", arguments: [1, 2, 3, 8])
    func ranges(threads: Int) {
        let pool = ThreadPool(threads: threads)
        for (count, unit, atLeast) in [
            (0, 32, 32), (1, 32, 32), (31, 32, 64), (2048, 32, 128), (128_256, 32, 128), (8191, 1, 7),
        ] {
            let found = Mutex<[Range<Int>]>([])
            pool.run(over: count, unit: unit, atLeast: atLeast) { range in found.withLock { $0.append(range) }
            }
            let ranges = found.withLock { $0 }.sorted { $0.lowerBound < $1.lowerBound }
            var next = 0
            for range in ranges {
                #expect(range.lowerBound == next)
                next = range.upperBound
            }
            #expect(next == count)
            #expect(ranges.dropLast().allSatisfy { $0.count % unit == 0 && $0.count >= atLeast })
            #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.count >= $1.count })
            if pool.workers > 1, count > 100 * atLeast { #expect(ranges.count > 3 * pool.workers) }
        }
    }

    @Test("what threads wait for is counted")
    func waiting() {
        #expect(ThreadPool(threads: 1).times.waiting(since: .init(), seconds: 1) == 0)
        let pool = ThreadPool(threads: 2)
        func share(_ body: () -> Void) -> Double {
            let before = pool.times, start = ContinuousClock.now
            body()
            let seconds = (ContinuousClock.now - start).seconds
            return pool.times.waiting(since: before, seconds: seconds) / (2 * seconds)
        }
        // One thread has nothing to do, whichever it is.
        let arrived = Atomic(0)
        let halves = share {
            pool.run(chunks: 2) { chunk in
                arrived.add(1, ordering: .relaxed)
                while arrived.load(ordering: .relaxed) < 2 { sched_yield() }
                if chunk == 0 { usleep(50_000) }
            }
        }
        #expect(halves > 0.4 && halves < 0.6)
        arrived.store(0, ordering: .relaxed)
        let both = share {
            pool.run(chunks: 2) { _ in
                arrived.add(1, ordering: .relaxed)
                while arrived.load(ordering: .relaxed) < 2 { sched_yield() }
                usleep(50_000)
            }
        }
        #expect(both < 0.2)
        // A loop of the caller alone leaves the other one without work.
        let alone = share { usleep(50_000) }
        #expect(alone > 0.4 && alone < 0.6)
    }

    @Test("pools come and go")
    func lifetimes() {
        for threads in [2, 3, 8] {
            for _ in 0..<50 {
                let pool = ThreadPool(threads: threads)
                let sum = Atomic(0)
                pool.run(chunks: 10) { sum.add($0, ordering: .relaxed) }
                #expect(sum.load(ordering: .relaxed) == 45)
            }
        }
    }

    @Test("time of an empty loop (printed)", arguments: [1, 2, 4])
    func emptyLoop(threads: Int) {
        let pool = ThreadPool(threads: threads)
        let loops = 20_000
        let start = ContinuousClock.now
        for _ in 0..<loops { pool.run(chunks: threads) { _ in } }
        print("empty loop on \(threads) threads: \((ContinuousClock.now - start) / loops)")
        guard threads == 2 else { return }
        // The same with each thread waiting for the other, so that both must have woken up.
        let arrived = Atomic(0)
        let middle = ContinuousClock.now
        for loop in 1...loops {
            pool.run(chunks: 2) { _ in
                arrived.add(1, ordering: .relaxed)
                while arrived.load(ordering: .relaxed) < 2 * loop {}
            }
        }
        print("loop in which 2 threads meet: \((ContinuousClock.now - middle) / loops)")
    }
}

private func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
