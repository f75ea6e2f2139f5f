import Synchronization

extension HTPDevice {
    /// Buffers of weights and of caches are filled up to this size; what is larger has one of its own. A DSP maps at most
    /// 2 GiB at once.
    package static let bufferBytes = 512 << 20

    /// Repacks matrices into tiles in memory that the DSP has mapped.
    ///
    /// - Parameters:
    ///   - kernels: what the processor does faster than Swift, if somebody above has it.
    ///   - parallel: runs a body for each index below a count, on as many threads as it likes.
    /// - Returns: the numbers by which batches name the matrices.
    package func load(
        _ matrices: [WeightMatrix], kernels: RowTileKernels? = nil,
        parallel: (_ count: Int, _ body: (Int) -> Void) -> Void
    ) throws -> [Int] {
        let first = weights.count
        var group: [WeightMatrix] = []
        var groupBytes = 0
        for matrix in matrices {
            if groupBytes > 0, groupBytes + matrix.tiledByteCount > Self.bufferBytes {
                try loadGroup(group, byteCount: groupBytes, kernels, parallel)
                group = []
                groupBytes = 0
            }
            group.append(matrix)
            groupBytes += matrix.tiledByteCount
        }
        if !group.isEmpty { try loadGroup(group, byteCount: groupBytes, kernels, parallel) }
        return Array(first..<weights.count)
    }

    /// Repacks matrices into one new buffer.
    private func loadGroup(
        _ matrices: [WeightMatrix], byteCount: Int, _ kernels: RowTileKernels?,
        _ parallel: (Int, (Int) -> Void) -> Void
    ) throws {
        let buffer = try allocate(byteCount)
        weightBuffers.append(buffer)
        let firstError = Mutex<HTPError?>(nil)
        // Row tiles of all matrices in one list, so that no thread waits between matrices.
        var pieces: [(matrix: Int, rowTiles: Range<Int>, offset: Int)] = []
        var offset = 0
        for (number, matrix) in matrices.enumerated() {
            let rowTileBytes = matrix.kind.rowTileBytes(columns: matrix.columns)
            pieces += matrix.rowTilePieces.map { (number, $0, offset + $0.lowerBound * rowTileBytes) }
            weights.append(
                Weights(
                    buffer: weightBuffers.count - 1, offset: offset, kind: matrix.kind, rows: matrix.rows,
                    columns: matrix.columns))
            offset += matrix.tiledByteCount
        }
        try buffer.memory.withCPUAccess(.write) { bytes in
            guard let base = bytes.baseAddress else { return }
            parallel(pieces.count) { index in
                guard isInterrupted?() != true else { return }
                let piece = pieces[index]
                do throws(HTPError) {
                    try matrices[piece.matrix].writeRowTiles(
                        piece.rowTiles, to: base + piece.offset, kernels: kernels)
                } catch {
                    firstError.withLock { $0 = $0 ?? error }
                }
            }
        }
        if let error = firstError.withLock({ $0 }) { throw error }
        if isInterrupted?() == true { throw Interruption() }
    }
}
