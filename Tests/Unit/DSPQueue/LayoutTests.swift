import Testing

import DSPQueue

@Suite struct DSPQueueLayoutTests {
    /// Offsets that a build of Qualcomm's library gave.
    @Test func defaultSizes() throws {
        let layout = try QueueLayout()
        #expect(
            layout.request == RingLayout(data: 256, byteCount: 65_536, readState: 65_792, writeState: 66_048))
        #expect(
            layout.response
                == RingLayout(data: 66_304, byteCount: 16_384, readState: 82_688, writeState: 82_944))
        #expect(layout.byteCount == 83_200)
    }

    @Test func partsStartOnLines() throws {
        let layout = try QueueLayout(requestByteCount: 16, responseByteCount: 264)
        #expect(layout.request == RingLayout(data: 256, byteCount: 16, readState: 512, writeState: 768))
        #expect(layout.response == RingLayout(data: 1024, byteCount: 264, readState: 1536, writeState: 1792))
    }

    @Test(arguments: [-8, 8, 17, 100, 16_777_224, Int.max, Int.min])
    func impossibleSizes(byteCount: Int) {
        #expect(throws: DSPQueueError.self) { try QueueLayout(requestByteCount: byteCount) }
        #expect(throws: DSPQueueError.self) { try QueueLayout(responseByteCount: byteCount) }
    }

    @Test func header() throws {
        let fixture = try RingFixture()
        let words = (0..<12).map { fixture.word(4 * $0) }
        #expect(
            words == [2, 0, 1, 256, 65_536, 65_792, 66_048, 66_304, 16_384, 82_688, 82_944, 7])
        for state in [65_792, 66_048, 82_688, 82_944] {
            #expect((0..<3).allSatisfy { fixture.word(state + 4 * $0) == 0 })
        }
    }

    /// Every word of the header replaced by values that no host writes.
    @Test(arguments: [0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    func wrongHeaders(word: Int) throws {
        for value in [0xffff_ffff, 0x8000_0000, 0xffff_ff00, 3, 100_000] as [UInt32] {
            let fixture = try RingFixture()
            fixture.bytes.storeBytes(of: value, toByteOffset: 4 * word, as: UInt32.self)
            let error = #expect(throws: DSPQueueError.self) { try QueueMemory(fixture.bytes) }
            #expect(error?.result.rawValue == 0x0d)
        }
    }

    @Test func overlappingParts() throws {
        let fixture = try RingFixture()
        fixture.bytes.storeBytes(of: 66_048, toByteOffset: 20, as: UInt32.self)
        #expect(throws: DSPQueueError.self) { try QueueMemory(fixture.bytes) }
        let short = UnsafeMutableRawBufferPointer(rebasing: fixture.bytes[..<47])
        #expect(throws: DSPQueueError.self) { try QueueMemory(short) }
    }

    @Test func processState() {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 64)
        defer { bytes.deallocate() }
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        let state = ProcessState(bytes)
        state.word(.requestPackets, queue: 0).store(1)
        state.word(.requestSpace, queue: 1).store(2)
        state.word(.responsePackets, queue: 2).store(3)
        state.word(.responseSpace, queue: 63).store(4)
        let words = bytes.bindMemory(to: UInt32.self)
        #expect([0, 65, 130, 255].map { words[$0] } == [1, 2, 3, 4])
        #expect(words.reduce(0, +) == 10)
    }

    /// The packet that the facts about Qualcomm's library describe, byte for byte.
    @Test func workedExample() throws {
        let fixture = try RingFixture()
        var writer = QueueWriter(fixture.memory.request)
        let buffer = BufferReference(
            descriptor: 0x11, offset: 0x1000, byteCount: 0x2000, flags: [.addReference, .flushSender])
        let outcome = try writer.write(Array("hello, world!".utf8), buffers: [buffer])
        #expect(outcome == .written(signalNeeded: false))
        let expected: [UInt8] =
            [0x2d, 0, 0, 0, 0x13, 0, 0x01, 0]
            + [0x11, 0, 0, 0, 0, 0x20, 0, 0, 0, 0x10, 0, 0, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            + Array("hello, world!".utf8)
        #expect(Array(fixture.bytes[256..<256 + 45]) == expected)
        #expect(fixture.word(66_048) == 48 && fixture.word(66_052) == 1)
        #expect(
            PacketHeader(
                sequence: 0, bufferCount: 1, flags: [.message, .buffers, .userReady],
                messageByteCount: 13
            ).word == 0x0001_0013_0000_002d)
    }
}
