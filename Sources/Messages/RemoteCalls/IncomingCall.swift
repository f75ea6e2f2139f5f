/// A call as the callee sees it: parameters are taken in the order of the interface, every length checked.
///
/// For interfaces that Swift serves, such as those of the reverse tunnel or of a simulated DSP. A call that
/// does not fit the interface throws `AEE_EBADPARM`.
public struct IncomingCall {
    /// The method's real index, also beyond 30.
    public let method: Int
    private let scalars: Scalars
    private let arguments: UnsafeMutableBufferPointer<RemoteArgument>
    /// Where values and counts are read: the primitive buffer, or the records of a sequence.
    var record: WireReader
    /// Where returned values are written: the primitive buffer that goes back, or the records of a sequence.
    var reply = WireWriter()
    /// The room that was taken for what is returned, and how much of it is answered.
    var lent: [Lent] = []
    var nextAnswered = 0
    private var nextIn: Int
    private var nextOut: Int
    private var nextInHandle: Int
    private var nextOutHandle: Int
    private let replyBuffer: UnsafeMutableRawBufferPointer?

    /// Room for a string or for the records of so many elements.
    struct Lent {
        var memory: UnsafeMutableRawBufferPointer
        var count: Int
    }

    /// Begins to unpack a call. From index 31 on the real index is read from the primitive buffer.
    ///
    /// - Parameters:
    ///   - hasPrimitives: whether the method has a primitive in buffer; ask `Scalars.method` which it is. From
    ///     index 31 on it always has.
    ///   - replySize: exact bytes of the primitive buffer that goes back; 0 if there is none.
    public init(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>, hasPrimitives: Bool,
        replySize: Int = 0
    ) throws(RemoteCallError) {
        guard arguments.count >= scalars.argumentCount else {
            throw RemoteCallError(
                .badParameter, operation: "unpacking call \(scalars) with \(arguments.count) arguments")
        }
        self.scalars = scalars
        self.arguments = arguments
        nextIn = 0
        nextOut = scalars.inBuffers
        nextInHandle = scalars.inBuffers + scalars.outBuffers
        nextOutHandle = nextInHandle + scalars.inHandles
        record = WireReader(UnsafeRawBufferPointer(start: nil, count: 0))
        let isExtended = scalars.method == 31
        if hasPrimitives || isExtended {
            guard scalars.inBuffers > 0 else {
                throw RemoteCallError(
                    .badParameter, operation: "unpacking call \(scalars) without primitives")
            }
            record = WireReader(UnsafeRawBufferPointer(arguments[0].buffer))
            nextIn = 1
        }
        if replySize > 0 {
            guard scalars.outBuffers > 0, arguments[nextOut].buffer.count >= replySize else {
                throw RemoteCallError(
                    .badParameter, operation: "unpacking call \(scalars) without room for \(replySize) bytes")
            }
            replyBuffer = arguments[nextOut].buffer
            nextOut += 1
        } else {
            replyBuffer = nil
        }
        method = isExtended ? Int(try record.read(UInt32.self)) : scalars.method
    }

    func failure(_ what: String) -> RemoteCallError {
        RemoteCallError(
            .badParameter, operation: "unpacking call \(scalars): \(what)",
            advice: "stub and skel were generated from different interfaces")
    }

    /// Takes a scalar.
    public mutating func read<Value: WireScalar>(
        _ type: Value.Type = Value.self
    ) throws(RemoteCallError) -> Value {
        try record.read(type)
    }

    /// Takes a struct, or a `boolean`.
    public mutating func read<Value: WireValue>(
        _ type: Value.Type = Value.self
    ) throws(RemoteCallError) -> Value {
        try record.read(type)
    }

    /// Takes an array by value.
    public mutating func read<Value: WireValue>(
        _ type: Value.Type = Value.self, count: Int
    ) throws(RemoteCallError) -> [Value] {
        try record.read(type, count: count)
    }

