import Glibc
import Models

/// Keys and values of the tokens so far, in single precision.
///
/// A layer's keys lie head by head, and a head's position by position, so that attention reads them in one
/// stream. The memory is reserved for the whole context and becomes real as it is used.
final class KeyValueCache {
    let capacity: Int
    /// Bytes that are in use with a full context.
    let byteCount: Int

    private let shape: Graph.Shape
    private let memory: UnsafeMutablePointer<Float>
    private let layerFloats: Int
    private let keyFloats: Int

    /// Reserves memory for `capacity` tokens.
    init(_ shape: Graph.Shape, capacity: Int) throws {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard
            let bytes = PhysicalMemory.bytes(
                MemoryLayout<Float>.size, shape.layers, shape.keyValueHeads, shape.keySize + shape.valueSize,
                capacity),
            let address = mmap(nil, bytes, PROT_READ | PROT_WRITE, flags, -1, 0), address != MAP_FAILED
        else {
            throw RuntimeError(
                "the key/value cache for a context of \(capacity) tokens does not fit into memory; "
                    + "choose a smaller context (-c)")
        }
        self.shape = shape
        self.capacity = capacity
        keyFloats = shape.keyValueHeads * shape.keySize * capacity
        layerFloats = keyFloats + shape.keyValueHeads * shape.valueSize * capacity
        byteCount = bytes
        memory = address.bindMemory(to: Float.self, capacity: bytes / MemoryLayout<Float>.size)
    }

    deinit {
        munmap(memory, byteCount)
    }

    /// The keys of a head: `keySize` floats for each position.
    func keys(layer: Int, head: Int) -> UnsafeMutablePointer<Float> {
        memory + layer * layerFloats + head * shape.keySize * capacity
    }

    /// The values of a head: `valueSize` floats for each position.
    func values(layer: Int, head: Int) -> UnsafeMutablePointer<Float> {
        memory + layer * layerFloats + keyFloats + head * shape.valueSize * capacity
    }
}
