/// One outgoing call while it is packed, made and unpacked. Generated stubs are written with it.
///
/// Parameters are added in the order of the interface; the call sorts them into the primitive buffer, in
/// buffers, out buffers and handles. Memory passed as a buffer is not copied and must stay valid until the
/// call is over; strings, structs and arrays are copied into memory that the call owns.
///
/// After the call what came back is read, again in the order of the interface, but for the caller's own
/// buffers: those are filled already.
public struct RemoteCall: ~Copyable {
    let name: String
    private let method: Int
    private let replySize: Int
    /// Where counts and values are written: the primitive buffer, or the records of a sequence.
    var record: WireWriter
    private var inBuffers: [RemoteArgument] = []
    private var outBuffers: [RemoteArgument] = []
    private var inHandles: [RemoteArgument] = []
    private var outHandles: [RemoteArgument] = []
    private var owned: [UnsafeMutableRawBufferPointer] = []
    private var replyBuffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// What comes back in memory of the call, in the order in which it is read.
    var returned: [Returned] = []
    var nextReturned = 0
    /// The slices that the callee writes, which are part of what is read.
    var lentHandles: [DMAHandle] = []
    var nextLentHandle = 0
    /// Where values are read: the primitive buffer that came back, or the records of a sequence.
    var returnedRecord = WireReader(UnsafeRawBufferPointer(start: nil, count: 0))

    /// Room for a string or a sequence's records, and how many elements were asked for.
    struct Returned {
        var memory: UnsafeMutableRawBufferPointer
        var count: Int
    }

    /// Begins a call.
    ///
    /// - Parameters:
    ///   - name: for error messages, for example `htp.submit`.
    ///   - method: the method's index; from 31 on it also goes into the primitive buffer.
    ///   - replySize: bytes of the primitive buffer that comes back, rounded up; 0 if there is none.
    public init(_ name: String, method: Int, replySize: Int = 0) {
        self.name = name
        self.method = method
        self.replySize = replySize
        record = WireWriter(capacity: 64)
        if method >= 31 { record.append(UInt32(truncatingIfNeeded: method)) }
    }

    deinit {
        for memory in owned { memory.deallocate() }
    }

    mutating func allocate(_ count: Int) -> UnsafeMutableRawBufferPointer {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        owned.append(memory)
        return memory
    }

    // MARK: In

    /// Adds a scalar.
    public mutating func send(_ value: some WireScalar) { record.append(value) }

    /// Adds a struct, or a `boolean`.
    public mutating func send<Value: WireValue>(_ value: Value) throws(RemoteCallError) {
        try record.append(value)
    }

    /// Adds an array by value, whose length is part of the type.
    public mutating func send<Value: WireValue>(_ values: [Value], count: Int) throws(RemoteCallError) {
        try record.append(values, count: count)
    }

    /// Adds a sequence of scalars, without a copy.
    public mutating func send<Value: WireScalar>(
        _ values: UnsafeBufferPointer<Value>
    ) throws(RemoteCallError) {
        try record.append(count: values.count)
        inBuffers.append(RemoteArgument(reading: UnsafeRawBufferPointer(values)))
    }

    /// Adds a string with its terminating zero.
    public mutating func send(_ string: String) throws(RemoteCallError) {
        let bytes = Array(string.utf8) + [0]
        guard !bytes.dropLast().contains(0) else {
            throw RemoteCallError(.badParameter, operation: "\(name): packing a string with a zero inside")
        }
        try record.append(count: bytes.count)
        addCopy(of: bytes)
    }

    /// Adds a string of 16-bit units with its terminating zero.
    public mutating func send(wide string: String) throws(RemoteCallError) {
        let units = Array(string.utf16) + [0]
        guard !units.dropLast().contains(0) else {
            throw RemoteCallError(.badParameter, operation: "\(name): packing a string with a zero inside")
        }
        try record.append(count: units.count)
        units.withUnsafeBytes { addCopy(of: $0) }
    }

    mutating func addCopy(of bytes: some Collection<UInt8>) {
        let memory = allocate(bytes.count)
        memory.copyBytes(from: bytes)
        inBuffers.append(RemoteArgument(writing: memory))
    }

    /// Keeps the place of an in buffer whose content is known after those that follow it.
    mutating func reserveInBuffer() -> Int {
        inBuffers.append(RemoteArgument(buffer: nil, count: 0))
        return inBuffers.count - 1
    }

    mutating func fillInBuffer(at place: Int, _ bytes: [UInt8]) {
        let memory = allocate(bytes.count)
        memory.copyBytes(from: bytes)
        inBuffers[place] = RemoteArgument(writing: memory)
    }

    // MARK: Out

    /// Adds a sequence of scalars that the callee fills, without a copy. Its length is the capacity; how much
    /// of it was filled is for the interface to say.
    public mutating func receive<Value: WireScalar>(
        _ values: UnsafeMutableBufferPointer<Value>
    ) throws(RemoteCallError) {
        try record.append(count: values.count)
        outBuffers.append(RemoteArgument(writing: UnsafeMutableRawBufferPointer(values)))
    }

    /// Adds a string that the callee fills: `capacity` bytes, the terminating zero included.
    ///
    /// - Returns: the buffer's place, for `string(at:)`.
    @discardableResult
    public mutating func receiveString(capacity: Int) throws(RemoteCallError) -> Int {
        try record.append(count: capacity)
        return addReturned(count: capacity, elementSize: 1)
    }

