/// Sequences, strings and structs as generated skels take and return them. What is returned goes into the room
/// that was taken for it, in the same order.
extension IncomingCall {
    /// The method's real index, before anything is unpacked.
    public static func method(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) -> Int {
        guard scalars.method == 31 else { return scalars.method }
        return try IncomingCall(scalars, arguments, hasPrimitives: true).method
    }

    // MARK: What was sent

    /// Takes a sequence.
    public mutating func readSequence<Value: ServedValue>() throws(RemoteCallError) -> [Value] {
        let shape = Value.recordShape
        let (bytes, count) = try takeRecords(shape.size)
        if shape.isMemory {
            return [Value](unsafeUninitializedCapacity: count) { values, filled in
                UnsafeMutableRawBufferPointer(values).copyMemory(from: bytes)
                filled = count
            }
        }
        var values: [Value] = []
        values.reserveCapacity(count)
        var outer = WireReader(bytes)
        swap(&record, &outer)
        for _ in 0..<count { values.append(try readRecord()) }
        swap(&record, &outer)
        return values
    }

    /// Takes a struct that holds sequences, strings or handles.
    public mutating func readRecord<Value: ServedValue>() throws(RemoteCallError) -> Value {
        record.align(to: Value.recordShape.alignment)
        let value = try Value(sentIn: &self)
        record.align(to: Value.recordShape.alignment)
        return value
    }

