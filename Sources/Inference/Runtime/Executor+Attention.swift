import CPUKernels
import Models

extension Executor {
    /// A block of tokens is computed with all heads that share keys, so that these are read once for all of them. Its
    /// context is done part by part, in parts that begin at fixed positions and are merged in their order: by one thread,
    /// or by several where there are too few blocks to occupy them. The bits are the same.
    ///
    /// - Parameter stored: what has to be put into the cache before, where all tokens are one block.
    func attention(
        _ query: Int, layer: Int, _ attention: Attention, _ output: Int, _ step: Step,
        storing stored: StoredTensors? = nil
    ) {
        let shape = graph.shape, scratch = scratch, blocks = attentionBlocks(step)
        let work = AttentionWork(
            kernels: attentionKernels, shape: shape, scratch: scratch, cache: cache, layer: layer,
            attention: attention, sinks: attention.sinks.flatMap { weights.vectors[$0] },
            queries: pointer(query), results: pointer(output), step: step)
        let chunks = shape.keyValueHeads * blocks
        // Parts that some block needs.
        let parts = work.parts(0..<step.tokens.count)
        let partFloats = min(scratch.tokens, step.tokens.count) * scratch.group * scratch.record
        guard parts.count > 1, options.threads > 1, chunks < 4 * options.threads,
            chunks * parts.count * partFloats <= AttentionScratch.partialsMax
        else {
            return pool.run(chunks: chunks) { chunk in
                let head = chunk / blocks
                if let stored { store(stored, layer: layer, head: head, rows: step.tokens.indices, step) }
                work.whole(head: head, block: chunk % blocks)
            }
        }
        if let stored { store(stored, layer: layer, step) }
        let partials = scratch.partials
        pool.run(chunks: chunks * parts.count) { index in
            let (chunk, part) = (index / parts.count, parts.lowerBound + index % parts.count)
            guard work.parts(work.rows(chunk % blocks)).contains(part) else { return }
            scratch.withPlace { workspace, _, _ in
                work.attend(
                    head: chunk / blocks, block: chunk % blocks, part: part, workspace,
                    into: partials + index * partFloats)
            }
        }
        pool.run(chunks: chunks) { chunk in
            let own = work.parts(work.rows(chunk % blocks))
            let first = partials + (chunk * parts.count - parts.lowerBound) * partFloats
            let total = first + own.lowerBound * partFloats
            for part in own.dropFirst() {
                work.merge(total, first + part * partFloats, block: chunk % blocks)
            }
            work.finish(total, head: chunk / blocks, block: chunk % blocks)
        }
    }

    /// Blocks of tokens that are computed one by one.
    func attentionBlocks(_ step: Step) -> Int { (step.tokens.count + scratch.tokens - 1) / scratch.tokens }

    /// Puts keys and values into the cache.
    func store(_ stored: StoredTensors, layer: Int, _ step: Step) {
        // A few tokens of a head at a time.
        let tokens = step.tokens.indices, piece = 64, pieces = (tokens.count + piece - 1) / piece
        pool.run(chunks: graph.shape.keyValueHeads * pieces) { chunk in
            let first = chunk % pieces * piece
            store(
                stored, layer: layer, head: chunk / pieces, rows: (first..<first + piece).clamped(to: tokens),
                step)
        }
    }

    private func store(_ stored: StoredTensors, layer: Int, head: Int, rows: Range<Int>, _ step: Step) {
        let shape = graph.shape, layout = cache.layout, encode = attentionKernels.encode
        let (keys, values) = (cache.keys(layer: layer, head: head), cache.values(layer: layer, head: head))
        let (keyType, valueType) = (
            CInt(layout.keyType.element.rawValue), CInt(layout.valueType.element.rawValue)
        )
        for row in rows {
            let place = (step.position + row) % layout.positions[layer]
            let from = row * shape.keyValueHeads + head
            encode?(
                keys + place * layout.keyStride, pointer(stored.key) + from * shape.keySize, shape.keySize,
                keyType)
            encode?(
                values + place * layout.valueStride, pointer(stored.value) + from * shape.valueSize,
                shape.valueSize, valueType)
        }
    }
}

