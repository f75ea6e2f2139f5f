/// Builds the command buffer of a graph: operations on tensors in device memory, in the order in which they run.
///
/// It says nothing of the numbers that change from submission to submission; see ``BatchParameters``.
package struct BatchBuilder {
    /// Which of a submission's counts an operation's rows are.
    package enum Rows: UInt32, Sendable {
        /// `HTP_ROWS_TOKENS`
        case tokens = 1
        /// `HTP_ROWS_OUTPUTS`
        case outputs = 2
    }

    /// The buffers that operations name.
    private(set) var buffers: [DeviceBuffer] = []
    private(set) var operations: [BatchOperation] = []
    private var shared: [DeviceBuffer] = []

    package init() {}

    /// How many operations there are.
    package var operationCount: Int { operations.count }

    /// Bytes of the command buffer.
    package var byteCount: Int {
        BatchLayout.headerBytes + buffers.count * BatchLayout.bufferEntryBytes
            + operations.count * BatchLayout.operationBytes
    }

    /// Adds an operation and puts its buffers into the table.
    mutating func append(_ operation: BatchOperation) {
        operations.append(operation)
        for tensor in operation.tensors.compactMap(\.self) where index(of: tensor.buffer) == nil {
            buffers.append(tensor.buffer)
        }
    }

    /// The host reads and writes all of a buffer between submissions: the DSP's caches forget it before and write it
    /// back after each.
    package mutating func share(_ buffer: DeviceBuffer) {
        shared.append(buffer)
    }

    private func index(of buffer: DeviceBuffer) -> Int? {
        buffers.firstIndex { $0 === buffer }
    }

    /// Writes the command buffer, all but the parameters of a submission.
    func write(to base: UnsafeMutableRawPointer) {
        base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        let header = FieldWriter(base: base)
        header.store(BatchLayout.magic, at: BatchLayout.Header.magic)
        header.store(BatchLayout.version, at: BatchLayout.Header.version)
        header.store(UInt32(byteCount), at: BatchLayout.Header.byteCount)
        header.store(UInt32(buffers.count), at: BatchLayout.Header.bufferCount)
        header.store(UInt32(operations.count), at: BatchLayout.Header.operationCount)
        var next = base + BatchLayout.headerBytes
        for buffer in buffers {
            let entry = FieldWriter(base: next)
            entry.store(buffer.memory.descriptor, at: BatchLayout.BufferEntry.descriptor)
            entry.store(UInt64(buffer.memory.byteCount), at: BatchLayout.BufferEntry.byteCount)
            if shared.contains(where: { $0 === buffer }) {
                entry.store(BatchLayout.refreshAndPublish, at: BatchLayout.BufferEntry.flags)
            }
            next += BatchLayout.bufferEntryBytes
        }
        for operation in operations {
            write(operation, to: FieldWriter(base: next))
            next += BatchLayout.operationBytes
        }
    }

    private func write(_ operation: BatchOperation, to fields: FieldWriter) {
        typealias Offset = BatchLayout.Operation
        var present: UInt8 = 0, refreshed: UInt8 = 0, published: UInt8 = 0
        for (slot, tensor) in operation.tensors.enumerated() {
            guard let tensor, let buffer = index(of: tensor.buffer) else { continue }
            let bit = UInt8(1) << UInt8(slot)
            present |= bit
            if tensor.isShared {
                if slot < BatchLayout.Slot.input0 { published |= bit } else { refreshed |= bit }
            }
            fields.storeTensor(
                buffer: buffer, stride: tensor.stride, offset: tensor.offset,
                at: Offset.tensors + slot * BatchLayout.Tensor.byteCount)
        }
        fields.store(operation.opcode.rawValue, at: Offset.opcode)
        fields.store(operation.flags, at: Offset.flags)
        fields.store(operation.rows.rawValue, at: Offset.rows)
        fields.store(present, at: Offset.present)
        fields.store(refreshed, at: Offset.refresh)
        fields.store(published, at: Offset.publish)
        for (index, word) in operation.parameters.enumerated() {
            fields.store(word, at: Offset.parameters + 4 * index)
        }
    }
}

/// What a submission of a batch says besides the operations, which stay as they are.
package struct BatchParameters: Sendable {
    /// Rows of operations on tokens, 1 to ``BatchLayout/rowsMax``.
    package var tokens: Int
    /// Rows of operations on outputs; with 0 those do nothing.
    package var outputs: Int
    /// Position of the first token in its sequence.
    package var position: Int

    package init(tokens: Int, outputs: Int = 0, position: Int = 0) {
        self.tokens = tokens
        self.outputs = outputs
        self.position = position
    }
}

/// One operation; `htp_batch.h` says what its tensors and parameters are.
struct BatchOperation {
    var opcode: Opcode
    var flags: UInt32 = 0
    var rows: BatchBuilder.Rows
    /// By slot: two destinations, then the inputs.
    var tensors: [DeviceTensor?]
    /// In the order of the C struct.
    var parameters: [UInt32]

    /// `enum htp_opcode`
    enum Opcode: UInt32, CaseIterable {
        case matmul = 1
        case norm, rope, store, attention, softmax, activate, add, multiply, scale, rows, route, mix, addRows
        case top, matmulIndexed
    }

    init(
        _ opcode: Opcode, flags: UInt32 = 0, rows: BatchBuilder.Rows, to destination: DeviceTensor,
        _ second: DeviceTensor? = nil, from inputs: [DeviceTensor?], parameters: [UInt32]
    ) {
        self.opcode = opcode
        self.flags = flags
        self.rows = rows
        tensors = [destination, second] + inputs
        self.parameters = parameters
    }
}
