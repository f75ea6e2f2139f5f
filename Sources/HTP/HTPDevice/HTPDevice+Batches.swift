import HTPInterface
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

    /// Where the operations begin in a command buffer: after the header, the context buffer's entry and
    /// those of the weights.
    private var operationsOffset: Int {
        BatchLayout.headerBytes + (1 + weightBuffers.count) * BatchLayout.bufferEntryBytes
    }

    private func writeCommands(of batch: Batch, in buffer: MappedBuffer) {
        let header = FieldWriter(base: buffer.memory.address + batch.commandOffset)
        header.store(BatchLayout.magic, at: BatchLayout.Header.magic)
        header.store(BatchLayout.version, at: BatchLayout.Header.version)
        header.store(UInt32(batch.commandBytes), at: BatchLayout.Header.byteCount)
        header.store(UInt32(1 + weightBuffers.count), at: BatchLayout.Header.bufferCount)
        header.store(UInt32(batch.shape.products.count), at: BatchLayout.Header.operationCount)
        for (index, entry) in ([buffer] + weightBuffers).enumerated() {
            let fields = FieldWriter(
                base: header.base + BatchLayout.headerBytes + index * BatchLayout.bufferEntryBytes)
            fields.store(entry.memory.descriptor, at: BatchLayout.BufferEntry.descriptor)
            fields.store(UInt64(entry.memory.byteCount), at: BatchLayout.BufferEntry.byteCount)
        }
        var previousSource: Int?
        for (index, product) in batch.shape.products.enumerated() {
            let matrix = weights[product.weights]
            let fields = FieldWriter(
                base: header.base + operationsOffset + index * BatchLayout.operationBytes)
            fields.store(BatchLayout.matmul, at: BatchLayout.Operation.opcode)
            fields.store(
                product.source == previousSource ? BatchLayout.sameSource : 0, at: BatchLayout.Operation.flags
            )
            fields.store(BatchLayout.tokens, at: BatchLayout.Operation.rows)
            // The host writes sources and reads results: the DSP's caches must know.
            fields.store(UInt8(0b1101), at: BatchLayout.Operation.present)
            fields.store(UInt8(0b0100), at: BatchLayout.Operation.refresh)
            fields.store(UInt8(0b0001), at: BatchLayout.Operation.publish)
            let slots = BatchLayout.Operation.tensors
            fields.storeTensor(
                buffer: 0, stride: 4 * matrix.rows, offset: batch.resultOffsets[index], at: slots)
            fields.storeTensor(
                buffer: 0, stride: 4 * matrix.columns, offset: batch.sourceOffsets[product.source],
                at: slots + BatchLayout.Slot.input0 * BatchLayout.Tensor.byteCount)
            fields.storeTensor(
                buffer: 1 + matrix.buffer, stride: 0, offset: matrix.offset,
                at: slots + (BatchLayout.Slot.input0 + 1) * BatchLayout.Tensor.byteCount)
            for (word, value) in [matrix.kind.rawValue, UInt32(matrix.rows), UInt32(matrix.columns)]
                .enumerated()
            {
                fields.store(value, at: BatchLayout.Operation.parameters + 4 * word)
            }
            previousSource = product.source
        }
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

        var failure: RemoteCallError?
        do throws(RemoteCallError) {
            _ = try program.submit(
                fd: memory.memory.descriptor, offset: UInt64(batch.commandOffset),
                size: UInt64(batch.commandBytes))
        } catch {
            failure = error
        }

        try memory.memory.beginCPUAccess(.read)
        defer { try? memory.memory.endCPUAccess(.read) }
        report.products = Int(header.load(at: BatchLayout.Header.executed, as: UInt32.self))
        report.multiplyAdds = Int(clamping: header.load(at: BatchLayout.Header.multiplyAdds, as: UInt64.self))
        report.microseconds = Int(clamping: header.load(at: BatchLayout.Header.microseconds, as: UInt64.self))
        report.bytesFromDSP += BatchLayout.headerBytes - BatchLayout.Header.status
        if let failure {
            let fault = BatchLayout.describe(
                fault: header.load(at: BatchLayout.Header.fault, as: UInt32.self))
            throw HTPError("\(name): \(failure); product \(report.products) of the batch: \(fault)")
        }
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
