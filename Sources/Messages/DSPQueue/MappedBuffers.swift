import Synchronization

/// The buffers that are mapped on a DSP, by descriptor, with the references that packets hold on them.
///
/// A mapping starts with one reference, its own. A packet may add references and give them back; the
/// mapping's own is not for packets to give. Sender and receiver count for themselves, the sender when it
/// writes a packet, the receiver when it reads one.
public final class MappedBuffers: Sendable {
    private struct Mapping: @unchecked Sendable {
        var bytes: UnsafeMutableRawBufferPointer
        var references: UInt32 = 1
    }

    private let table = Mutex<[UInt32: Mapping]>([:])

    /// Starts with an empty table.
    public init() {}

    /// Enters a buffer that was mapped on the DSP. `bytes` is where the host sees it; it must stay valid
    /// until ``remove(descriptor:)``.
    public func add(descriptor: CInt, bytes: UnsafeMutableRawBufferPointer) throws(DSPQueueError) {
        guard let key = UInt32(exactly: descriptor), !bytes.isEmpty, bytes.count <= Int(UInt32.max) else {
            throw .invalidBuffer(
                .badParameter, "mapping of \(bytes.count) bytes under descriptor \(descriptor)")
        }
        let mapping = Mapping(bytes: bytes)
        let isNew = table.withLock { table in
            if table[key] != nil { return false }
            table[key] = mapping
            return true
        }
        guard isNew else { throw .invalidBuffer(.badParameter, "descriptor \(descriptor) is mapped already") }
    }

    /// Forgets a buffer. Fails while packets hold references on it, or when it is not there.
    public func remove(descriptor: CInt) throws(DSPQueueError) {
        guard let key = UInt32(exactly: descriptor), let references = references(descriptor) else {
            throw .invalidBuffer(.noSuchMap, "descriptor \(descriptor)")
        }
        guard references == 1 else {
            throw .invalidBuffer(
                .badParameter, "descriptor \(descriptor) has \(references - 1) references from packets")
        }
        table.withLock { _ = $0.removeValue(forKey: key) }
    }

    /// Forgets a buffer whatever refers to it: on the DSP a mapping is gone when the client says so.
    package func forget(descriptor: CInt) {
        guard let key = UInt32(exactly: descriptor) else { return }
        table.withLock { _ = $0.removeValue(forKey: key) }
    }

    /// How many references a buffer has, its own included; nil when it is not mapped.
    public func references(_ descriptor: CInt) -> UInt32? {
        guard let key = UInt32(exactly: descriptor) else { return nil }
        return table.withLock { $0[key]?.references }
    }

    /// Looks up all buffers of a packet, runs `body`, and counts their references if it says so. One wrong
    /// buffer is enough that nothing happens.
    package func account<Result>(
        _ buffers: [BufferReference],
        _ body: ([ReceivedBuffer]) throws(DSPQueueError) -> (result: Result, isDone: Bool)
    ) throws(DSPQueueError) -> Result {
        // Without buffers there is nothing to lock.
        if buffers.isEmpty { return try body([]).result }
        return try table.withLock { table throws(DSPQueueError) in
            var changed = table
            var found: [ReceivedBuffer] = []
            for buffer in buffers { found.append(try Self.apply(buffer, &changed)) }
            let (result, isDone) = try body(found)
            if isDone { table = changed }
            return result
        }
    }

    private static func apply(
        _ buffer: BufferReference, _ table: inout [UInt32: Mapping]
    ) throws(DSPQueueError) -> ReceivedBuffer {
        let name = "buffer \(buffer.descriptor)"
        guard buffer.flags.isSubset(of: .known) else {
            throw .invalidBuffer(.badParameter, "\(name) with reserved flags \(buffer.flags.rawValue)")
        }
        guard !buffer.flags.isSuperset(of: [.addReference, .dropReference]) else {
            throw .invalidBuffer(.badParameter, "\(name) adds and drops a reference at once")
        }
        guard let mapping = table[buffer.descriptor] else {
            throw .invalidBuffer(.noSuchMap, "\(name) is not mapped on this domain and session")
        }
        let offset = Int(buffer.offset)
        let end = offset + Int(buffer.byteCount)
        guard end <= mapping.bytes.count, buffer.byteCount > 0 || offset == 0 else {
            throw .invalidBuffer(
                .badParameter,
                "\(name): \(buffer.byteCount) bytes at \(offset) of \(mapping.bytes.count)")
        }
        if buffer.flags.contains(.addReference) {
            guard mapping.references < .max else {
                throw .invalidBuffer(.badParameter, "\(name) has too many references")
            }
            table[buffer.descriptor]?.references += 1
        }
        if buffer.flags.contains(.dropReference) {
            guard mapping.references > 1 else {
                throw .invalidBuffer(.badParameter, "\(name) drops a reference that no packet added")
            }
            table[buffer.descriptor]?.references -= 1
        }
        let range = buffer.byteCount == 0 ? 0..<mapping.bytes.count : offset..<end
        return ReceivedBuffer(
            reference: buffer, bytes: UnsafeMutableRawBufferPointer(rebasing: mapping.bytes[range]))
    }
}

/// A buffer reference together with the memory it names.
public struct ReceivedBuffer: @unchecked Sendable {
    /// As the packet has it.
    public let reference: BufferReference
    /// The part as this side sees it; valid as long as the mapping.
    public let bytes: UnsafeMutableRawBufferPointer
}
