import CPUKernels
import Models
import Synchronization

/// Memory for attention on the CPU: a place for each thread, and one for the parts of a few tokens' long context.
///
/// Its size depends on the model and the number of threads, not on the context.
final class AttentionScratch: Sendable {
    /// Tokens whose queries are computed together with each key/value head.
    let tokens: Int
    /// Heads of queries that share a key/value head.
    let group: Int
    /// Floats of a row's partial result.
    let record: Int
    let byteCount: Int

    /// Rows of queries that are computed together, if heads do not share keys by more.
    private static let rows = 128
    /// Floats of all partial results.
    static let partialsMax = 1 << 22

    private let workspaceFloats: Int
    private let placeFloats: Int
    private nonisolated(unsafe) let memory: UnsafeMutablePointer<Float>
    nonisolated(unsafe) let partials: UnsafeMutablePointer<Float>
    private let free: Mutex<[Int]>

    init(_ shape: Graph.Shape, batch: Int, threads: Int) {
        group = shape.heads / shape.keyValueHeads
        tokens = min(max(Self.rows / group, 1), batch)
        record = CPU_ATTENTION_HEAD + shape.valueSize
        let rows = tokens * group
        workspaceFloats =
            (cpu_attention_workspace(rows, shape.keySize, shape.valueSize) + 255) / 256 * 64
        placeFloats = workspaceFloats + (2 * rows * record + 63) / 64 * 64
        byteCount = threads * placeFloats * MemoryLayout<Float>.size
        memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
            .bindMemory(to: Float.self, capacity: threads * placeFloats)
        // Pages that nobody touches cost nothing.
        partials = .allocate(capacity: Self.partialsMax)
        free = Mutex(Array(0..<threads))
    }

    deinit {
        UnsafeMutableRawPointer(memory).deallocate()
        partials.deallocate()
    }

    /// Lends a place that no other thread uses: the kernels' workspace, and two partial results.
    func withPlace(
        _ body: (
            _ workspace: UnsafeMutableRawPointer, _ first: UnsafeMutablePointer<Float>,
            _ second: UnsafeMutablePointer<Float>
        ) -> Void
    ) {
        // There are as many as threads.
        guard let number = free.withLock({ $0.popLast() }) else {
            preconditionFailure("more users than threads")
        }
        let place = memory + number * placeFloats
        let first = place + workspaceFloats
        body(UnsafeMutableRawPointer(place), first, first + tokens * group * record)
        free.withLock { $0.append(number) }
    }
}
