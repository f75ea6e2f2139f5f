import CPUKernels
import Engine
import GGUF
import Glibc
import Quantization
import Runtime
import Synchronization

/// A measurement of a kernel against its roof.
struct KernelRow: Encodable {
    var version = 1
    /// The weights' type.
    var format: String
    /// The instruction set.
    var kernels: String
    var n_threads: Int
    /// Activation rows that are multiplied at once.
    var n_columns: Int
    /// `bandwidth`: GB/s of weights against reading; `arithmetic`: billions of multiply-adds a second against those of
    /// the level's instructions from registers.
    var roof_kind: String
    /// The instructions, or how many streams a thread read at once.
    var roof_name: String
    var weight_bytes: Int
    /// Medians, in the unit of the roof's kind.
    var measured: Double
    var roof: Double
    /// The part of the roof that is reached; 0 where none is known.
    var share: Double
    /// The instruction set it is compared with, and how much faster it is.
    var compared: String?
    var speedup: Double?
    var samples: [Double]
}

/// Measures products of matrices too large for the caches, each against this machine's roof in the same run.
struct KernelBench {
    let set: InstructionSet
    let compared: InstructionSet?
    let cpus: [Int]
    let repetitions: Int
    let shouldStop: () -> Bool

    /// Numbers of a row, a real one's.
    private static let columns = 4096
    /// Rows of a matrix, whose results of a column lie together.
    private static let resultRows = 4096
    /// Bytes of all matrices, far above what caches hold.
    private static let byteCount = 256 << 20
    /// As long as a sample takes at least.
    private static let sampleSeconds = 0.05

    private struct Weights {
        var type: TensorType
        var format: CInt
        /// Of the whole matrix; only I2_S has one.
        var scale: Float
        var rowBytes: Int
        var rows: Int
        var memory: UnsafeMutableRawPointer
    }

    /// The types that products are measured of.
    static let types: [TensorType] = TensorType.allKnown.filter { $0.kernelFormat != nil }

    /// Measures the products of types with the numbers of columns, on as many threads.
    func measure(
        _ types: [TensorType], columns counts: [Int], threads: Int, _ onRow: (KernelRow) throws -> Void
    ) throws {
        let pool = ThreadPool(threads: threads, cpus: cpus)
        let (bandwidth, streams) = pool.withCPUs { self.readBandwidth(pool) }
        for type in types {
            guard !shouldStop() else { return }
            let weights = try randomWeights(type, pool)
            defer { weights.memory.deallocate() }
            for count in counts {
                guard !shouldStop(),
                    let samples: [Double] = pool.withCPUs({
                        self.samples(weights, set, count: count, pool)
                    })
                else { return }
                let reference: [Double]? = compared.flatMap { other in
                    pool.withCPUs { self.samples(weights, other, count: count, pool) }
                }
                let isBandwidth = count == 1
                let size = isBandwidth ? Double(weights.rowBytes) : Double(Self.columns * count)
                let peak = isBandwidth ? nil : pool.withCPUs { self.peak(set, weights.format, count, pool) }
                let (values, roof) = (
                    samples.map { size * $0 * 1e-9 }, isBandwidth ? bandwidth : peak?.rate ?? 0
                )
                try onRow(
                    KernelRow(
                        format: type.name, kernels: set.name, n_threads: pool.threads, n_columns: count,
                        roof_kind: isBandwidth ? "bandwidth" : "arithmetic",
                        roof_name: isBandwidth ? "\(streams) streams" : peak?.name ?? "unknown",
                        weight_bytes: weights.rows * weights.rowBytes, measured: median(values), roof: roof,
                        share: roof > 0 ? median(values) / roof : 0, compared: compared?.name,
                        speedup: reference.map { median(samples) / median($0) }, samples: values))
            }
        }
    }

    // MARK: Products

