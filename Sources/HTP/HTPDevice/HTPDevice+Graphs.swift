import HTPInterface
import HexagonRPC

/// A graph's command buffer in a device's memory.
package struct GraphBatch: Sendable {
    let commands: DeviceBuffer
    let byteCount: Int
    /// Operations of a submission.
    package let operationCount: Int
}

/// Batches that take about the same time.
struct BatchSize: Hashable {
    /// Of its command buffer.
    var batch: ObjectIdentifier
    var tokens: Int
    var outputs: Int
}

extension HTPDevice {
    /// A buffer for a graph's tensors; the device keeps it mapped until ``release(graphBuffer:)``.
    ///
    /// - Parameter isZeroed: whether it is all zeros; otherwise who made it decides, and no memory is touched.
    package func makeBuffer(byteCount: Int, isZeroed: Bool = true) throws -> DeviceBuffer {
        let buffer = try allocate(max(byteCount, 1))
        if isZeroed {
            try buffer.withBytes(.write) { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) }
        }
        graphBuffers.append(buffer)
        return buffer
    }

    /// Unmaps a buffer that ``makeBuffer(byteCount:)`` made. No batch may name
    /// it afterwards.
    package func release(graphBuffer buffer: DeviceBuffer) {
        guard let index = graphBuffers.firstIndex(where: { $0 === buffer }) else { return }
        release(graphBuffers.remove(at: index))
        prepared.removeAll { $0.batch.commands === buffer }
    }

    /// A matrix by the number that ``load(_:parallel:)`` gave it.
    package func matrix(_ number: Int) -> DeviceMatrix {
        let matrix = weights[number]
        return DeviceMatrix(
            tensor: DeviceTensor(weightBuffers[matrix.buffer], offset: matrix.offset, stride: 0),
            kind: matrix.kind, rows: matrix.rows, columns: matrix.columns)
    }

    /// Writes a graph's commands into device memory.
    package func prepare(_ builder: BatchBuilder) throws -> GraphBatch {
        guard builder.buffers.count <= BatchLayout.buffersMax else {
            throw HTPError(
                "\(name): a batch of \(builder.buffers.count) buffers; \(BatchLayout.buffersMax) are possible"
            )
        }
        guard builder.operationCount <= BatchLayout.operationsMax else {
            throw HTPError(
                "\(name): a batch of \(builder.operationCount) operations; \(BatchLayout.operationsMax) are possible"
            )
        }
        let commands = try makeBuffer(byteCount: builder.byteCount)
        try write(builder, commands)
        let batch = GraphBatch(
            commands: commands, byteCount: builder.byteCount, operationCount: builder.operationCount)
        prepared.append((batch, builder))
        return batch
    }

    func write(_ builder: BatchBuilder, _ commands: DeviceBuffer) throws {
        try commands.withBytes(.write) { bytes in
            guard let base = bytes.baseAddress else { return }
            builder.write(to: base)
        }
    }

    /// Runs a graph: one message to the DSP.
    ///
    /// - Throws: an ``HTPError`` that says which operation the program refused, and why. Unless that is what lies in
    ///   a tensor of numbers, nothing has run.
    @discardableResult
    package func submit(_ batch: GraphBatch, _ parameters: BatchParameters) throws -> BatchReport {
        guard (1...BatchLayout.rowsMax).contains(parameters.tokens),
            (0...BatchLayout.rowsMax).contains(parameters.outputs),
            (0...BatchLayout.positionsMax - parameters.tokens).contains(parameters.position)
        else { throw HTPError("\(name): \(parameters) are no parameters of a batch") }
        var report = BatchReport()
        try batch.commands.withBytes(.write) { bytes in
            guard let base = bytes.baseAddress else { return }
            let header = FieldWriter(base: base)
            header.store(UInt32(parameters.tokens), at: BatchLayout.Header.tokens)
            header.store(UInt32(parameters.outputs), at: BatchLayout.Header.outputs)
            header.store(UInt32(parameters.position), at: BatchLayout.Header.position)
            report.bytesToDSP += 3 * MemoryLayout<UInt32>.size
            // A DSP that claims success without having done anything leaves these as they are.
            header.store(UInt32(0), at: BatchLayout.Header.executed)
            header.store(UInt32(0), at: BatchLayout.Header.fault)
            header.store(UInt64(0), at: BatchLayout.Header.multiplyAdds)
        }
        var failure: (any Error)?
        do {
            try send(batch, parameters)
        } catch let interruption as Interruption {
            throw interruption
        } catch {
            failure = error
        }
        try batch.commands.withBytes(.read) { bytes in
            guard let base = bytes.baseAddress else { return }
            try read(FieldWriter(base: base), failure, into: &report)
        }
        guard report.operations == batch.operationCount else {
            throw HTPError(
                "\(name): the DSP reports \(report.operations) of \(batch.operationCount) operations as done")
        }
        return report
    }

    /// Makes the call, within a time that depends on what batches of this size took so far.
    private func send(_ batch: GraphBatch, _ parameters: BatchParameters) throws {
        let size = BatchSize(
            batch: ObjectIdentifier(batch.commands), tokens: parameters.tokens, outputs: parameters.outputs)
        let limit = timeout.forBatch(tokens: parameters.tokens, longest: longestTimes[size])
        let (descriptor, byteCount) = (batch.commands.memory.descriptor, UInt64(batch.byteCount))
        let clock = SuspendingClock()
        let time = try clock.measure {
            guard queue != nil else {
                try withProgram(within: limit) { program in
                    _ = try program.submit(fd: descriptor, offset: 0, size: byteCount)
                }
                return
            }
            try sendByQueue(descriptor, byteCount, within: limit)
        }
        longestTimes[size] = max(longestTimes[size] ?? .zero, time)
    }

    /// Reads what the program wrote into a batch's header.
    private func read(
        _ header: FieldWriter, _ failure: (any Error)?, into report: inout BatchReport
    ) throws(HTPError) {
        report.operations = Int(header.load(at: BatchLayout.Header.executed, as: UInt32.self))
        report.multiplyAdds = Int(clamping: header.load(at: BatchLayout.Header.multiplyAdds, as: UInt64.self))
        report.microseconds = Int(clamping: header.load(at: BatchLayout.Header.microseconds, as: UInt64.self))
        report.bytesFromDSP += BatchLayout.headerBytes - BatchLayout.Header.status
        guard let failure else { return }
        // What the program found wrong; nothing where it did not answer.
        let number = header.load(at: BatchLayout.Header.fault, as: UInt32.self)
        guard number != 0 else { throw HTPError("\(name): \(failure)") }
        let fault = BatchLayout.describe(fault: number)
        let index = header.load(at: BatchLayout.Header.faultOperation, as: UInt32.self)
        throw HTPError("\(name): \(failure); operation \(index) of the batch: \(fault)")
    }
}
