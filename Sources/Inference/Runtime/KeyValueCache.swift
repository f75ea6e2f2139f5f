import Glibc
import Models

/// Keys and values of the tokens so far, in single precision.
///
/// A layer's keys lie head by head, and a head's position by position, so that attention reads them in one
/// stream. Layers may lie in memory that a DSP uses, too: both sides work in the same place.
final class KeyValueCache {
    let capacity: Int
    /// Bytes of the layers that are here and not in a device's memory, with a full context.
    let byteCount: Int

    private let shape: Graph.Shape
    /// Where each layer begins.
    private var layers: [UnsafeMutablePointer<Float>]
    private let memory: UnsafeMutableRawPointer

    /// Reserves memory for `capacity` tokens; it becomes real as it is used.
    ///
    /// - Parameter shared: where layers lie that are in a device's memory.
    init(_ shape: Graph.Shape, capacity: Int, shared: [Int: UnsafeMutableRawPointer] = [:]) throws {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let own = shape.layers - shared.count
        guard
            let bytes = Self.layerBytes(shape, capacity: capacity).flatMap({ PhysicalMemory.bytes($0, own) }),
            let address = mmap(nil, max(bytes, 1), PROT_READ | PROT_WRITE, flags, -1, 0),
            address != MAP_FAILED
        else {
            throw Self.tooLarge(capacity)
        }
        self.shape = shape
        self.capacity = capacity
        byteCount = bytes
        memory = address
        var next = address
        layers = (0..<shape.layers).map { layer in
            let floats = own == 0 ? 0 : bytes / own / MemoryLayout<Float>.size
            if let place = shared[layer] { return place.assumingMemoryBound(to: Float.self) }
            defer { next += floats * MemoryLayout<Float>.size }
            return next.bindMemory(to: Float.self, capacity: floats)
        }
    }

    /// Layers in a device's memory lie elsewhere from now on.
    func move(_ shared: [Int: UnsafeMutableRawPointer]) {
        for (layer, place) in shared { layers[layer] = place.assumingMemoryBound(to: Float.self) }
    }

    deinit {
        munmap(memory, max(byteCount, 1))
    }

    /// Bytes of a layer, nil where no memory could hold them.
    static func layerBytes(_ shape: Graph.Shape, capacity: Int) -> Int? {
        PhysicalMemory.bytes(
            MemoryLayout<Float>.size, shape.keyValueHeads, shape.keySize + shape.valueSize, capacity)
    }

    /// Bytes of a layer's keys, which come first.
    static func keyBytes(_ shape: Graph.Shape, capacity: Int) -> Int {
        MemoryLayout<Float>.size * shape.keyValueHeads * shape.keySize * capacity
    }

    static func tooLarge(_ capacity: Int) -> RuntimeError {
        RuntimeError(
            "the key/value cache for a context of \(capacity) tokens does not fit into memory; "
                + "choose a smaller context (-c)")
    }

    /// The keys of a head: `keySize` floats for each position.
    func keys(layer: Int, head: Int) -> UnsafeMutablePointer<Float> {
        layers[layer] + head * shape.keySize * capacity
    }

    /// The values of a head: `valueSize` floats for each position.
    func values(layer: Int, head: Int) -> UnsafeMutablePointer<Float> {
        layers[layer] + (shape.keyValueHeads * shape.keySize + head * shape.valueSize) * capacity
    }
}
