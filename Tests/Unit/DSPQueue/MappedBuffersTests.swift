import DSPQueue
import RemoteCalls
import Testing

@Suite struct DSPQueueBufferTests {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    let buffers = MappedBuffers()

    init() throws { try buffers.add(descriptor: 5, bytes: memory) }

    func count(_ references: BufferReference..., isDone: Bool = true) throws -> [Range<Int>] {
        let found = try buffers.account(references) { found in (found, isDone) }
        return found.map {
            let start = ($0.bytes.baseAddress ?? memory.baseAddress!) - memory.baseAddress!
            return start..<start + $0.bytes.count
        }
    }

    func result(_ references: BufferReference...) throws -> AEEResult? {
        #expect(throws: DSPQueueError.self) {
            _ = try buffers.account(references) { _ in ((), true) }
        }?.result
    }

    @Test func ranges() throws {
        defer { memory.deallocate() }
        #expect(try count(BufferReference(descriptor: 5)) == [0..<4096])
        #expect(
            try count(
                BufferReference(descriptor: 5, offset: 8, byteCount: 4088),
                BufferReference(descriptor: 5, offset: 0, byteCount: 1)) == [8..<4096, 0..<1])
        #expect(try result(BufferReference(descriptor: 6)) == .noSuchMap)
        #expect(try result(BufferReference(descriptor: .max)) == .noSuchMap)
        for (offset, byteCount) in [(8, 0), (8, 4089), (0, 4097), (.max, .max), (4097, 1)]
            as [(UInt32, UInt32)]
        {
            let reference = BufferReference(descriptor: 5, offset: offset, byteCount: byteCount)
            #expect(try result(reference) == .badParameter)
        }
    }

    @Test func references() throws {
        defer { memory.deallocate() }
        let add = BufferReference(descriptor: 5, flags: .addReference)
        let drop = BufferReference(descriptor: 5, flags: .dropReference)
        #expect(buffers.references(5) == 1)
        #expect(try result(drop) == .badParameter)
        _ = try count(add, add, drop)
        #expect(buffers.references(5) == 2)
        // One wrong buffer, and none counts; nor when the packet was not written.
        #expect(try result(add, BufferReference(descriptor: 6)) == .noSuchMap)
        #expect(try result(drop, drop) == .badParameter)
        _ = try count(add, add, isDone: false)
        #expect(buffers.references(5) == 2)
        #expect(throws: DSPQueueError.self) { try buffers.remove(descriptor: 5) }
        _ = try count(drop)
        try buffers.remove(descriptor: 5)
        #expect(buffers.references(5) == nil)
        #expect(throws: DSPQueueError.self) { try buffers.remove(descriptor: 5) }
    }

    @Test func wrongFlags() throws {
        defer { memory.deallocate() }
        for flags in [
            [.addReference, .dropReference], BufferFlags(rawValue: 1), BufferFlags(rawValue: 0x100),
        ] {
            #expect(try result(BufferReference(descriptor: 5, flags: flags)) == .badParameter)
        }
        #expect(throws: DSPQueueError.self) { try buffers.add(descriptor: 5, bytes: memory) }
        #expect(throws: DSPQueueError.self) { try buffers.add(descriptor: -1, bytes: memory) }
        #expect(buffers.references(5) == 1)
    }
}
