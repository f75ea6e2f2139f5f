extension WeightMatrix {
    /// Ranges of row tiles of about 1 MiB, for a thread to repack in one go: enough for the next rows to be fetched
    /// early, little enough for all threads to end at the same time.
    package var rowTilePieces: [Range<Int>] {
        let count = max(1, (1 << 20) / kind.rowTileBytes(columns: columns))
        return stride(from: 0, to: rowTileCount, by: count).map { $0..<min($0 + count, rowTileCount) }
    }

    /// The bytes that row tiles are made of.
    func bytes(of rowTiles: Range<Int>) -> UnsafeRawBufferPointer {
        let rowBytes = format.rowBytes(columns: columns)
        let end = min(rowTiles.upperBound * TileKind.rows, rows) * rowBytes
        return UnsafeRawBufferPointer(rebasing: bytes[rowTiles.lowerBound * TileKind.rows * rowBytes..<end])
    }

    /// Writes row tiles into `destination`, for each `kind.rowTileBytes(columns:)` bytes of zeros.
    ///
    /// Row tiles are independent of each other, so any number may be written at the same time.
    ///
    /// - Parameter kernels: those of the processor, if somebody has them; they change nothing but the time.
    package func writeRowTiles(
        _ range: Range<Int>, to destination: UnsafeMutableRawPointer, kernels: RowTileKernels? = nil
    ) throws(HTPError) {
        let tileBytes = kind.rowTileBytes(columns: columns)
        let whole = min(range.upperBound, rows / TileKind.rows)
        if range.lowerBound < whole, WholeRowTile.supports(self, kernels) {
            var tile = WholeRowTile(self, kernels)
            for index in range {
                let target = destination + (index - range.lowerBound) * tileBytes
                if index < whole, tile.write(index, of: self, to: target, isFollowed: index + 1 < whole) {
                    continue
                }
                try writeAnyRowTile(index, to: target)
            }
        } else {
            for index in range {
                try writeAnyRowTile(index, to: destination + (index - range.lowerBound) * tileBytes)
            }
        }
    }

    /// The same for every format and number of rows: each row is taken apart and put together.
    package func writeAnyRowTile(_ index: Int, to destination: UnsafeMutableRawPointer) throws(HTPError) {
        guard let base = bytes.baseAddress else { return }
        let rowBytes = format.rowBytes(columns: columns)
        let firstRow = index * TileKind.rows
        let tile = RowTile(kind: kind, base: destination)
        let row = WeightRow(columns: columns)
        for number in firstRow..<min(firstRow + TileKind.rows, rows) {
            let source = base + number * rowBytes
            switch format {
            case .f32, .f16, .bf16:
                guard row.decodeFloats(format, from: source) else {
                    throw HTPError("\(name): a weight of row \(number) is not a finite number")
                }
            default: row.decode(format, from: source, scale: commonScale)
            }
            if let bad = tile.write(row, row: number - firstRow) {
                let perScale = columns / WeightRow.scaleCount(kind, columns: columns)
                throw HTPError(
                    "\(name): the scale of row \(number), block \(bad * perScale / format.blockSize) is not a finite number"
                )
            }
        }
    }

    /// The scale of the whole matrix, where its format has one.
    var commonScale: Float {
        guard format == .i2_S, let base = bytes.baseAddress else { return 0 }
        return (base + rows * format.rowBytes(columns: columns)).float(0)
    }
}
