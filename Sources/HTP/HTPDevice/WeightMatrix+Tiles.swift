extension WeightMatrix {
    /// Writes row tile `index` into `destination`, `kind.rowTileBytes(columns:)` bytes of zeros.
    ///
    /// Row tiles are independent of each other, so any number may be written at the same time.
    package func writeRowTile(_ index: Int, to destination: UnsafeMutableRawPointer) throws(HTPError) {
        let firstRow = index * TileKind.side
        let blocks = columns / TileKind.side
        let rowBytes = blocks * format.blockBytes
        for row in 0..<min(TileKind.side, rows - firstRow) {
            guard let base = bytes.baseAddress else { return }
            let source = base + (firstRow + row) * rowBytes
            let exponent = try rowExponent(source, blocks: blocks, row: firstRow + row)
            // Codes stand in the upper bits of their byte: four-bit ones count sixteen times there.
            let shift: Int32 = format == .q4_0 ? 4 : 0
            destination.storeBytes(of: (exponent - shift).littleEndian, toByteOffset: 4 * row, as: Int32.self)
            let unit = Float(sign: .plus, exponent: -Int(exponent), significand: 1)
            for block in 0..<blocks {
                let from = source + block * format.blockBytes
                let pair =
                    destination + TileKind.vectorBytes + block / 2
                    * (TileKind.vectorBytes + 2 * kind.codeBytes)
                let mantissa = (Self.scale(of: from) * unit).rounded(.toNearestOrEven)
                pair.storeBytes(
                    of: Int16(mantissa).littleEndian, toByteOffset: 4 * row + 2 * (block % 2), as: Int16.self)
                let codes = pair + TileKind.vectorBytes + block % 2 * kind.codeBytes + 4 * row
                switch format {
                case .q4_0: Self.writeQ4_0(from + 2, to: codes)
                case .q8_0: Self.writeQ8_0(from + 2, to: codes)
                }
            }
        }
    }

    /// The exponent that gives the row's largest scale a mantissa of 15 bits.
    private func rowExponent(
        _ source: UnsafeRawPointer, blocks: Int, row: Int
    ) throws(HTPError) -> Int32 {
        var largest: Float = 0
        for block in 0..<blocks {
            let scale = Self.scale(of: source + block * format.blockBytes).magnitude
            guard scale.isFinite else {
                throw HTPError("\(name): the scale of row \(row), block \(block) is not a finite number")
            }
            largest = max(largest, scale)
        }
        guard largest > 0 else { return 0 }
        // A half has 11 significant bits, so the largest mantissa is at most 2047 · 16 = 32752.
        return Int32(largest.exponent) - 14
    }

    private static func scale(of block: UnsafeRawPointer) -> Float {
        Float(Float16(bitPattern: UInt16(littleEndian: block.loadUnaligned(as: UInt16.self))))
    }

    /// Byte i holds weight i in its low and weight i + 16 in its high nibble. In the tile, weights
    /// 8v … 8v + 3 are the low nibbles of vector v, 8v + 4 … 8v + 7 the high ones.
    private static func writeQ4_0(_ codes: UnsafeRawPointer, to tile: UnsafeMutableRawPointer) {
        let low = codes.loadUnaligned(as: UInt64.self),
            high = codes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        let nibbles: UInt64 = 0x0f0f_0f0f_0f0f_0f0f
        // Eight weights each, a byte a weight, in the order of the row.
        let eights = (low & nibbles, high & nibbles, low >> 4 & nibbles, high >> 4 & nibbles)
        func store(_ eight: UInt64, _ vector: Int) {
            let word = UInt32(truncatingIfNeeded: eight) | UInt32(truncatingIfNeeded: eight >> 32) << 4
            tile.storeBytes(of: word, toByteOffset: vector * TileKind.vectorBytes, as: UInt32.self)
        }
        store(eights.0, 0)
        store(eights.1, 1)
        store(eights.2, 2)
        store(eights.3, 3)
    }

    /// Weights 4v … 4v + 3 are vector v; adding 128 makes them unsigned.
    private static func writeQ8_0(_ codes: UnsafeRawPointer, to tile: UnsafeMutableRawPointer) {
        for vector in 0..<8 {
            let word = codes.loadUnaligned(fromByteOffset: 4 * vector, as: UInt32.self) ^ 0x8080_8080
            tile.storeBytes(of: word, toByteOffset: vector * TileKind.vectorBytes, as: UInt32.self)
        }
    }
}
