import ArgumentParser
import GGUF
import Glibc
import HTPDevice
import Runtime
import SharedMemory

/// How long repacking takes, measured in the time of reading the same bytes.
///
/// All cores do in turns, so that what else the machine does is shared:
///
/// - read: every byte once, in the order of memory, each core a MiB at a time;
/// - fast: the same, from four places a quarter of a MiB apart at once, which is the most that memory gives;
/// - copy: `memcpy`, a MiB at a time, to memory that was written before;
/// - repack: into memory that was written before;
/// - load: as the loader does, into an anonymous file that is fresh: what the system takes to give out memory, page
///   by page, comes on top.
///
/// Reading is of memory: files are in the page cache, and mapped pages were touched before.
@main
struct BenchRepack: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-repack",
        abstract: "Times repacking of weights into the DSP's tiles against reading them.")

    @Argument(help: "Formats as in q4_0 and q4_K; all of them by default.")
    var formats: [String] = []
    @Option(name: .shortAndLong, help: "Repack all matrices of a GGUF file instead.")
    var model: String?
    @Option(help: "Rounds; medians are printed.")
    var rounds = 9
    @Flag(help: "Print the fastest rounds instead, which others at work on the machine disturb less.")
    var best = false
    @Option(help: "Inputs of a matrix.")
    var columns = 2048
    @Option(help: "Weights of a format, in millions.")
    var millions = 256
    @Option(name: .shortAndLong, help: "Threads; 0 for one per core.")
    var threads = 0
    @Option(help: "A level of the processor's kernels (cpu_kernels.h), -1 for Swift alone.")
    var level: Int32?

    func run() throws {
        let pool = ThreadPool(threads: threads > 0 ? threads : sysconf(CInt(_SC_NPROCESSORS_ONLN)))
        let kernels = level.map { RowTileKernels(level: $0) } ?? .best
        print("\(pool.threads) threads, milliseconds, \(best ? "the best" : "medians") of \(rounds) rounds")
        print(
            row(
                "",
                [
                    "MB", "read", "GB/s", "fast", "GB/s", "copy", "repack", "/ read", "/ fast", "/ copy",
                    "load",
                ]))
        if let model {
            let file = try GGUFFile(path: model)
            var matrices: [WeightMatrix] = []
            for tensor in file.tensors where tensor.rowCount > 1 {
                guard WeightMatrix.supports(rows: tensor.rowCount, columns: tensor.rowLength),
                    let format = WeightMatrix.format(of: tensor.type)
                else { continue }
                matrices.append(
                    try WeightMatrix(
                        name: tensor.name, format: format, rows: tensor.rowCount, columns: tensor.rowLength,
                        bytes: file.bytes(of: tensor)))
            }
            try measure("model", matrices, pool, kernels)
            return
        }
        for format in WeightMatrix.Format.allCases where formats.isEmpty || formats.contains("\(format)") {
            let rows = millions * 1_000_000 / columns / 64 * 64
            let count = rows * format.rowBytes(columns: columns) + format.trailerBytes
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count + 8, alignment: 4096)
            defer { bytes.deallocate() }
            // Any bits are codes; scales of half and single precision stay finite without their top bits.
            var state: UInt64 = 1
            for offset in stride(from: 0, to: count, by: 8) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes.storeBytes(
                    of: (state ^ state >> 29) & 0x3fff_3fff_3fff_3fff, toByteOffset: offset, as: UInt64.self)
            }
            let matrix = try WeightMatrix(
                name: "\(format)", format: format, rows: rows, columns: columns,
                bytes: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            try measure("\(format)", [matrix], pool, kernels)
        }
    }

    private func row(_ name: String, _ cells: [String]) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        return name + String(repeating: " ", count: max(0, 8 - name.count))
            + cells.map { padded($0, 8) }.joined()
    }

    private func measure(
        _ name: String, _ matrices: [WeightMatrix], _ pool: ThreadPool, _ kernels: RowTileKernels?
    ) throws {
        let work = Work(matrices, pool, kernels)
        var times: [[Double]] = [[], [], [], [], []]
        work.read()
        for _ in 0..<rounds {
            times[0].append(Self.milliseconds(work.read))
            times[1].append(Self.milliseconds(work.readFast))
            times[2].append(Self.milliseconds(work.copy))
            times[3].append(Self.milliseconds(work.repack))
            times[4].append(try work.load())
            try work.error.rethrow()
        }
        try work.check()
        let chosen = times.map { best ? $0.min() ?? 0 : $0.median }
        let (read, fast, copy, repack, load) = (chosen[0], chosen[1], chosen[2], chosen[3], chosen[4])
        let megabytes = Double(work.byteCount) / 1e6
        print(
            row(
                name,
                [
                    megabytes.text(0), read.text(1), (megabytes / read).text(1), fast.text(1),
                    (megabytes / fast).text(1), copy.text(1), repack.text(1), (repack / read).text(2),
                    (repack / fast).text(2), (repack / copy).text(2), load.text(1),
                ]))
    }

    private static func milliseconds(_ body: () -> Void) -> Double {
        let start = ContinuousClock.now
        body()
        return (ContinuousClock.now - start) / .milliseconds(1)
    }
}

