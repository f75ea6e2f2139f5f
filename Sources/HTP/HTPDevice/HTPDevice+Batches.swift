import HexagonRPC

extension HTPDevice {
    /// Writes the command buffers of batches and makes room for their inputs and results.
    ///
    /// Batches run one after another, so they share that room. Batches prepared before are gone.
    package func prepare(_ shapes: [Batch.Shape]) throws -> [Batch] {
        for shape in shapes where !(1...BatchLayout.rowsMax).contains(shape.rows) {
            throw HTPError("\(name): \(shape.rows) rows in a batch; 1 to \(BatchLayout.rowsMax) are possible")
        }
        guard weightBuffers.count < BatchLayout.buffersMax else {
            throw HTPError("\(name): \(weightBuffers.count) buffers of weights; a batch names fewer than 64")
        }
        var batches: [Batch] = []
        var commandEnd = 0, dataBytes = 0
        for shape in shapes {
            let batch = layOut(shape, commandOffset: commandEnd, dataBytes: &dataBytes)
            commandEnd += aligned(batch.commandBytes)
            batches.append(batch)
        }
        for index in batches.indices { batches[index].moveData(by: commandEnd) }

        if let old = context.take() { release(old) }
        let buffer = try allocate(max(commandEnd + dataBytes, 1))
        context = buffer
        try buffer.memory.beginCPUAccess(.write)
        for batch in batches { writeCommands(of: batch, in: buffer) }
        try buffer.memory.endCPUAccess(.write)
        return batches
    }

    /// Gives a batch its offsets; those of data begin at 0 until the commands' size is known.
    private func layOut(_ shape: Batch.Shape, commandOffset: Int, dataBytes: inout Int) -> Batch {
        var end = 0
        func region(columns: Int) -> Int {
            defer { end += aligned(columns * shape.rows * MemoryLayout<Float>.size) }
            return end
        }
        let resultColumns = shape.products.map { weights[$0.weights].rows }
        let batch = Batch(
            shape: shape, resultColumns: resultColumns, commandOffset: commandOffset,
            commandBytes: operationsOffset + shape.products.count * BatchLayout.operationBytes,
            sourceOffsets: shape.sourceColumns.map(region), resultOffsets: resultColumns.map(region))
        dataBytes = max(dataBytes, end)
        return batch
    }

    /// Where the operations of a command buffer begin at the latest: after the header, the context buffer's entry
    /// and those of the weights.
    private var operationsOffset: Int {
        BatchLayout.headerBytes + (1 + weightBuffers.count) * BatchLayout.bufferEntryBytes
    }

    private func writeCommands(of batch: Batch, in buffer: DeviceBuffer) {
        var builder = BatchBuilder()
        var previousSource: Int?
        for (index, product) in batch.shape.products.enumerated() {
            let matrix = matrix(product.weights)
            builder.matmul(
                matrix,
                DeviceTensor(
                    buffer, offset: batch.sourceOffsets[product.source], stride: 4 * matrix.columns,
                    isShared: true),
                to: DeviceTensor(
                    buffer, offset: batch.resultOffsets[index], stride: 4 * matrix.rows, isShared: true),
                isQuantized: product.source == previousSource)
            previousSource = product.source
        }
        builder.write(to: buffer.memory.address + batch.commandOffset)
    }

    /// Runs a batch: one message to the DSP.
    ///
    /// - Parameters:
    ///   - rows: rows of every source and result, no more than were prepared.
    ///   - sources: `rows × sourceColumns` floats each.
    ///   - results: `rows × resultColumns` floats each, one per product.
    package func run(
        _ batch: Batch, rows: Int, sources: [UnsafePointer<Float>], results: [UnsafeMutablePointer<Float>]
    ) throws -> BatchReport {
        guard let memory = context else { throw HTPError("\(name): no batch has been prepared") }
        guard (1...batch.shape.rows).contains(rows) else {
            throw HTPError("\(name): \(rows) rows in a batch prepared for \(batch.shape.rows)")
        }
        let base = memory.memory.address
        let header = FieldWriter(base: base + batch.commandOffset)
        var report = BatchReport()

        try memory.memory.beginCPUAccess(.write)
        for (index, columns) in batch.shape.sourceColumns.enumerated() {
            let bytes = rows * columns * MemoryLayout<Float>.size
            (base + batch.sourceOffsets[index]).copyMemory(from: sources[index], byteCount: bytes)
            report.bytesToDSP += bytes
        }
        header.store(UInt32(rows), at: BatchLayout.Header.tokens)
        report.bytesToDSP += MemoryLayout<UInt32>.size
        try memory.memory.endCPUAccess(.write)

        try submit(
            memory, offset: batch.commandOffset, byteCount: batch.commandBytes, &report, operation: "product")
        try memory.memory.beginCPUAccess(.read)
        defer { try? memory.memory.endCPUAccess(.read) }
        guard report.products == batch.shape.products.count else {
            throw HTPError(
                "\(name): the DSP reports \(report.products) of \(batch.shape.products.count) products as done"
            )
        }
        for (index, columns) in batch.resultColumns.enumerated() {
            let bytes = rows * columns * MemoryLayout<Float>.size
            UnsafeMutableRawPointer(results[index]).copyMemory(
                from: base + batch.resultOffsets[index], byteCount: bytes)
            report.bytesFromDSP += bytes
        }
        return report
    }
}

private func aligned(_ bytes: Int) -> Int {
    (bytes + TileKind.vectorBytes - 1) / TileKind.vectorBytes * TileKind.vectorBytes
}

extension Batch {
    fileprivate mutating func moveData(by offset: Int) {
        sourceOffsets = sourceOffsets.map { $0 + offset }
        resultOffsets = resultOffsets.map { $0 + offset }
    }
}