    /// Takes a sequence: the bytes of its elements, which need not be aligned.
    public mutating func readSequence(elementSize: Int) throws(RemoteCallError) -> UnsafeRawBufferPointer {
        let count = try record.readCount()
        guard nextIn < scalars.inBuffers else { throw failure("an in buffer is missing") }
        let buffer = arguments[nextIn].buffer
        let (size, overflow) = count.multipliedReportingOverflow(by: elementSize)
        guard !overflow, buffer.count >= size else {
            throw failure("\(count) elements do not lie in \(buffer.count) bytes")
        }
        nextIn += 1
        return UnsafeRawBufferPointer(rebasing: buffer[..<size])
    }

    /// Takes a string, whose last byte must be zero. Broken UTF-8 is repaired.
    public mutating func readString() throws(RemoteCallError) -> String {
        let bytes = try readSequence(elementSize: 1)
        guard bytes.last == 0 else { throw failure("a string does not end with zero") }
        return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// The room for a sequence or string that goes back.
    public mutating func roomForSequence(
        elementSize: Int
    ) throws(RemoteCallError) -> UnsafeMutableRawBufferPointer {
        try nextRoom(try record.readCount(), elementSize: elementSize)
    }

    /// The next out buffer, which must hold `count` elements.
    mutating func nextRoom(
        _ count: Int, elementSize: Int
    ) throws(RemoteCallError) -> UnsafeMutableRawBufferPointer {
        guard nextOut < scalars.inBuffers + scalars.outBuffers else {
            throw failure("an out buffer is missing")
        }
        let buffer = arguments[nextOut].buffer
        let (size, overflow) = count.multipliedReportingOverflow(by: elementSize)
        guard !overflow, buffer.count >= size else {
            throw failure("\(count) elements do not fit \(buffer.count) bytes")
        }
        nextOut += 1
        return UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
    }

    /// Takes a slice of a DMA buffer; its length does not travel.
    public mutating func readDMAHandle() throws(RemoteCallError) -> (descriptor: CInt, offset: UInt32) {
        guard nextInHandle < scalars.argumentCount - scalars.outHandles else {
            throw failure("an in handle is missing")
        }
        defer { nextInHandle += 1 }
        return (arguments[nextInHandle].descriptor, arguments[nextInHandle].offset)
    }

    /// Takes a slice that the callee writes.
    mutating func nextLentArgument() throws(RemoteCallError) -> RemoteArgument {
        guard nextOutHandle < scalars.argumentCount else { throw failure("an out handle is missing") }
        defer { nextOutHandle += 1 }
        return arguments[nextOutHandle]
    }

    /// Returns a handle.
    public mutating func write(handle: UInt64) throws(RemoteCallError) {
        guard nextOutHandle < scalars.argumentCount else { throw failure("an out handle is missing") }
        arguments[nextOutHandle] = RemoteArgument(handle: handle)
        nextOutHandle += 1
    }

    /// Checks that all buffers and handles are taken: before the method runs, so that a call that does not fit
    /// has no effect.
    public func requireEnd() throws(RemoteCallError) {
        guard nextIn == scalars.inBuffers, nextOut == scalars.inBuffers + scalars.outBuffers,
            nextInHandle == scalars.argumentCount - scalars.outHandles, nextOutHandle == scalars.argumentCount
        else { throw failure("there are buffers or handles left over") }
    }

    /// Ends the call: checks that no buffer is left over, and copies the primitives that go back.
    ///
    /// - Parameter reply: what goes back where it was not written to the call itself.
    public func finish(_ reply: WireWriter? = nil) throws(RemoteCallError) {
        guard nextIn == scalars.inBuffers, nextOut == scalars.inBuffers + scalars.outBuffers else {
            throw failure("there are buffers left over")
        }
        let reply = reply ?? self.reply
        let room = replyBuffer?.count ?? 0
        guard reply.bytes.count <= room else {
            throw failure("\(reply.bytes.count) bytes do not fit the reply's \(room)")
        }
        replyBuffer?.copyBytes(from: reply.bytes)
    }
}
