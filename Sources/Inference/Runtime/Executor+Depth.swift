import Models

extension Executor {
    /// Puts `count` tokens into an empty cache without computing them, for measurements at a depth: keys and values are
    /// small numbers that differ from place to place, which takes as long to read as real ones.
    package func fillCache(to count: Int) throws {
        precondition(count <= options.contextLength)
        rewind(to: 0)
        let shape = graph.shape
        try withCaches(of: deviceGraphs[...]) {
            pool.run(chunks: shape.layers * shape.keyValueHeads) { chunk in
                let (layer, head) = (chunk / shape.keyValueHeads, chunk % shape.keyValueHeads)
                func fill(_ floats: UnsafeMutablePointer<Float>, _ size: Int) {
                    for index in 0..<count * size {
                        floats[index] = Float((index &* 37 + chunk) % 256) / 1024
                    }
                }
                fill(cache.keys(layer: layer, head: head), shape.keySize)
                fill(cache.values(layer: layer, head: head), shape.valueSize)
            }
        }
        cached = Array(repeating: CachedToken(id: 0, isOnDevices: false), count: count)
    }
}
