import Synchronization

extension HTPDevice {
    /// Buffers of weights are filled up to this size; a larger matrix has one of its own. A DSP maps at most
    /// 2 GiB at once.
    private static let bufferBytes = 512 << 20

    /// Repacks matrices into tiles in memory that the DSP has mapped.
    ///
    /// - Parameter parallel: runs a body for each index below a count, on as many threads as it likes.
    /// - Returns: the numbers by which batches name the matrices.
    package func load(
        _ matrices: [WeightMatrix], parallel: (_ count: Int, _ body: (Int) -> Void) -> Void
    ) throws -> [Int] {
        let first = weights.count
        var group: [WeightMatrix] = []
        var groupBytes = 0
        for matrix in matrices {
            if groupBytes > 0, groupBytes + matrix.tiledByteCount > Self.bufferBytes {
                try loadGroup(group, byteCount: groupBytes, parallel)
                group = []
                groupBytes = 0
            }
            group.append(matrix)
            groupBytes += matrix.tiledByteCount
        }
        if !group.isEmpty { try loadGroup(group, byteCount: groupBytes, parallel) }
        return Array(first..<weights.count)
    }

    /// Repacks matrices into one new buffer.
    private func loadGroup(
        _ matrices: [WeightMatrix], byteCount: Int, _ parallel: (Int, (Int) -> Void) -> Void
    ) throws {
        let buffer = try allocate(byteCount)
        weightBuffers.append(buffer)
        let firstError = Mutex<HTPError?>(nil)
        var offset = 0
        try buffer.memory.beginCPUAccess(.write)
        for matrix in matrices {
            let base = buffer.memory.address + offset
            let rowTileBytes = matrix.kind.rowTileBytes(columns: matrix.columns)
            parallel(matrix.rowTileCount) { index in
                do throws(HTPError) {
                    try matrix.writeRowTile(index, to: base + index * rowTileBytes)
                } catch {
                    firstError.withLock { $0 = $0 ?? error }
                }
            }
            weights.append(
                Weights(
                    buffer: weightBuffers.count - 1, offset: offset, kind: matrix.kind, rows: matrix.rows,
                    columns: matrix.columns))
            offset += matrix.tiledByteCount
        }
        try buffer.memory.endCPUAccess(.write)
        if let error = firstError.withLock({ $0 }) { throw error }
    }
}
