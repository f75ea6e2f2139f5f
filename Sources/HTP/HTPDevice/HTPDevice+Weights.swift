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
    ///   - repacked: told, on any thread, which bytes of which matrix are not needed any more.
    ///   - parallel: runs a body for each index below a count, on as many threads as it likes.
    /// - Returns: the numbers by which batches name the matrices.
    package func load(
        _ matrices: [WeightMatrix], kernels: RowTileKernels? = nil, store: (any TileStore)? = nil,
        repacked: @escaping (_ matrix: Int, _ bytes: Range<Int>) -> Void = { _, _ in },
        parallel: (_ count: Int, _ body: (Int) -> Void) -> Void
    ) throws -> [Int] {
        let first = weights.count, firstBuffer = weightBuffers.count
        try reserve(matrices)
        let numbers = Array(first..<weights.count)
        try Self.withAccess(store == nil ? .write : .readWrite, to: weightBuffers[firstBuffer...]) {
            let places = zip(numbers, matrices).map { number, matrix in
                UnsafeMutableRawBufferPointer(
                    start: weightBuffers[weights[number].buffer].memory.address + weights[number].offset,
                    count: matrix.tiledByteCount)
            }
            switch store?.read(into: places, parallel: parallel) {
            case .complete: return
            case .damaged:
                for place in places { place.initializeMemory(as: UInt8.self, repeating: 0) }
            case nil, .some(.none): break
            }
            try Self.repack(matrices, to: places, kernels, repacked, parallel)
            store?.keep(places.map { UnsafeRawBufferPointer($0) }, parallel: parallel)
        }
        return numbers
    }

    /// Gives matrices their places in new buffers.
    private func reserve(_ matrices: [WeightMatrix]) throws {
        var first = 0
        while first < matrices.count {
            var end = first, byteCount = 0
            while end < matrices.count,
                end == first || byteCount + matrices[end].tiledByteCount <= Self.bufferBytes
            {
                byteCount += matrices[end].tiledByteCount
                end += 1
            }
            weightBuffers.append(try allocate(byteCount))
            var offset = 0
            for matrix in matrices[first..<end] {
                weights.append(
                    Weights(
                        buffer: weightBuffers.count - 1, offset: offset, kind: matrix.kind, rows: matrix.rows,
                        columns: matrix.columns))
                offset += matrix.tiledByteCount
            }
            first = end
        }
    }

    /// Calls `body` while the CPU may use all of some buffers.
    private static func withAccess(
        _ access: CPUAccess, to buffers: ArraySlice<DeviceBuffer>, _ body: () throws -> Void
    ) throws {
        guard let first = buffers.first else { return try body() }
        try first.withBytes(access) { _ in try withAccess(access, to: buffers.dropFirst(), body) }
    }

    private static func repack(
        _ matrices: [WeightMatrix], to places: [UnsafeMutableRawBufferPointer], _ kernels: RowTileKernels?,
        _ repacked: @escaping (Int, Range<Int>) -> Void, _ parallel: (Int, (Int) -> Void) -> Void
    ) throws {
        // Row tiles of all matrices in one list, so that no thread waits between matrices.
        var pieces: [(matrix: Int, rowTiles: Range<Int>, target: UnsafeMutableRawPointer)] = []
        for (index, (matrix, place)) in zip(matrices, places).enumerated() {
            guard let base = place.baseAddress else { continue }
            let rowTileBytes = matrix.kind.rowTileBytes(columns: matrix.columns)
            pieces += matrix.rowTilePieces.map { (index, $0, base + $0.lowerBound * rowTileBytes) }
        }
        let firstError = Mutex<HTPError?>(nil)
        parallel(pieces.count) { index in
            let piece = pieces[index], matrix = matrices[piece.matrix]
            do throws(HTPError) {
                try matrix.writeRowTiles(piece.rowTiles, to: piece.target, kernels: kernels)
            } catch {
                firstError.withLock { $0 = $0 ?? error }
            }
            repacked(piece.matrix, matrix.bytes(of: piece.rowTiles))
        }
        if let error = firstError.withLock({ $0 }) { throw error }
    }
}
