import Models

extension Executor {
    /// Puts `count` tokens into an empty cache without computing them, for measurements at a depth: keys and values are
    /// small numbers that differ from place to place, which takes as long to read as real ones.
    package func fillCache(to count: Int) throws {
        precondition(count <= options.contextLength)
        rewind(to: 0)
        let shape = graph.shape, layout = cache.layout, encode = attentionKernels.encode
        try withCaches(of: deviceGraphs[...]) {
            pool.run(chunks: shape.layers * shape.keyValueHeads) { chunk in
                let (layer, head) = (chunk / shape.keyValueHeads, chunk % shape.keyValueHeads)
                let rows = min(count, layout.positions[layer])
                func fill(_ memory: UnsafeMutableRawPointer, _ stride: Int, _ size: Int, _ type: CacheType) {
                    // Some rows, again and again.
                    let different = min(rows, 64)
                    for row in 0..<different {
                        let floats = (row * size..<(row + 1) * size).map { index in
                            Float((index &* 37 + chunk) % 256) / 1024
                        }
                        encode?(memory + row * stride, floats, size, CInt(type.element.rawValue))
                    }
                    for row in different..<max(rows, different) {
                        (memory + row * stride).copyMemory(
                            from: memory + row % different * stride, byteCount: stride)
                    }
                }
                fill(cache.keys(layer: layer, head: head), layout.keyStride, shape.keySize, layout.keyType)
                fill(
                    cache.values(layer: layer, head: head), layout.valueStride, shape.valueSize,
                    layout.valueType)
            }
        }
        cache.willStore(before: count)
        cached = Array(repeating: CachedToken(id: 0, isOnDevices: false), count: count)
    }
}
