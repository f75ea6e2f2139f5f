import Foundation
import SharedMemory
import Synchronization
import Testing

/// Gives anonymous memory up to a size, and counts.
private final class LimitedAllocator: SharedMemoryAllocator {
    let limit: Int
    let refusal: CInt
    let requests = Mutex<[Int]>([])

    init(limit: Int, refusal: CInt = ENOMEM) {
        self.limit = limit
        self.refusal = refusal
    }

    func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        requests.withLock { $0.append(byteCount) }
        guard byteCount <= limit else { throw SharedMemoryError(operation: "allocate", errno: refusal) }
        return try MemoryFileAllocator().allocate(byteCount: 1)
    }
}

@Suite struct CapacityTests {
    @Test func meminfoIsRead() throws {
        let text = "MemTotal:       16000 kB\nMemFree: 1 kB\nMemAvailable:   8000 kB\n"
        let capacity = try #require(MemoryCapacity(meminfo: text, pageByteCount: 16_384))
        #expect(capacity.totalByteCount == 16_384_000 && capacity.availableByteCount == 8_192_000)
        #expect(capacity.pageByteCount == 16_384)
        for bad in ["", "MemTotal: 5 kB", "MemTotal: x kB\nMemAvailable: 1 kB", "MemTotal:\nMemAvailable: 1"]
        {
            #expect(MemoryCapacity(meminfo: bad, pageByteCount: 1) == nil)
        }
        #expect(
            MemoryCapacity(meminfo: "MemTotal: \(Int.max) kB\nMemAvailable: -1 kB", pageByteCount: 1) == nil)
    }

    /// The C library's count of pages is the witness.
    @Test func theMachineIsAsked() throws {
        let capacity = try MemoryCapacity.current()
        let total = sysconf(CInt(_SC_PHYS_PAGES)) * sysconf(CInt(_SC_PAGESIZE))
        #expect(abs(capacity.totalByteCount - total) <= total / 64)
        #expect(capacity.availableByteCount > 0 && capacity.availableByteCount <= capacity.totalByteCount)
        let tracer = SystemCallTracer()
        tracer.force("read", .failure(EIO))
        let error = #expect(throws: SharedMemoryError.self) {
            try SystemCalls.$tracer.withValue(tracer) { try MemoryCapacity.current() }
        }
        #expect(error?.errno == EIO && error?.operation.contains("meminfo") == true)
    }

    @Test func theLargestAllocationIsFoundByTrying() throws {
        let page = SystemCalls.pageSize
        let bound = 1000 * page
        for limit in [1000, 999, 640, 17, 16, 15].map({ $0 * page }) {
            let allocator = LimitedAllocator(limit: limit)
            let found = try allocator.largestAllocation(atMost: bound)
            #expect(found <= limit && limit - found <= bound / 64 && found % page == 0)
            #expect(allocator.requests.withLock { $0.allSatisfy { $0 <= bound } && $0.count < 10 })
        }
        #expect(try LimitedAllocator(limit: 0).largestAllocation(atMost: bound) == 0)
        #expect(try LimitedAllocator(limit: bound).largestAllocation(atMost: page - 1) == 0)
        #expect(try MemoryFileAllocator().largestAllocation(atMost: 1 << 20) == 1 << 20)
    }

    @Test func aMissingPermissionIsNoMatterOfSize() {
        let error = #expect(throws: SharedMemoryError.self) {
            try LimitedAllocator(limit: 0, refusal: EACCES).largestAllocation(atMost: 1 << 20)
        }
        #expect(error?.errno == EACCES)
    }

    @Test(arguments: [
        (CInt(0), DMAHeapAllocator.Availability.usable), (EACCES, .forbidden), (ENOENT, .absent),
    ])
    func aHeapSaysWhetherItCanBeUsed(code: CInt, availability: DMAHeapAllocator.Availability) {
        let tracer = SystemCallTracer()
        tracer.force("access", code == 0 ? .value(0) : .failure(code))
        SystemCalls.$tracer.withValue(tracer) {
            #expect(DMAHeapAllocator().availability == availability)
        }
        #expect(tracer.calls == ["access(\"/dev/dma_heap/system\", \(R_OK))"])
        #expect(DMAHeapAllocator.heaps(directory: "/nonexistent").isEmpty)
    }

    @Test func theFirstThatWorksIsTakenAndTheOthersSayWhy() throws {
        let broken = LimitedAllocator(limit: 0, refusal: EACCES)
        let chosen = try PreferredAllocator([
            .init("library") { () throws(SharedMemoryError) in
                throw SharedMemoryError(operation: "load the library", errno: ENOENT)
            },
            .init("heap") { broken },
            .init("memory") { MemoryFileAllocator() },
            .init("never") { () throws(SharedMemoryError) in
                Issue.record("asked although the one before works")
                throw SharedMemoryError(operation: "be asked", errno: 0)
            },
        ])
        #expect(chosen.name == "memory")
        #expect(chosen.rejected.map(\.name) == ["library", "heap"])
        #expect(chosen.rejected.map(\.error.errno) == [ENOENT, EACCES])
        let buffer = try chosen.allocate(byteCount: 5)
        let origin = buffer.origin
        #expect(origin == .memoryFile)
    }

    @Test func noneIsOneErrorWithAllReasons() {
        let error = #expect(throws: SharedMemoryError.self) {
            try PreferredAllocator([
                .init("first") { LimitedAllocator(limit: 0, refusal: EACCES) },
                .init("second") { LimitedAllocator(limit: 0, refusal: ENODEV) },
            ])
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("first: ") && text.contains("second: ") && !text.contains("\n"))
    }
}