    /// Adds a string of 16-bit units that the callee fills: `capacity` units, the terminating zero included.
    ///
    /// - Returns: the buffer's place, for `wideString(at:)`.
    @discardableResult
    public mutating func receiveWideString(capacity: Int) throws(RemoteCallError) -> Int {
        try record.append(count: capacity)
        return addReturned(count: capacity, elementSize: 2)
    }

    /// Adds an out buffer of the call's own; the count was checked when it was packed.
    @discardableResult
    mutating func addReturned(count: Int, elementSize: Int) -> Int {
        let memory = allocate(count * elementSize)
        returned.append(Returned(memory: memory, count: count))
        outBuffers.append(RemoteArgument(writing: memory))
        return outBuffers.count - 1
    }

    // MARK: Both ways

    /// Adds a sequence of scalars that the callee reads and overwrites, without a copy.
    public mutating func exchange<Value: WireScalar>(
        _ values: UnsafeMutableBufferPointer<Value>
    ) throws(RemoteCallError) {
        try send(UnsafeBufferPointer(values))
        try receive(values)
    }

    // MARK: Handles

    /// Adds a slice of a DMA buffer, which the callee reads.
    public mutating func send(_ buffer: DMAHandle) {
        inHandles.append(RemoteArgument(descriptor: buffer.descriptor, offset: buffer.offset))
    }

    /// Adds a slice of a DMA buffer, which the callee writes.
    public mutating func receive(_ buffer: DMAHandle) {
        outHandles.append(RemoteArgument(descriptor: buffer.descriptor, offset: buffer.offset))
    }

    /// Adds slices that the callee writes: their count, and a slot for each.
    public mutating func receive(_ buffers: [DMAHandle]) throws(RemoteCallError) {
        try record.append(count: buffers.count)
        for buffer in buffers { receive(buffer) }
    }

    /// Adds a slice that is part of a returned value; `readHandle()` gives it back.
    public mutating func receive(handle buffer: DMAHandle) {
        receive(buffer)
        lentHandles.append(buffer)
    }

    // MARK: The call

    /// Makes the call and waits for its end.
    public mutating func invoke<Handle: RemoteInvoker & ~Copyable>(
        on handle: borrowing Handle
    ) throws(RemoteCallError) {
        let (scalars, arguments) = try finishPacking()
        do throws(RemoteCallError) {
            try handle.invoke(scalars, arguments)
        } catch {
            throw named(error)
        }
    }

    /// Makes the call while the task waits. The call itself cannot be cancelled: it runs to its end, also if
    /// the task is cancelled meanwhile.
    public mutating func invoke<Handle: AsyncRemoteInvoker & ~Copyable>(
        on handle: borrowing Handle
    ) async throws(RemoteCallError) {
        let (scalars, arguments) = try finishPacking()
        do throws(RemoteCallError) {
            try await handle.invokeAsync(scalars, arguments)
        } catch {
            throw named(error)
        }
    }

    private func named(_ error: RemoteCallError) -> RemoteCallError {
        RemoteCallError(error.result, operation: "\(name): \(error.operation)", advice: error.advice)
    }

    /// Lays the arguments out in memory of the call.
    private mutating func finishPacking() throws(RemoteCallError) -> (
        Scalars, UnsafeMutableBufferPointer<RemoteArgument>
    ) {
        let bytes = record.padded
        var first: [RemoteArgument] = []
        if !bytes.isEmpty {
            let memory = allocate(bytes.count)
            memory.copyBytes(from: bytes)
            first.append(RemoteArgument(writing: memory))
        }
        var reply: [RemoteArgument] = []
        if replySize > 0 {
            replyBuffer = allocate(replySize)
            returnedRecord = self.reply
            reply.append(RemoteArgument(writing: replyBuffer))
        }
        // The reference stub refuses 255 secondary buffers; the scalars word holds 255 in all.
        guard inBuffers.count < 255, outBuffers.count < 255 else {
            throw RemoteCallError(
                .unsupported,
                operation: "\(name) with \(inBuffers.count) in and \(outBuffers.count) out buffers",
                advice: "a call carries at most 254 each way")
        }
        guard inHandles.count <= 15, outHandles.count <= 15 else {
            throw RemoteCallError(
                .badParameter,
                operation: "\(name) with \(inHandles.count) in and \(outHandles.count) out handles",
                advice: "a call carries at most 15 each way")
        }
        let scalars = Scalars(
            method: method, inBuffers: first.count + inBuffers.count,
            outBuffers: reply.count + outBuffers.count, inHandles: inHandles.count,
            outHandles: outHandles.count)
        let list = [first, inBuffers, reply, outBuffers, inHandles, outHandles].joined()
        let arguments = allocate(scalars.argumentCount * MemoryLayout<RemoteArgument>.stride)
            .bindMemory(to: RemoteArgument.self)
        _ = arguments.initialize(from: list)
        return (scalars, arguments)
    }

    // MARK: After the call

    /// The primitive buffer that came back.
    public var reply: WireReader { WireReader(UnsafeRawBufferPointer(replyBuffer)) }

    /// The string that came back in an out buffer, up to its first zero. Broken UTF-8 is repaired.
    public func string(at place: Int) -> String { Self.text(outBuffers[place].buffer) }

    /// The string of 16-bit units that came back in an out buffer, up to its first zero.
    public func wideString(at place: Int) -> String { Self.wideText(outBuffers[place].buffer) }

    static func text(_ bytes: UnsafeMutableRawBufferPointer) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    static func wideText(_ bytes: UnsafeMutableRawBufferPointer) -> String {
        let units = bytes.bindMemory(to: UInt16.self)
        return String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
    }
}
