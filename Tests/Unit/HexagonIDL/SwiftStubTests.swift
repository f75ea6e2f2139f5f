import HTPInterface
import HexagonIDL
import RemoteCalls
import Testing

/// What the generated stub puts on the wire, against bytes dumped from the reference compiler's stub.
@Suite("Generated Swift stub")
struct SwiftStubTests {
    let invoker = Recorder()
    var stub: Worked<RecordingInvoker> { Worked(RecordingInvoker(recorder: invoker)) }

    func expect(_ scalars: UInt32, _ sent: [String], _ outSizes: [Int] = []) {
        #expect(invoker.scalars.rawValue == scalars)
        #expect(invoker.sent == sent.map(bytes))
        #expect(invoker.outSizes == outSizes)
    }

    @Test("No arguments")
    func none() throws {
        try stub.none()
        expect(0x0200_0000, [])
    }

    @Test("Scalars with gaps, both ways")
    func scalars() throws {
        invoker.answer = [bytes("44aaaaaa aaaaaaaa 00000000 0000f83f 6600")]
        let reply = try stub.scalars(a: 0x11, b: 0x2222_2222_2222_2222, c: 0x3333)
        expect(0x0301_0100, ["11000000 00000000 22222222 22222222 33330000 00000000"], [24])
        #expect(reply.d == 0x44 && reply.e == 1.5 && reply.f == 0x66)
    }

    @Test("A sequence, full and empty")
    func sum() throws {
        invoker.answer = [bytes("06000000 00000000")]
        let total = try [Int32]([1, 2, 3]).withUnsafeBufferPointer { values throws(RemoteCallError) in
            try stub.sum(v: values)
        }
        #expect(total == 6)
        expect(0x0402_0100, ["03000000", "01000000 02000000 03000000"], [8])
        _ = try stub.sum(v: UnsafeBufferPointer(start: nil, count: 0))
        expect(0x0402_0100, ["00000000", ""], [8])
    }

