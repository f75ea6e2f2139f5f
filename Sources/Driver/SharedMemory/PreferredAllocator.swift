/// The first of several allocators that works on this machine, and why those before it were not taken.
public struct PreferredAllocator: SharedMemoryAllocator {
    /// A place that memory may come from.
    public struct Candidate: Sendable {
        /// What it is called in messages, for example `/dev/dma_heap/system`.
        public let name: String
        let make: @Sendable () throws(SharedMemoryError) -> any SharedMemoryAllocator

        /// - Parameter make: makes the allocator; called only when no candidate before it works.
        public init(
            _ name: String,
            _ make: @escaping @Sendable () throws(SharedMemoryError) -> any SharedMemoryAllocator
        ) {
            self.name = name
            self.make = make
        }
    }

    /// A candidate that was not taken.
    public struct Rejection: Hashable, Sendable, CustomStringConvertible {
        /// The candidate's name.
        public let name: String
        /// What it said when it was tried.
        public let error: SharedMemoryError

        /// One line.
        public var description: String { "\(name): \(error)" }
    }

    /// What allocates.
    public let allocator: any SharedMemoryAllocator
    /// Its name among the candidates.
    public let name: String
    /// The candidates before it, with their reasons.
    public let rejected: [Rejection]

    /// Takes the first candidate that can allocate a page, which is freed at once.
    ///
    /// - Throws: an error with the reasons of all, when none can.
    public init(_ candidates: [Candidate]) throws(SharedMemoryError) {
        var rejected: [Rejection] = []
        for candidate in candidates {
            do throws(SharedMemoryError) {
                let allocator = try candidate.make()
                try allocator.allocate(byteCount: 1).close()
                self.allocator = allocator
                name = candidate.name
                self.rejected = rejected
                return
            } catch {
                rejected.append(Rejection(name: candidate.name, error: error))
            }
        }
        throw SharedMemoryError(
            operation: "find a place to allocate shared memory from", errno: 0,
            advice: rejected.map(\.description).joined(separator: "; "))
    }

    /// Allocates from the candidate that was taken.
    public func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        try allocator.allocate(byteCount: byteCount)
    }
}

extension PreferredAllocator.Candidate {
    /// A heap under `/dev/dma_heap`: a dma-buf that every device can map.
    public static func dmaHeap(_ name: String = "system") -> Self {
        let heap = DMAHeapAllocator(heap: name)
        return Self(heap.path) { heap }
    }

    /// The first render node of the `msm` driver: a dma-buf for users of group `render`.
    public static var drm: Self {
        Self("DRM render node") { () throws(SharedMemoryError) in try DRMAllocator() }
    }
}
