import DSPQueue

/// A queue in ordinary memory of this process, of which a test plays both sides.
final class RingFixture: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer
    let layout: QueueLayout
    let memory: QueueMemory

    init(request: Int = 0, response: Int = 0) throws {
        layout = try QueueLayout(requestByteCount: request, responseByteCount: response)
        bytes = .allocate(byteCount: layout.byteCount, alignment: 4096)
        bytes.initializeMemory(as: UInt8.self, repeating: 0xee)
        QueueMemory.format(
            bytes, layout: layout, queueCount: 7, version: QueueMemory.version, flags: .waitCounts)
        memory = try QueueMemory(bytes)
    }

    deinit { bytes.deallocate() }

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
