extension WeightMatrix {
    /// Writes row tile `index` into `destination`, `kind.rowTileBytes(columns:)` bytes of zeros.
    ///
    /// Row tiles are independent of each other, so any number may be written at the same time.
    package func writeRowTile(_ index: Int, to destination: UnsafeMutableRawPointer) throws(HTPError) {
        let isWhole = (index + 1) * TileKind.rows <= rows
        if isWhole, format == .q4_0 || format == .q8_0 {
            try writeWholeRowTile(firstRow: index * TileKind.rows, to: destination)
        } else {
            try writeAnyRowTile(index, to: destination)
        }
    }

    /// The same for every format and number of rows: each row is taken apart and put together.
    package func writeAnyRowTile(_ index: Int, to destination: UnsafeMutableRawPointer) throws(HTPError) {
        guard let base = bytes.baseAddress else { return }
        let rowBytes = format.rowBytes(columns: columns)
        let firstRow = index * TileKind.rows
        let tile = RowTile(kind: kind, base: destination)
        let row = WeightRow(columns: columns)
        let scale = format == .i2_S ? (base + rows * rowBytes).float(0) : 0
        for number in firstRow..<min(firstRow + TileKind.rows, rows) {
            let source = base + number * rowBytes
            switch format {
            case .f32, .f16, .bf16:
                guard row.decodeFloats(format, from: source) else {
                    throw HTPError("\(name): a weight of row \(number) is not a finite number")
                }
            default: row.decode(format, from: source, scale: scale)
            }
            if let bad = tile.write(row, row: number - firstRow) {
                let perScale = columns / WeightRow.scaleCount(kind, columns: columns)
                throw HTPError(
                    "\(name): the scale of row \(number), block \(bad * perScale / format.blockSize) is not a finite number"
                )
            }
        }
    }
}
