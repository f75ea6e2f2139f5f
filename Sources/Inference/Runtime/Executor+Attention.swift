import CPUKernels
import Models

extension Executor {
    /// One chunk of work is a head of a token.
    func attention(_ query: Int, layer: Int, _ attention: Attention, _ output: Int, _ step: Step) {
        let shape = graph.shape
        let (kernels, cache) = (kernels, cache)
        let queries = pointer(query), results = pointer(output)
        let sinks = attention.sinks.flatMap { weights.vectors[$0] }
        pool.run(chunks: step.tokens.count * shape.heads) { chunk in
            let (row, head) = (chunk / shape.heads, chunk % shape.heads)
            let end = step.position + row + 1
            let begin = attention.window > 0 ? max(end - attention.window, 0) : 0
            let shared = head / (shape.heads / shape.keyValueHeads)
            let keys = cache.keys(layer: layer, head: shared) + begin * shape.keySize
            let values = cache.values(layer: layer, head: shared) + begin * shape.valueSize
            let result = results + chunk * shape.valueSize
            let length = end - begin
            withUnsafeTemporaryAllocation(of: Float.self, capacity: length + 1) { scores in
                guard let base = scores.baseAddress else { return }
                for index in 0..<length {
                    (base + index).initialize(
                        to: kernels.dot_f32(
                            keys + index * shape.keySize, queries + chunk * shape.keySize, shape.keySize))
                }
                var scale = attention.scale
                if attention.cap > 0 || sinks != nil {
                    cpu_scale(base, length, scale, attention.cap)
                    scale = 1
                }
                // A sink takes its share of the weights and gives nothing.
                (base + length).initialize(to: sinks?[head] ?? 0)
                kernels.softmax(base, sinks == nil ? length : length + 1, scale)
                result.update(repeating: 0, count: shape.valueSize)
                for index in 0..<length {
                    kernels.axpy_f32(
                        result, base[index], values + index * shape.valueSize, shape.valueSize)
                }
            }
        }
    }
}