    /// Rows of weights a second, in each repetition; nil where the processor lacks the kernels.
    private func samples(
        _ weights: Weights, _ set: InstructionSet, count: Int, _ pool: ThreadPool
    ) -> [Double]? {
        guard let kernels = cpu_kernels_get(set.level) else { return nil }
        let kind = cpu_activation_kind(kernels, weights.format, count)
        let rowBytes = cpu_activation_bytes(kind, Self.columns)
        let activations = UnsafeMutableRawPointer.allocate(byteCount: rowBytes * count, alignment: 64)
        // As a model's matrix would have them: written again and again, not for the first time. One is free for each thread.
        let resultCount = Self.resultRows * count
        let results = UnsafeMutablePointer<Float>.allocate(capacity: resultCount * pool.threads)
        results.initialize(repeating: 0, count: resultCount * pool.threads)
        let free = Mutex(Array(0..<pool.threads))
        defer {
            activations.deallocate()
            results.deallocate()
        }
        var generator = SplitMix64(state: 7)
        for column in 0..<count {
            let values = (0..<Self.columns).map { _ in Float(generator.nextUnit() - generator.nextUnit()) }
            cpu_prepare(kernels, kind, values, Self.columns, activations + column * rowBytes)
        }
        var product = cpu_product()
        product.weight_row_bytes = weights.rowBytes
        product.weight_scale = weights.scale
        product.activations = UnsafeRawPointer(activations)
        product.activation_kind = kind
        product.activation_row_bytes = rowBytes
        (product.dst_stride, product.columns, product.count) = (Self.resultRows, Self.columns, count)
        // Ranges as matrices of a model have them. Few columns: through all of the memory. Many: as much as fits the time.
        let piece = 512
        var next = 0
        func run(_ rows: Int) -> Double {
            let pieces = (rows + piece - 1) / piece, first = next, all = weights.rows / piece
            let start = ContinuousClock.now
            pool.run(chunks: pieces) { chunk in
                let own = free.withLock { $0.removeLast() }
                var product = product
                let row = (first + chunk) % all * piece
                product.weights = UnsafeRawPointer(weights.memory + row * weights.rowBytes)
                product.dst = results + own * resultCount
                cpu_multiply(kernels, weights.format, &product, 0, piece)
                free.withLock { $0.append(own) }
            }
            next = (first + pieces) % all
            return (ContinuousClock.now - start).seconds / Double(pieces * piece)
        }
        // The first time counts no more than to know how long it takes.
        let seconds = run(piece * pool.threads * 2)
        let rows = max(Int(Self.sampleSeconds / seconds), piece * pool.threads * 4)
        return (0..<repetitions).map { _ in 1 / run(rows) }
    }

    /// Valid blocks of random weights, in a matrix that is too large for the caches.
    private func randomWeights(_ type: TensorType, _ pool: ThreadPool) throws -> Weights {
        guard let format = type.kernelFormat, let rowBytes = type.layout?.rowByteCount(Self.columns) else {
            throw EngineError(.badInput, "\(type.name) has no kernel")
        }
        let rows = (Self.byteCount / rowBytes + 511) / 512 * 512
        let memory = UnsafeMutableRawPointer.allocate(byteCount: rows * rowBytes, alignment: 4096)
        // Quantised once, some rows; the others repeat them.
        let distinct = 64
        var generator = SplitMix64(state: 3)
        for row in 0..<distinct {
            let target = UnsafeMutableRawBufferPointer(start: memory + row * rowBytes, count: rowBytes)
            do {
                let values = (0..<Self.columns).map { _ in
                    Float(generator.nextUnit() - generator.nextUnit()) * 0.05
                }
                try values.withUnsafeBufferPointer { try type.quantizeRow($0, into: target) }
            } catch {
                memory.deallocate()
                throw error
            }
        }
        pool.run(chunks: rows / distinct - 1) { chunk in
            (memory + (chunk + 1) * distinct * rowBytes).copyMemory(
                from: memory, byteCount: distinct * rowBytes)
        }
        return Weights(
            type: type, format: format, scale: 0.05, rowBytes: rowBytes, rows: rows, memory: memory)
    }

    // MARK: Roofs

    /// GB/s that the threads read together, with the best number of streams of each.
    private func readBandwidth(_ pool: ThreadPool) -> (rate: Double, streams: Int) {
        let size = Self.byteCount / pool.threads / 4096 * 4096
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size * pool.threads, alignment: 4096)
        defer { memory.deallocate() }
        pool.run(chunks: pool.threads) { _ = memset(memory + $0 * size, CInt($0 % 100 + 1), size) }
        var best = (rate: 0.0, streams: 0)
        for streams in [1, 4, 8, 16] {
            let rates = (0..<max(repetitions, 3)).map { _ in
                let start = ContinuousClock.now
                // Each thread claims its next part when it is through with the one before.
                pool.run(chunks: 4 * pool.threads) { part in
                    let bytes = size / 4 / 4096 * 4096
                    _ = cpu_peak_read(memory + part * bytes, bytes, streams)
                }
                return Double(size / 4 / 4096 * 4096 * 4 * pool.threads)
                    / (ContinuousClock.now - start).seconds * 1e-9
            }
            if median(rates) > best.rate { best = (median(rates), streams) }
        }
        return best
    }

    /// Billions of multiply-adds a second of all threads, from registers.
    private func peak(
        _ set: InstructionSet, _ format: CInt, _ count: Int, _ pool: ThreadPool
    ) -> (rate: Double, name: String)? {
        guard let kernels = cpu_kernels_get(set.level),
            let peak = cpu_peak_get(set.level, cpu_activation_kind(kernels, format, count))?.pointee,
            let run = peak.run
        else { return nil }
        let loops = 200_000, chunks = 8 * pool.threads
        pool.run(chunks: chunks) { _ in run(loops) }
        let rates = (0..<max(repetitions, 3)).map { _ in
            let start = ContinuousClock.now
            pool.run(chunks: chunks) { _ in run(loops) }
            return Double(chunks * loops * peak.multiply_adds) / (ContinuousClock.now - start).seconds * 1e-9
        }
        return (median(rates), String(cString: peak.name))
    }

    private func median(_ values: [Double]) -> Double {
        let sorted = values.sorted(), middle = values.count / 2
        guard !sorted.isEmpty else { return 0 }
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
