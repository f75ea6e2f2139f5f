/// Sequences and structs whose data the call copies, and what is read after the call.
extension RemoteCall {
    // MARK: In

    /// Adds a sequence, packed into memory of the call: a buffer of records, then the buffers of each element.
    public mutating func send<Value: RemoteValue>(sequence values: [Value]) throws(RemoteCallError) {
        try record.append(count: values.count)
        let shape = Value.recordShape
        if shape.isMemory {
            values.withUnsafeBytes { addCopy(of: $0) }
            return
        }
        let (size, overflow) = values.count.multipliedReportingOverflow(by: shape.size)
        guard !overflow else { throw tooLarge(values.count) }
        let place = shape.size > 0 ? reserveInBuffer() : nil
        var outer = WireWriter(capacity: size)
        swap(&record, &outer)
        for value in values { try send(record: value) }
        swap(&record, &outer)
        if let place { fillInBuffer(at: place, outer.bytes) }
    }

    /// Adds a struct that holds sequences, strings or handles: its record at its own alignment, and its buffers.
    public mutating func send<Value: RemoteValue>(record value: Value) throws(RemoteCallError) {
        record.align(to: Value.recordShape.alignment)
        try value.send(in: &self)
        record.align(to: Value.recordShape.alignment)
    }

    // MARK: Out

    /// Adds room for a sequence that the callee fills and `readSequence()` takes.
    public mutating func receive<Value: RemoteValue>(
        sequence type: Value.Type, capacity: Value.SequenceCapacity
    ) throws(RemoteCallError) {
        try type.receive(sequence: capacity, in: &self)
    }

    /// Adds room for a struct that holds sequences, strings or handles; `readRecord()` takes it.
    public mutating func receive<Value: RemoteValue>(
        record type: Value.Type, capacity: Value.Capacity
    ) throws(RemoteCallError) {
        try type.receive(capacity, in: &self)
    }

    /// Room for elements without data of their own.
    mutating func receiveElements<Value: RemoteValue>(
        of type: Value.Type, count: Int
    ) throws(RemoteCallError) {
        try record.append(count: count)
        let size = type.recordShape.scalarsSize
        guard !count.multipliedReportingOverflow(by: size).overflow else { throw tooLarge(count) }
        addReturned(count: count, elementSize: size)
    }

    /// Room for elements with data of their own.
    mutating func receiveRecords<Value: RemoteValue>(
        of type: Value.Type, _ capacities: [Value.Capacity]
    ) throws(RemoteCallError) {
        try record.append(count: capacities.count)
        let shape = type.recordShape
        guard !capacities.count.multipliedReportingOverflow(by: shape.scalarsSize).overflow else {
            throw tooLarge(capacities.count)
        }
        let place = shape.countsSize > 0 ? reserveInBuffer() : nil
        if shape.scalarsSize > 0 {
            addReturned(count: capacities.count, elementSize: shape.scalarsSize)
        } else {
            let nothing = UnsafeMutableRawBufferPointer(start: nil, count: 0)
            returned.append(Returned(memory: nothing, count: capacities.count))
        }
        var outer = WireWriter()
        swap(&record, &outer)
        for capacity in capacities { try type.receive(capacity, in: &self) }
        swap(&record, &outer)
        if let place { fillInBuffer(at: place, outer.bytes) }
    }

    private func tooLarge(_ count: Int) -> RemoteCallError {
        RemoteCallError(.badParameter, operation: "\(name): packing \(count) elements")
    }

    // MARK: After the call

    /// Reads a scalar or a struct.
    public mutating func read<Value: WireValue>() throws(RemoteCallError) -> Value {
        try returnedRecord.read(Value.self)
    }

    /// Reads an array by value.
    public mutating func read<Value: WireValue>(count: Int) throws(RemoteCallError) -> [Value] {
        try returnedRecord.read(count: count)
    }

    /// Reads a string up to its first zero. Broken UTF-8 is repaired.
    public mutating func readString() throws(RemoteCallError) -> String {
        Self.text(try nextReturnedBuffer().memory)
    }

    /// Reads a string of 16-bit units up to its first zero.
    public mutating func readWideString() throws(RemoteCallError) -> String {
        Self.wideText(try nextReturnedBuffer().memory)
    }

    /// Reads a sequence, as many elements as there was room for.
    public mutating func readSequence<Value: RemoteValue>() throws(RemoteCallError) -> [Value] {
        let buffer = try nextReturnedBuffer()
        if Value.recordShape.isMemory {
            return [Value](unsafeUninitializedCapacity: buffer.count) { values, count in
                UnsafeMutableRawBufferPointer(values).copyMemory(from: UnsafeRawBufferPointer(buffer.memory))
                count = buffer.count
            }
        }
        var outer = WireReader(UnsafeRawBufferPointer(buffer.memory))
        var values: [Value] = []
        values.reserveCapacity(buffer.count)
        swap(&returnedRecord, &outer)
        for _ in 0..<buffer.count { values.append(try readRecord()) }
        swap(&returnedRecord, &outer)
        return values
    }

    /// Reads a struct that holds sequences, strings or handles.
    public mutating func readRecord<Value: RemoteValue>() throws(RemoteCallError) -> Value {
        returnedRecord.align(to: Value.recordShape.scalarsAlignment)
        let value = try Value(returnedBy: &self)
        returnedRecord.align(to: Value.recordShape.scalarsAlignment)
        return value
    }

    /// Reads the next slice that the callee has written.
    public mutating func readHandle() throws(RemoteCallError) -> DMAHandle {
        guard nextLentHandle < lentHandles.count else { throw readTooMuch() }
        defer { nextLentHandle += 1 }
        return lentHandles[nextLentHandle]
    }

    private mutating func nextReturnedBuffer() throws(RemoteCallError) -> Returned {
        guard nextReturned < returned.count else { throw readTooMuch() }
        defer { nextReturned += 1 }
        return returned[nextReturned]
    }

    private func readTooMuch() -> RemoteCallError {
        RemoteCallError(.badParameter, operation: "\(name): reading more than was asked for")
    }
}
