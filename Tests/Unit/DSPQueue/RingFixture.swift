import DSPQueue
import Glibc
import SharedMemory

/// A queue of which a test plays both sides.
final class RingFixture: @unchecked Sendable {
    private let shared: SharedBuffer
    private let sharedAgain: SharedBuffer
    /// The queue's memory.
    let bytes: UnsafeMutableRawBufferPointer
    /// The same memory at another address, for a side that changes what it should not while it is read: to the
    /// one that reads, that is no access of this program.
    let mirror: UnsafeMutableRawBufferPointer
    let layout: QueueLayout
    let memory: QueueMemory

    init(request: Int = 0, response: Int = 0) throws {
        layout = try QueueLayout(requestByteCount: request, responseByteCount: response)
        shared = try MemoryFileAllocator().allocate(byteCount: layout.byteCount)
        sharedAgain = try SharedBuffer(mapping: dup(shared.descriptor), byteCount: shared.byteCount)
        bytes = UnsafeMutableRawBufferPointer(rebasing: shared.bytes[..<layout.byteCount])
        mirror = UnsafeMutableRawBufferPointer(rebasing: sharedAgain.bytes[..<layout.byteCount])
        bytes.initializeMemory(as: UInt8.self, repeating: 0xee)
        QueueMemory.format(
            bytes, layout: layout, queueCount: 7, version: QueueMemory.version, flags: .waitCounts)
        memory = try QueueMemory(bytes)
    }

    func word(_ offset: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}

extension QueueWriter {
    mutating func write(
        _ message: [UInt8], buffers: [BufferReference] = [], flags: PacketFlags = []
    ) throws -> Outcome {
        try message.withUnsafeBytes { try write($0, buffers: buffers, flags: flags) }
    }
}