    /// Takes a string of 16-bit units, whose last unit must be zero. Broken UTF-16 is repaired.
    public mutating func readWideString() throws(RemoteCallError) -> String {
        let bytes = try readSequence(elementSize: 2)
        let units = (0..<bytes.count / 2).map {
            bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)
        }
        guard units.last == 0 else { throw failure("a string does not end with zero") }
        return String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
    }

    /// Takes a slice of a DMA buffer; its length does not travel and is 0.
    public mutating func readHandle() throws(RemoteCallError) -> DMAHandle {
        let (descriptor, offset) = try readDMAHandle()
        return DMAHandle(descriptor: descriptor, offset: offset, length: 0)
    }

    /// A sequence's records and their number. Records of nothing but handles have no bytes, and no more than
    /// handles fit a call.
    private mutating func takeRecords(
        _ size: Int
    ) throws(RemoteCallError) -> (UnsafeRawBufferPointer, Int) {
        guard size > 0 else {
            let count = try record.readCount()
            guard count <= 15 else { throw failure("\(count) handles") }
            return (UnsafeRawBufferPointer(start: nil, count: 0), count)
        }
        let bytes = try readSequence(elementSize: size)
        return (bytes, bytes.count / size)
    }

    // MARK: Room for what is returned

    /// Takes the room for a string: bytes, the terminating zero included.
    public mutating func stringCapacity() throws(RemoteCallError) -> Int { try lend(1) }

    /// Takes the room for a string of 16-bit units, the terminating zero included.
    public mutating func wideStringCapacity() throws(RemoteCallError) -> Int { try lend(2) }

    /// Takes the room for a sequence.
    public mutating func capacity<Value: ServedValue>(
        sequence type: Value.Type
    ) throws(RemoteCallError) -> Value.SequenceCapacity {
        try type.sequenceCapacity(in: &self)
    }

    /// Takes the room for a struct that holds sequences, strings or handles.
    public mutating func capacity<Value: ServedValue>(
        record type: Value.Type
    ) throws(RemoteCallError) -> Value.Capacity {
        try type.capacity(in: &self)
    }

    /// Takes a slice that is to be written; its length does not travel and is 0.
    public mutating func lentHandle() throws(RemoteCallError) -> DMAHandle {
        let argument = try nextLentArgument()
        return DMAHandle(descriptor: argument.descriptor, offset: argument.offset, length: 0)
    }

    private mutating func lend(_ elementSize: Int) throws(RemoteCallError) -> Int {
        let room = try roomForSequence(elementSize: elementSize)
        lent.append(Lent(memory: room, count: room.count / elementSize))
        return room.count / elementSize
    }

    mutating func elementCapacity<Value: ServedValue>(
        _ type: Value.Type
    ) throws(RemoteCallError) -> Int {
        try lend(type.recordShape.scalarsSize)
    }

    mutating func recordCapacities<Value: ServedValue>(
        _ type: Value.Type
    ) throws(RemoteCallError) -> [Value.Capacity] {
        let shape = type.recordShape
        var counts = record
        let count = try counts.readCount()
        var inner = WireReader(UnsafeRawBufferPointer(start: nil, count: 0))
        if shape.countsSize > 0 {
            inner = WireReader(try readSequence(elementSize: shape.countsSize))
        } else {
            record = counts
            guard count <= 15 else { throw failure("\(count) handles") }
        }
        var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        if shape.scalarsSize > 0 { memory = try nextRoom(count, elementSize: shape.scalarsSize) }
        lent.append(Lent(memory: memory, count: count))
        var capacities: [Value.Capacity] = []
        capacities.reserveCapacity(count)
        swap(&record, &inner)
        for _ in 0..<count { capacities.append(try type.capacity(in: &self)) }
        swap(&record, &inner)
        return capacities
    }

    // MARK: What is returned

    /// Returns a scalar or a struct.
    public mutating func write<Value: WireValue>(_ value: Value) throws(RemoteCallError) {
        try reply.append(value)
    }

    /// Returns an array by value.
    public mutating func write<Value: WireValue>(_ values: [Value], count: Int) throws(RemoteCallError) {
        try reply.append(values, count: count)
    }

    /// Returns a string with its terminating zero. One that does not fit throws `AEE_EBADPARM`.
    public mutating func write(string: String) throws(RemoteCallError) {
        let room = try nextLent()
        // Nobody sees a string without room.
        guard room.count > 0 || !string.isEmpty else { return }
        try fill(room, Array(string.utf8) + [0], "a string of \(string.utf8.count) bytes")
    }

    /// Returns a string of 16-bit units with its terminating zero.
    public mutating func write(wide string: String) throws(RemoteCallError) {
        let room = try nextLent()
        guard room.count > 0 || !string.isEmpty else { return }
        let units = Array(string.utf16) + [0]
        try units.withUnsafeBufferPointer { units throws(RemoteCallError) in
            try fill(room, UnsafeRawBufferPointer(units), "a string of \(string.utf16.count) units")
        }
    }

    /// Returns a sequence. One of scalars or simple structs may be shorter than its room, whose rest is filled
    /// with zeros; others must have exactly as many elements as there is room for.
    public mutating func write<Value: ServedValue>(sequence values: [Value]) throws(RemoteCallError) {
        let (room, shape) = (try nextLent(), Value.recordShape)
        if shape.isMemory {
            return try values.withUnsafeBufferPointer { values throws(RemoteCallError) in
                try fill(room, UnsafeRawBufferPointer(values), "\(values.count) elements")
            }
        }
        guard shape.countsSize == 0 && shape.scalarsSize > 0 || values.count == room.count else {
            throw failure("\(values.count) elements are returned where there is room for \(room.count)")
        }
        var outer = WireWriter(capacity: min(room.memory.count, 1 << 16))
        swap(&reply, &outer)
        for value in values { try write(record: value) }
        swap(&reply, &outer)
        try fill(room, outer.bytes, "\(values.count) elements")
    }

    /// Returns a struct that holds sequences, strings or handles.
    public mutating func write<Value: ServedValue>(record value: Value) throws(RemoteCallError) {
        reply.align(to: Value.recordShape.scalarsAlignment)
        try value.answer(&self)
        reply.align(to: Value.recordShape.scalarsAlignment)
    }

    private mutating func nextLent() throws(RemoteCallError) -> Lent {
        guard nextAnswered < lent.count else { throw failure("more is returned than there is room for") }
        defer { nextAnswered += 1 }
        return lent[nextAnswered]
    }

    private func fill(
        _ room: Lent, _ bytes: some Collection<UInt8>, _ what: String
    ) throws(RemoteCallError) {
        guard bytes.count <= room.memory.count else {
            throw failure("\(what) do not fit the caller's \(room.memory.count) bytes")
        }
        room.memory.copyBytes(from: bytes)
        for index in bytes.count..<room.memory.count { room.memory[index] = 0 }
    }
}
