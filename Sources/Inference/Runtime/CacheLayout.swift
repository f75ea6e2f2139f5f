import HTPDevice
import Models

/// How keys and values lie in a layer's memory: the same on the CPU and on a DSP, as both work in the same place.
///
/// A layer's keys come first, head by head, and a head's position by position, so that attention reads them in one
/// stream; then its values. A layer that sees a window of positions holds no more than that and a batch: position p lies
/// at p modulo their number.
struct CacheLayout {
    let keyType: CacheType
    let valueType: CacheType
    /// Bytes from one position of a head to the next.
    let keyStride: Int
    let valueStride: Int
    /// Positions that the context has.
    let contextLength: Int
    let heads: Int
    /// Positions that each layer holds.
    let positions: [Int]
    /// Positions that a token sees in each layer; 0 for all.
    let windows: [Int]

    /// Fails where heads are not made of whole blocks, or where no memory could hold it.
    init(_ graph: Graph, path: String, _ options: Executor.Options) throws(RuntimeError) {
        let shape = graph.shape
        for (name, type, size) in [
            ("key", options.keyType, shape.keySize), ("value", options.valueType, shape.valueSize),
        ] where size % type.blockSize != 0 {
            throw RuntimeError(
                "\(path): a \(name) cache of \(type.rawValue) needs heads of a multiple of \(type.blockSize) elements, "
                    + "this model's have \(size); f16 takes any")
        }
        (keyType, valueType) = (options.keyType, options.valueType)
        keyStride = DeviceCache.stride(keyType.element, size: shape.keySize)
        valueStride = DeviceCache.stride(valueType.element, size: shape.valueSize)
        (contextLength, heads) = (options.contextLength, shape.keyValueHeads)
        // Of several operations on a layer the one that sees most.
        var windows = [Int?](repeating: nil, count: shape.layers)
        for operation in graph.operations {
            guard case .attention(_, let layer, let attention, _) = operation.kind else { continue }
            let own = attention.window, other = windows[layer] ?? own
            windows[layer] = own == 0 || other == 0 ? 0 : max(own, other)
        }
        self.windows = windows.map { $0 ?? 0 }
        positions = self.windows.map { window in
            window == 0 ? options.contextLength : min(options.contextLength, window + options.batch)
        }
        var sum = 0
        for count in positions {
            guard let bytes = PhysicalMemory.bytes(heads, keyStride + valueStride, count),
                sum + bytes <= PhysicalMemory.byteCount
            else {
                throw RuntimeError(
                    "the key/value cache for a context of \(contextLength) tokens does not fit into memory; "
                        + "choose a smaller context (-c) or type (-ctk, -ctv)")
            }
            sum += bytes
        }
    }

    /// Whether a layer forgets what it does not see any more.
    func isRing(_ layer: Int) -> Bool { positions[layer] < contextLength }

    /// What is kept, for people.
    var description: String {
        var text = "keys in \(keyType.rawValue), values in \(valueType.rawValue)"
        let rings = positions.indices.filter(isRing)
        if let first = rings.first {
            text +=
                "; \(rings.count) of \(positions.count) layers see a window of \(windows[first]) and hold "
                + "\(positions[first]) of \(contextLength) positions"
        }
        return text
    }

    /// Bytes of a layer's keys.
    func keyBytes(_ layer: Int) -> Int { heads * keyStride * positions[layer] }

    /// Bytes of a layer.
    func layerBytes(_ layer: Int) -> Int { heads * (keyStride + valueStride) * positions[layer] }
}