/// What a layer adds to the cache.
struct StoredTensors {
    var key: Int
    var value: Int
}

/// One operation of attention, cut into blocks of tokens and parts of the context.
private struct AttentionWork {
    let kernels: cpu_attention_kernels
    let shape: Graph.Shape
    let scratch: AttentionScratch
    let cache: KeyValueCache
    let layer: Int
    let attention: Attention
    let sinks: [Float]?
    let queries: UnsafeMutablePointer<Float>
    let results: UnsafeMutablePointer<Float>
    let step: Step

    private static let partSize = CPU_ATTENTION_PART

    /// The tokens of a block.
    func rows(_ block: Int) -> Range<Int> {
        block * scratch.tokens..<min((block + 1) * scratch.tokens, step.tokens.count)
    }

    /// Positions that some of the tokens see.
    private func positions(_ rows: Range<Int>) -> Range<Int> {
        let first = step.position + rows.lowerBound + 1
        return (attention.window > 0 ? max(first - attention.window, 0) : 0)..<step.position + rows.upperBound
    }

    /// The parts that these positions lie in.
    func parts(_ rows: Range<Int>) -> Range<Int> {
        let positions = positions(rows)
        return positions.lowerBound / Self.partSize..<(positions.upperBound - 1) / Self.partSize + 1
    }

    /// A block with all its context.
    func whole(head: Int, block: Int) {
        scratch.withPlace { workspace, total, next in
            let parts = parts(rows(block))
            attend(head: head, block: block, part: parts.lowerBound, workspace, into: total)
            for part in parts.dropFirst() {
                attend(head: head, block: block, part: part, workspace, into: next)
                merge(total, next, block: block)
            }
            finish(total, head: head, block: block)
        }
    }

    func attend(
        head: Int, block: Int, part: Int, _ workspace: UnsafeMutableRawPointer,
        into partial: UnsafeMutablePointer<Float>
    ) {
        let rows = rows(block), positions = positions(rows), layout = cache.layout
        let width = shape.heads * shape.keySize
        var a = cpu_attention()
        a.queries = UnsafePointer(
            queries + rows.lowerBound * width + head * scratch.group * shape.keySize)
        (a.query_stride, a.tokens, a.heads) = (width, rows.count, scratch.group)
        a.keys = UnsafeRawPointer(cache.keys(layer: layer, head: head))
        a.values = UnsafeRawPointer(cache.values(layer: layer, head: head))
        (a.key_stride, a.value_stride) = (layout.keyStride, layout.valueStride)
        a.key_type = CInt(layout.keyType.element.rawValue)
        a.value_type = CInt(layout.valueType.element.rawValue)
        (a.key_size, a.value_size) = (shape.keySize, shape.valueSize)
        (a.capacity, a.position) = (layout.positions[layer], step.position + rows.lowerBound)
        (a.window, a.scale, a.cap) = (attention.window, attention.scale, attention.cap)
        a.begin = max(part * Self.partSize, positions.lowerBound)
        a.end = min((part + 1) * Self.partSize, positions.upperBound)
        a.workspace = workspace
        kernels.attend(&a, partial)
    }

    func merge(_ total: UnsafeMutablePointer<Float>, _ part: UnsafeMutablePointer<Float>, block: Int) {
        kernels.merge(total, part, rows(block).count * scratch.group, shape.valueSize)
    }

    func finish(_ total: UnsafeMutablePointer<Float>, head: Int, block: Int) {
        let first = head * scratch.group
        for (index, row) in rows(block).enumerated() {
            for member in 0..<scratch.group {
                var sink = sinks?[first + member] ?? 0
                let result = results + (row * shape.heads + first + member) * shape.valueSize
                let own = total + (index * scratch.group + member) * scratch.record
                withUnsafePointer(to: &sink) {
                    kernels.finish(result, own, shape.valueSize, sinks == nil ? nil : $0)
                }
            }
        }
    }
}
