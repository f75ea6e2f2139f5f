/// One outgoing call while it is packed, made and unpacked. Generated stubs are written with it.
///
/// Parameters are added in the order of the interface; the call sorts them into the primitive buffer, in
/// buffers, out buffers and handles. Memory passed as a buffer is not copied and must stay valid until the
/// call is over; strings and structs are copied into memory that the call owns.
public struct RemoteCall: ~Copyable {
    private let name: String
    private let method: Int
    private let replySize: Int
    private var primitives: WireWriter
    private var inBuffers: [RemoteArgument] = []
    private var outBuffers: [RemoteArgument] = []
    private var inHandles: [RemoteArgument] = []
    private var outHandles: [RemoteArgument] = []
    private var owned: [UnsafeMutableRawBufferPointer] = []
    private var replyBuffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)

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
        primitives = WireWriter(capacity: 64)
        if method >= 31 { primitives.append(UInt32(truncatingIfNeeded: method)) }
    }

    deinit {
        for memory in owned { memory.deallocate() }
    }

    private mutating func allocate(_ count: Int) -> UnsafeMutableRawBufferPointer {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        owned.append(memory)
        return memory
    }

    // MARK: In

    /// Adds a scalar.
    public mutating func send(_ value: some WireScalar) { primitives.append(value) }

    /// Adds a struct, or a `boolean`.
    public mutating func send<Value: WireValue>(_ value: Value) throws(RemoteCallError) {
        try primitives.append(value)
    }

    /// Adds an array by value, whose length is part of the type.
    public mutating func send<Value: WireValue>(_ values: [Value], count: Int) throws(RemoteCallError) {
        try primitives.append(values, count: count)
    }

    /// Adds a sequence of scalars, without a copy.
    public mutating func send<Value: WireScalar>(
        _ values: UnsafeBufferPointer<Value>
    ) throws(RemoteCallError) {
        try primitives.append(count: values.count)
        inBuffers.append(RemoteArgument(reading: UnsafeRawBufferPointer(values)))
    }

    /// Adds a sequence of structs, packed into a copy.
    public mutating func send<Value: WireValue>(sequence values: [Value]) throws(RemoteCallError) {
        try primitives.append(count: values.count)
        let (size, overflow) = values.count.multipliedReportingOverflow(by: Value.wireSize)
        guard !overflow else {
            throw RemoteCallError(.badParameter, operation: "\(name): packing \(values.count) structs")
        }
        var writer = WireWriter(capacity: size)
        for value in values { try writer.append(value) }
        addCopy(of: writer.bytes)
    }

    /// Adds a string with its terminating zero.
    public mutating func send(_ string: String) throws(RemoteCallError) {
        let bytes = Array(string.utf8) + [0]
        guard !bytes.dropLast().contains(0) else {
            throw RemoteCallError(.badParameter, operation: "\(name): packing a string with a zero inside")
        }
        try primitives.append(count: bytes.count)
        addCopy(of: bytes)
    }

    /// Adds a string of 16-bit units with its terminating zero.
    public mutating func send(wide string: String) throws(RemoteCallError) {
        let units = Array(string.utf16) + [0]
        guard !units.dropLast().contains(0) else {
            throw RemoteCallError(.badParameter, operation: "\(name): packing a string with a zero inside")
        }
        try primitives.append(count: units.count)
        units.withUnsafeBytes { addCopy(of: Array($0)) }
    }

    private mutating func addCopy(of bytes: [UInt8]) {
        let memory = allocate(bytes.count)
        memory.copyBytes(from: bytes)
        inBuffers.append(RemoteArgument(writing: memory))
    }

    // MARK: Out

    /// Adds a sequence of scalars that the callee fills, without a copy. Its length is the capacity; how much
    /// of it was filled is for the interface to say.
    public mutating func receive<Value: WireScalar>(
        _ values: UnsafeMutableBufferPointer<Value>
    ) throws(RemoteCallError) {
        try primitives.append(count: values.count)
        outBuffers.append(RemoteArgument(writing: UnsafeMutableRawBufferPointer(values)))
    }

    /// Adds a sequence of structs that the callee fills; `sequence(at:count:)` unpacks it after the call.
    ///
    /// - Returns: the buffer's place, for the unpacking call.
    public mutating func receive<Value: WireValue>(
        _ type: Value.Type, count: Int
    ) throws(RemoteCallError) -> Int {
        try primitives.append(count: count)
        let (size, overflow) = count.multipliedReportingOverflow(by: Value.wireSize)
        guard !overflow else {
            throw RemoteCallError(.badParameter, operation: "\(name): reserving \(count) structs")
        }
        outBuffers.append(RemoteArgument(writing: allocate(size)))
        return outBuffers.count - 1
    }

    /// Adds a string that the callee fills: `capacity` bytes, the terminating zero included.
    ///
    /// - Returns: the buffer's place, for `string(at:)`.
    public mutating func receiveString(capacity: Int) throws(RemoteCallError) -> Int {
        try primitives.append(count: capacity)
        outBuffers.append(RemoteArgument(writing: allocate(capacity)))
        return outBuffers.count - 1
    }

    /// Adds a string of 16-bit units that the callee fills: `capacity` units, the terminating zero included.
    ///
    /// - Returns: the buffer's place, for `wideString(at:)`.
    public mutating func receiveWideString(capacity: Int) throws(RemoteCallError) -> Int {
        try primitives.append(count: capacity)
        outBuffers.append(RemoteArgument(writing: allocate(capacity * 2)))
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

    // MARK: The call

    /// Makes the call and waits for its end.
    public mutating func invoke<Handle: RemoteInvoker & ~Copyable>(
        on handle: borrowing Handle
    ) throws(RemoteCallError) {
        let bytes = primitives.padded
        var first: [RemoteArgument] = []
        if !bytes.isEmpty {
            let memory = allocate(bytes.count)
            memory.copyBytes(from: bytes)
            first.append(RemoteArgument(writing: memory))
        }
        var reply: [RemoteArgument] = []
        if replySize > 0 {
            replyBuffer = allocate(replySize)
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
        let arguments = UnsafeMutableBufferPointer<RemoteArgument>.allocate(capacity: scalars.argumentCount)
        defer { arguments.deallocate() }
        _ = arguments.initialize(
            from: [first, inBuffers, reply, outBuffers, inHandles, outHandles].joined())
        do throws(RemoteCallError) {
            try handle.invoke(scalars, arguments)
        } catch {
            throw RemoteCallError(
                error.result, operation: "\(name): \(error.operation)", advice: error.advice)
        }
    }

    // MARK: After the call

    /// The primitive buffer that came back.
    public var reply: WireReader { WireReader(UnsafeRawBufferPointer(replyBuffer)) }

    /// The string that came back in an out buffer, up to its first zero. Broken UTF-8 is repaired.
    public func string(at place: Int) -> String {
        String(decoding: outBuffers[place].buffer.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// The string of 16-bit units that came back in an out buffer, up to its first zero.
    public func wideString(at place: Int) -> String {
        let units = outBuffers[place].buffer.bindMemory(to: UInt16.self)
        return String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
    }

    /// The structs that came back in an out buffer.
    public func sequence<Value: WireValue>(
        _ type: Value.Type, at place: Int, count: Int
    ) throws(RemoteCallError) -> [Value] {
        var reader = WireReader(UnsafeRawBufferPointer(outBuffers[place].buffer))
        return try reader.read(Value.self, count: count)
    }
}