/// What is timed.
private final class Work {
    /// Row tiles that a thread takes at once, and where they go.
    private let pieces: [(matrix: WeightMatrix, rowTiles: Range<Int>, offset: Int)]
    private let parts: [UnsafeRawBufferPointer]
    private let destination: UnsafeMutableRawBufferPointer
    private let sums: UnsafeMutablePointer<UInt64>
    private let pool: ThreadPool
    private let kernels: RowTileKernels?
    /// What a damaged model's weights are refused for.
    let error = FirstError()
    let byteCount: Int

    init(_ matrices: [WeightMatrix], _ pool: ThreadPool, _ kernels: RowTileKernels?) {
        (self.pool, self.kernels) = (pool, kernels)
        byteCount = matrices.reduce(0) { $0 + $1.bytes.count }
        var pieces: [(WeightMatrix, Range<Int>, Int)] = [], parts: [UnsafeRawBufferPointer] = []
        var offset = 0
        for matrix in matrices {
            let rowTileBytes = matrix.kind.rowTileBytes(columns: matrix.columns)
            pieces += matrix.rowTilePieces.map { (matrix, $0, offset + $0.lowerBound * rowTileBytes) }
            offset += matrix.tiledByteCount
            for first in stride(from: 0, to: matrix.bytes.count, by: 1 << 20) {
                parts.append(
                    UnsafeRawBufferPointer(
                        rebasing: matrix.bytes[first..<min(first + 1 << 20, matrix.bytes.count)]))
            }
        }
        (self.pieces, self.parts) = (pieces, parts)
        destination = .allocate(byteCount: max(offset, byteCount), alignment: 4096)
        destination.initializeMemory(as: UInt8.self, repeating: 0)
        sums = .allocate(capacity: parts.count)
    }

    deinit {
        destination.deallocate()
        sums.deallocate()
    }

    func read() {
        pool.run(chunks: parts.count) { index in
            var sum = SIMD8<UInt64>(repeating: 0)
            guard let base = parts[index].baseAddress else { return }
            for offset in stride(from: 0, through: parts[index].count - 64, by: 64) {
                sum ^= base.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
            }
            sums[index] = sum.wrappedSum()
        }
    }

    func copy() {
        var offsets: [Int] = []
        var offset = 0
        for part in parts {
            offsets.append(offset)
            offset += part.count
        }
        pool.run(chunks: parts.count) { index in
            guard let source = parts[index].baseAddress, let base = destination.baseAddress else { return }
            (base + offsets[index]).copyMemory(from: source, byteCount: parts[index].count)
        }
    }

    func readFast() {
        pool.run(chunks: parts.count) { index in
            var sum = SIMD8<UInt64>(repeating: 0)
            guard let base = parts[index].baseAddress else { return }
            let quarter = parts[index].count / 256 * 64
            for offset in stride(from: 0, to: quarter, by: 64) {
                for first in 0..<4 {
                    sum ^= base.loadUnaligned(
                        fromByteOffset: first * quarter + offset, as: SIMD8<UInt64>.self)
                }
            }
            sums[index] = sum.wrappedSum()
        }
    }

    func repack() { repack(to: destination) }

    /// Repacks into fresh memory.
    ///
    /// - Returns: milliseconds, without those to give the memory back.
    func load() throws -> Double {
        let buffer = try MemoryFileAllocator().allocate(byteCount: destination.count)
        let start = ContinuousClock.now
        repack(to: buffer.bytes)
        return (ContinuousClock.now - start) / .milliseconds(1)
    }

    /// Compares some row tiles with those of the slow way.
    func check() throws {
        for piece in pieces {
            let count = piece.matrix.kind.rowTileBytes(columns: piece.matrix.columns)
            var expected = [UInt8](repeating: 0, count: count)
            let result = expected.withUnsafeMutableBytes { bytes in
                Result { () throws(HTPError) in
                    guard let base = bytes.baseAddress else { return }
                    try piece.matrix.writeAnyRowTile(piece.rowTiles.lowerBound, to: base)
                }
            }
            try result.get()
            guard destination[piece.offset..<piece.offset + count].elementsEqual(expected) else {
                throw ValidationError("\(piece.matrix.name): the tiles are wrong")
            }
        }
    }

    private func repack(to destination: UnsafeMutableRawBufferPointer) {
        pool.run(chunks: pieces.count) { index in
            guard let base = destination.baseAddress else { return }
            let piece = pieces[index]
            error.catching {
                try piece.matrix.writeRowTiles(piece.rowTiles, to: base + piece.offset, kernels: kernels)
            }
        }
    }
}

extension [Double] {
    fileprivate var median: Double { sorted()[count / 2] }
}

extension Double {
    fileprivate func text(_ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let value = Int((self * scale).rounded())
        let whole = String(value / Int(scale))
        guard digits > 0 else { return whole }
        let fraction = String(value % Int(scale))
        return whole + "." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
