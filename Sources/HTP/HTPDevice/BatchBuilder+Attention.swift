/// Where keys or values of a layer lie in device memory.
package struct DeviceCache: Sendable {
    /// How elements are kept (`enum htp_cache_type`).
    package enum Element: UInt32, Sendable, CaseIterable {
        case f32 = 0
        case f16 = 1
        /// Blocks of 32 codes of eight bits: a row's codes, then its scales as f16.
        case q8 = 2
        /// Blocks of 32 codes of four bits, low nibbles first: a row's codes, then its scales as f16.
        case q4 = 3

        /// Bytes of `size` elements; a multiple of 32 for `q8` and `q4`.
        package func byteCount(_ size: Int) -> Int {
            switch self {
            case .f32: 4 * size
            case .f16: 2 * size
            case .q8: size + size / 32 * 2
            case .q4: size / 2 + size / 32 * 2
            }
        }
    }

    /// The first head's first position; its stride is the distance of positions.
    package var tensor: DeviceTensor
    package var element: Element
    package var heads: Int
    /// Elements of a head.
    package var size: Int
    /// Positions.
    package var capacity: Int
    /// Bytes from a head to the next.
    package var headStride: Int
    /// Position p lies at p modulo `capacity`: for attention with a window.
    package var isRing: Bool

    /// Bytes from a position to the next, which begins at a whole word.
    package static func stride(_ element: Element, size: Int) -> Int {
        (element.byteCount(size) + 3) / 4 * 4
    }

    /// A cache at `offset` of a buffer, head by head and in each position by position.
    package init(
        _ buffer: DeviceBuffer, offset: Int, element: Element, heads: Int, size: Int, capacity: Int,
        isRing: Bool = false
    ) {
        let stride = Self.stride(element, size: size)
        tensor = DeviceTensor(buffer, offset: offset, stride: stride)
        self.element = element
        self.heads = heads
        self.size = size
        self.capacity = capacity
        self.isRing = isRing
        headStride = stride * capacity
    }

    /// Bytes of all heads and positions.
    package var byteCount: Int { heads * headStride }

    /// HTP_CACHE_RING
    fileprivate var flags: UInt32 { isRing ? 4 : 0 }
}

/// The angles of a rotary embedding: for each row cosine and sine of each pair, in single precision.
package struct DeviceAngles: Sendable {
    package var tensor: DeviceTensor
    /// Pairs of a head that turn.
    package var pairs: Int
    /// A pair is i and i + pairs (NeoX); otherwise 2i and 2i + 1.
    package var halves: Bool
    /// The table has a row for every position; otherwise one for each row of the batch.
    package var byPosition: Bool

    package init(_ tensor: DeviceTensor, pairs: Int, halves: Bool, byPosition: Bool) {
        self.tensor = tensor
        self.pairs = pairs
        self.halves = halves
        self.byPosition = byPosition
    }

    fileprivate var flags: UInt32 { (halves ? 1 : 0) | (byPosition ? 2 : 0) }
}

extension BatchBuilder {
    /// destination[tokens][heads · size] = source with each head's pairs turned. It may be the source.
    package mutating func rotate(
        _ source: DeviceTensor, heads: Int, size: Int, by angles: DeviceAngles, to destination: DeviceTensor
    ) {
        append(
            BatchOperation(
                .rope, flags: angles.flags, rows: .tokens, to: destination, from: [source, angles.tensor],
                parameters: [UInt32(heads), UInt32(size), UInt32(angles.pairs)]))
    }

    /// Puts source[tokens][heads · size] into the cache at the submission's position, turned by `angles`.
    package mutating func store(_ source: DeviceTensor, by angles: DeviceAngles? = nil, to cache: DeviceCache)
    {
        append(
            BatchOperation(
                .store, flags: (angles?.flags ?? 0) | cache.flags, rows: .tokens, to: cache.tensor,
                from: [source, angles?.tensor],
                parameters: [
                    UInt32(cache.heads), UInt32(cache.size), UInt32(angles?.pairs ?? 0),
                    cache.element.rawValue,
                    UInt32(cache.capacity), UInt32(cache.headStride),
                ]))
    }

    /// How attention weighs the positions.
    package struct AttentionShape: Sendable {
        /// Heads of queries that share a key/value head.
        package var group: Int
        /// What a query's product with a key is multiplied by.
        package var scale: Float
        /// Positions that a token sees, itself included; 0 for all.
        package var window: Int = 0
        /// Products become cap · tanh(product / cap); 0 leaves them.
        package var cap: Float = 0
        /// A token sees those after it in the batch, too.
        package var seesAll: Bool = false

        package init(group: Int, scale: Float, window: Int = 0, cap: Float = 0, seesAll: Bool = false) {
            self.group = group
            self.scale = scale
            self.window = window
            self.cap = cap
            self.seesAll = seesAll
        }
    }

    /// destination[tokens][heads · values.size] = softmax(queries · keys) · values over the cache up to each token's
    /// position, its own row included.
    ///
    /// - Parameter sinks: a logit for each head that takes part in the softmax and has no value.
    package mutating func attention(
        _ queries: DeviceTensor, keys: DeviceCache, values: DeviceCache, sinks: DeviceTensor? = nil,
        _ shape: AttentionShape, to destination: DeviceTensor
    ) {
        append(
            BatchOperation(
                .attention, flags: (shape.seesAll ? 1 : 0) | keys.flags, rows: .tokens, to: destination,
                from: [queries, keys.tensor, values.tensor, sinks],
                parameters: [
                    UInt32(keys.heads), UInt32(shape.group), UInt32(keys.size), UInt32(values.size),
                    keys.element.rawValue, values.element.rawValue,
                    UInt32(min(keys.capacity, values.capacity)),
                    UInt32(keys.headStride), UInt32(values.headStride), UInt32(shape.window),
                    shape.scale.bitPattern, shape.cap.bitPattern,
                ]))
    }

    /// destination[rows][width] = softmax(source · scale). It may be the source.
    package mutating func softmax(
        _ source: DeviceTensor, width: Int, scale: Float = 1, to destination: DeviceTensor,
        rows: Rows = .tokens
    ) {
        append(
            BatchOperation(
                .softmax, rows: rows, to: destination, from: [source],
                parameters: [UInt32(width), scale.bitPattern]))
    }
}
