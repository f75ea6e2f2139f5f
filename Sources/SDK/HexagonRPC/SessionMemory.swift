import SharedMemory

/// How much memory a session's process on the DSP can have mapped, and how much of that is left.
public struct SessionMemory: Hashable, Sendable {
    /// Bytes that the process can have mapped at once.
    public var totalByteCount: Int
    /// Bytes of the buffers that this session has mapped.
    public var mappedByteCount: Int
    /// Bytes that can be mapped besides, by what is known now: the rest of the total, or what the machine has
    /// available, whichever is less.
    public var freeByteCount: Int
    /// Bytes of memory that the machine could give now, to this session or to whoever else asks; nil where it does not
    /// say.
    public var machineByteCount: Int?

    /// Bytes that buffers can take in a process on a DSP. Its addresses have 32 bits, and its own code, heap and stacks
    /// take some; no interface tells the rest, and users report about 3.5 GB.
    public static let addressSpaceByteCount = 3584 << 20

    /// - Parameters:
    ///   - total: bytes that the process can have mapped at once.
    ///   - mapped: bytes that it has mapped.
    ///   - available: bytes of memory that the machine could give now; nil where it does not say.
    public init(
        total: Int = SessionMemory.addressSpaceByteCount, mapped: Int,
        available: Int? = try? MemoryCapacity.current().availableByteCount
    ) {
        totalByteCount = total
        mappedByteCount = mapped
        machineByteCount = available
        freeByteCount = min(max(total - mapped, 0), available ?? .max)
    }
}