    @Test("Strings count their terminating zero")
    func strings() throws {
        invoker.answer = [bytes("78797a00ffffffff"), bytes("717200")]
        var exchanged = "ab"
        let returned = try stub.str(a: "hi", bCapacity: 8, c: &exchanged, cCapacity: 6)
        expect(0x0503_0200, ["03000000 08000000 03000000 06000000", "686900", "616200"], [8, 6])
        #expect(returned == "xyz" && exchanged == "qr")
        #expect(throws: RemoteCallError.self) {
            _ = try stub.str(a: "a\0b", bCapacity: 8, c: &exchanged, cCapacity: 6)
        }
    }

    @Test("Structs keep C's layout")
    func structs() throws {
        let reply = "01000000 00000000 00000000 00000040 03000000 00000000"
        invoker.answer = [bytes(reply + reply)]
        var exchanged = WorkedPt(x: 5, y: 7, z: 9)
        let returned = try stub.pts(p: WorkedPt(x: 0x1111, y: 1, z: 0x22), r: &exchanged)
        expect(
            0x0601_0100,
            [
                """
                11110000 00000000 00000000 0000f03f 22000000 00000000
                05000000 00000000 00000000 00001c40 09000000 00000000
                """
            ], [48])
        #expect(returned == WorkedPt(x: 1, y: 2, z: 3) && exchanged == returned)
    }

    @Test("Values and sequences that go both ways")
    func both() throws {
        invoker.answer = [bytes("09000000"), bytes("64000200")]
        var value = Int32(bitPattern: 0xaaaa_aaaa)
        var list: [Int16] = [1, 2]
        try list.withUnsafeMutableBufferPointer { list throws(RemoteCallError) in
            try stub.io(a: &value, b: list, c: .green, d: true)
        }
        expect(
            0x0702_0200, ["aaaaaaaa 02000000 02000000 01000000 01000000", "01000200"], [4, 4])
        #expect(value == 9 && list == [100, 2])
    }

    @Test("DMA handles take handle slots")
    func handles() throws {
        try stub.dma(
            a: DMAHandle(descriptor: 5, offset: 16, length: 4096), b: 9,
            c: DMAHandle(descriptor: 6, offset: 32, length: 8192))
        expect(0x0801_0011, ["09000000"])
        #expect(invoker.handles.map(\.0) == [5, 6] && invoker.handles.map(\.1) == [16, 32])
    }

    @Test("The end of a buffer is rounded up, both ways")
    func tail() throws {
        invoker.answer = [bytes("22222222 5555")]
        let reply = try stub.tail(a: 0x1111_1111_1111_1111, b: 0x2222_2222)
        expect(0x0901_0100, ["11111111 11111111 22222222 00000000"], [8])
        #expect(reply.c == 0x2222_2222 && reply.d == 0x5555)
    }

    @Test("Wide strings count 16-bit units")
    func wide() throws {
        try [UInt16]([0x78, 0x79]).withUnsafeBufferPointer { units throws(RemoteCallError) in
            try stub.wide(a: "hi", b: units)
        }
        expect(0x0a03_0000, ["03000000 02000000", "68006900 0000", "78007900"])
    }

    @Test("Arrays of structs by value, and arrays of the wrong length")
    func arrays() throws {
        let value = WorkedB(a: (1...3).map { WorkedA(x: $0, y: 2) }, z: 7, d: 1)
        let record = """
            01000000 02000000 02000000 02000000 03000000 02000000 07000000 00000000 00000000 0000f03f
            """
        invoker.answer = [bytes(record)]
        #expect(try stub.layout(b: value, o: 0xee) == value)
        expect(0x0b01_0100, [record + "ee000000 00000000"], [40])
        try stub.fixedArray(values: [1, 2, 3, 4], o: 5)
        expect(0x0c01_0000, ["01000000 02000000 03000000 04000000 05000000"])
        #expect(throws: RemoteCallError.self) { try stub.fixedArray(values: [1], o: 5) }
    }

    @Test("Sequences of structs")
    func sequences() throws {
        let point = "01000000 00000000 00000000 00000040 03000000 00000000"
        invoker.answer = [bytes(point), bytes(point)]
        var exchanged = [WorkedPt(x: 5, y: 7, z: 9)]
        let returned = try stub.points(a: [], bCount: 1, c: &exchanged)
        #expect(invoker.scalars.rawValue == 0x0d04_0200 - 0x0001_0000)
        #expect(invoker.sent.first == bytes("00000000 01000000 01000000 01000000"))
        #expect(invoker.outSizes == [24, 24])
        #expect(returned == [WorkedPt(x: 1, y: 2, z: 3)] && exchanged == returned)
    }

    @Test("Attributes, and constants")
    func attributes() throws {
        invoker.answer = [bytes("37000000")]
        #expect(try stub.getspeed() == 55)
        expect(0x0e00_0100, [], [4])
        try stub.setspeed(value: 5)
        expect(0x0f01_0000, ["05000000"])
        #expect(Worked<RecordingInvoker>.limit == 11)
    }

    @Test("A reply that is too short cannot happen: the stub's own memory has the full size")
    func shortReply() throws {
        invoker.answer = [[1]]
        #expect(try stub.tail(a: 0, b: 0).c == 1)
    }

    @Test("The stub of htp.idl")
    func htp() throws {
        let htp = HTP(RecordingInvoker(recorder: invoker))
        #expect(HTP<RecordingInvoker>.uri == "file:///libhtp_skel.so?htp_skel_handle_invoke&_modver=1.0")
        invoker.answer = [bytes("68000000 04000000 02000000 00000000 00000400 00000000")]
        let hardware = try htp.hardware()
        #expect(invoker.scalars.rawValue == 0x0400_0100)
        #expect(hardware.arch == 0x68 && hardware.threads == 4 && hardware.hvxUnits == 2)
        #expect(hardware.vtcmBytes == 0x4_0000)
        try htp.map(fd: 3, size: 0x1_0000_0000)
        expect(0x0501_0000, ["03000000 00000000 00000000 01000000"])
    }
}
