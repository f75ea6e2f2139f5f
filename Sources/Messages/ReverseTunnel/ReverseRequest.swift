import RemoteCalls

/// A call from the DSP as it stands in the buffer that `adsp_listener.next2` fills.
///
/// For every in buffer a `UInt32` length, padding to a multiple of 8 from the buffer's start where the length
/// is not 0, and the bytes; then for every out buffer a `UInt32` capacity. The next item follows the bytes
/// at once, wherever they end (`qualcomm/fastrpc`, `inc/listener_buf.h` and `inc/sbuf.h`).
public struct ReverseRequest: Sendable {
    /// What the DSP sends.
    public var inBuffers: [[UInt8]]
    /// Bytes of each buffer that goes back.
    public var outCapacities: [Int]

    /// Unpacks a request. What follows the last item is ignored.
    ///
    /// - Parameters:
    ///   - scalars: how many buffers there are.
    ///   - bytes: the request.
    ///   - maximumReply: bytes that the out buffers may have together.
    /// - Throws: `AEE_EBADPARM` for handle arguments and lengths that do not lie in `bytes`,
    ///   `AEE_ENOMEMORY` where the reply would be larger than `maximumReply`.
    public init(
        _ scalars: Scalars, _ bytes: UnsafeRawBufferPointer, maximumReply: Int
    ) throws(RemoteCallError) {
        guard scalars.inHandles == 0, scalars.outHandles == 0 else {
            throw RemoteCallError(
                .badParameter, operation: "unpacking reverse call \(scalars)",
                advice: "handles cannot travel from the DSP to the host")
        }
        var offset = 0
        func readLength() throws(RemoteCallError) -> Int {
            guard bytes.count - offset >= 4 else {
                throw RemoteCallError(
                    .badParameter,
                    operation: "unpacking reverse call \(scalars): it ends in a length, at \(bytes.count)")
            }
            defer { offset += 4 }
            return Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        inBuffers = []
        inBuffers.reserveCapacity(scalars.inBuffers)
        for _ in 0..<scalars.inBuffers {
            let length = try readLength()
            guard length > 0 else {
                inBuffers.append([])
                continue
            }
            let start = (offset + 7) & ~7
            guard start <= bytes.count, length <= bytes.count - start else {
                throw RemoteCallError(
                    .badParameter,
                    operation: "unpacking reverse call \(scalars): \(length) bytes at \(start) "
                        + "do not lie in \(bytes.count)")
            }
            offset = start + length
            inBuffers.append(Array(bytes[start..<offset]))
        }
        outCapacities = []
        outCapacities.reserveCapacity(scalars.outBuffers)
        var left = maximumReply
        for _ in 0..<scalars.outBuffers {
            let capacity = try readLength()
            guard capacity <= left else {
                throw RemoteCallError(
                    .noMemory,
                    operation: "reverse call \(scalars) wants a reply of over \(maximumReply) bytes")
            }
            left -= capacity
            outCapacities.append(capacity)
        }
    }

    /// Calls `service` with these buffers.
    ///
    /// - Returns: the packed reply: for every out buffer its whole capacity, because the DSP compares the
    ///   lengths that come back with those that it sent.
    func invoke(
        _ scalars: Scalars, on service: any ReverseService
    ) throws(RemoteCallError) -> [UInt8] {
        var memory: [UnsafeMutableRawBufferPointer] = []
        defer { for buffer in memory { buffer.deallocate() } }
        for bytes in inBuffers {
            memory.append(.allocate(byteCount: bytes.count, alignment: 8))
            memory[memory.count - 1].copyBytes(from: bytes)
        }
        for capacity in outCapacities {
            memory.append(.allocate(byteCount: capacity, alignment: 8))
            memory[memory.count - 1].initializeMemory(as: UInt8.self, repeating: 0)
        }
        let arguments = UnsafeMutableBufferPointer<RemoteArgument>.allocate(capacity: memory.count)
        defer { arguments.deallocate() }
        _ = arguments.initialize(from: memory.map { RemoteArgument(writing: $0) })
        try service.invoke(scalars, arguments)
        return Self.packReply(memory[inBuffers.count...].lazy.map { UnsafeRawBufferPointer($0) })
    }

    /// Packs what goes back: for every buffer a `UInt32` length, padding to a multiple of 8 where the length
    /// is not 0, and the bytes.
    static func packReply(_ buffers: some Sequence<UnsafeRawBufferPointer>) -> [UInt8] {
        var reply: [UInt8] = []
        for buffer in buffers {
            withUnsafeBytes(of: UInt32(buffer.count).littleEndian) { reply.append(contentsOf: $0) }
            guard !buffer.isEmpty else { continue }
            reply.append(contentsOf: repeatElement(0, count: -reply.count & 7))
            reply.append(contentsOf: buffer)
        }
        return reply
    }
}
