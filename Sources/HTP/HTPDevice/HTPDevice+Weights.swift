import HexagonRPC
import Synchronization

extension HTPDevice {
    /// Buffers of weights and of caches are filled up to this size; what is larger has one of its own. A DSP maps at most
    /// 2 GiB at once.
    package static let bufferBytes = 512 << 20

    /// Repacks matrices into tiles in memory that the DSP has mapped.
    ///
    /// - Parameters:
    ///   - kernels: what the processor does faster than Swift, if somebody above has it.
    ///   - store: may have the tiles already, and gets them where it has not.
    ///   - parallel: runs a body for each index below a count, on as many threads as it likes.
    /// - Returns: the numbers by which batches name the matrices.
    package func load(
        _ matrices: [WeightMatrix], kernels: RowTileKernels? = nil, store: (any TileStore)? = nil,
        parallel: (_ count: Int, _ body: (Int) -> Void) -> Void
    ) throws -> [Int] {
        try load(
            stacks: matrices.map { [$0] }, kernels: kernels, store: store, parallel: parallel)
    }

    /// The same for stacks of matrices of one kind and size, which follow each other in memory: a mixture's experts.
    ///
    /// - Parameter repacked: told, on any thread, which weights are not needed any more.
    /// - Returns: the number of each stack's first matrix.
    package func load(
        stacks: [[WeightMatrix]], kernels: RowTileKernels? = nil, store: (any TileStore)? = nil,
        repacked: @escaping (_ weights: UnsafeRawBufferPointer) -> Void = { _ in },
        parallel: (_ count: Int, _ body: (Int) -> Void) -> Void
    ) throws -> [Int] {
        let first = weights.count, firstBuffer = weightBuffers.count
        let numbers = try reserve(stacks)
        let matrices = stacks.flatMap { $0 }
        try Self.withAccess(store == nil ? .write : .readWrite, to: weightBuffers[firstBuffer...]) {
            let places = zip(weights[first...], matrices).map { weight, matrix in
                UnsafeMutableRawBufferPointer(
                    start: weightBuffers[weight.buffer].memory.address + weight.offset,
                    count: matrix.tiledByteCount)
            }
            switch store?.read(into: places, parallel: parallel) {
            case .complete: return
            case .damaged:
                for place in places { place.initializeMemory(as: UInt8.self, repeating: 0) }
            case nil, .some(.none): break
            }
            try repack(matrices, to: places, kernels, repacked, parallel)
            store?.keep(places.map { UnsafeRawBufferPointer($0) }, parallel: parallel)
        }
        return numbers
    }

    /// Gives stacks of matrices their places in new buffers; returns the number of each stack's first matrix.
    private func reserve(_ stacks: [[WeightMatrix]]) throws -> [Int] {
        let sizes = stacks.map { $0.reduce(0) { $0 + $1.tiledByteCount } }
        var numbers: [Int] = []
        var first = 0
        while first < stacks.count {
            var end = first, byteCount = 0
            while end < stacks.count, end == first || byteCount + sizes[end] <= Self.bufferBytes {
                byteCount += sizes[end]
                end += 1
            }
            weightBuffers.append(try allocate(byteCount))
            var offset = 0
            for stack in stacks[first..<end] {
                numbers.append(weights.count)
                for matrix in stack {
                    weights.append(
                        Weights(
                            buffer: weightBuffers.count - 1, offset: offset, kind: matrix.kind,
                            rows: matrix.rows, columns: matrix.columns))
                    offset += matrix.tiledByteCount
                }
            }
            first = end
        }
        return numbers
    }

    /// Calls `body` while the CPU may use all of some buffers.
    private static func withAccess(
        _ access: CPUAccess, to buffers: ArraySlice<DeviceBuffer>, _ body: () throws -> Void
    ) throws {
        guard let first = buffers.first else { return try body() }
        try first.withBytes(access) { _ in try withAccess(access, to: buffers.dropFirst(), body) }
    }

    private func repack(
        _ matrices: [WeightMatrix], to places: [UnsafeMutableRawBufferPointer], _ kernels: RowTileKernels?,
        _ repacked: @escaping (UnsafeRawBufferPointer) -> Void, _ parallel: (Int, (Int) -> Void) -> Void
    ) throws {
        // Row tiles of all matrices in one list, so that no thread waits between matrices.
        var pieces: [(matrix: WeightMatrix, rowTiles: Range<Int>, target: UnsafeMutableRawPointer)] = []
        for (matrix, place) in zip(matrices, places) {
            guard let base = place.baseAddress else { continue }
            let rowTileBytes = matrix.kind.rowTileBytes(columns: matrix.columns)
            pieces += matrix.rowTilePieces.map { (matrix, $0, base + $0.lowerBound * rowTileBytes) }
        }
        let firstError = Mutex<HTPError?>(nil)
        parallel(pieces.count) { index in
            guard isInterrupted?() != true else { return }
            let piece = pieces[index]
            do throws(HTPError) {
                try piece.matrix.writeRowTiles(piece.rowTiles, to: piece.target, kernels: kernels)
            } catch {
                firstError.withLock { $0 = $0 ?? error }
            }
            repacked(piece.matrix.bytes(of: piece.rowTiles))
        }
        if let error = firstError.withLock({ $0 }) { throw error }
        if isInterrupted?() == true { throw Interruption() }
    }
}
