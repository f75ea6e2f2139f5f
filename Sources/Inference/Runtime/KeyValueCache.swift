/// Keys and values of the tokens so far.
///
/// Layers may lie in memory that a DSP uses, too: both sides work in the same place.
final class KeyValueCache {
    let layout: CacheLayout
    /// Bytes of the layers that are here and not in a device's memory, with a full context.
    let byteCount: Int

    /// Where each layer begins.
    private var layers: [UnsafeMutableRawPointer]
    private let memory: PageMemory
    /// The first position that each layer still holds.
    private(set) var oldest: [Int]

    /// Reserves memory; it becomes real as it is used.
    ///
    /// - Parameter shared: where layers lie that are in a device's memory.
    init(_ layout: CacheLayout, shared: [Int: UnsafeMutableRawPointer] = [:]) throws {
        let bytes = layout.positions.indices.reduce(0) { sum, layer in
            sum + (shared[layer] == nil ? layout.layerBytes(layer) : 0)
        }
        guard let memory = PageMemory(byteCount: bytes) else {
            throw RuntimeError("no memory for a key/value cache of \(bytes) bytes")
        }
        self.layout = layout
        byteCount = bytes
        self.memory = memory
        var next = memory.start
        layers = layout.positions.indices.map { layer in
            if let place = shared[layer] { return place }
            defer { next += layout.layerBytes(layer) }
            return next
        }
        oldest = layout.positions.map { _ in 0 }
    }

    /// Layers in a device's memory lie elsewhere from now on.
    func move(_ shared: [Int: UnsafeMutableRawPointer]) {
        for (layer, place) in shared { layers[layer] = place }
    }

    /// The keys of a head from position 0 on, or what lies in its place.
    func keys(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        layers[layer] + head * layout.keyStride * layout.positions[layer]
    }

    /// The values of a head.
    func values(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        layers[layer] + layout.keyBytes(layer) + head * layout.valueStride * layout.positions[layer]
    }

    // MARK: What is there

    /// Positions before `end` will have been written: layers that hold less forget the first ones.
    func willStore(before end: Int) {
        for layer in oldest.indices { oldest[layer] = max(oldest[layer], end - layout.positions[layer]) }
    }

    /// Nothing is there, so nothing is missing.
    func restart() {
        for layer in oldest.indices { oldest[layer] = 0 }
    }

    /// Nothing before `position` is there in a layer.
    func restart(_ layer: Int, at position: Int) {
        oldest[layer] = position
    }

    /// Whether everything is there that a token at `position` sees.
    func canGoOn(at position: Int) -> Bool {
        oldest.indices.allSatisfy { layer in
            let window = layout.windows[layer]
            return position == 0 || oldest[layer] == 0
                || window > 0 && position + 1 - window >= oldest[layer]
        }
    }
}
