import RemoteCalls
import Testing

@Suite("Wire buffers")
struct WireTests {
    func reading(_ bytes: [UInt8], _ body: (inout WireReader) throws -> Void) throws {
        try bytes.withUnsafeBytes { (raw: UnsafeRawBufferPointer) throws -> Void in
            var reader = WireReader(raw)
            try body(&reader)
        }
    }

    @Test("Values stand at their alignment, gaps are zero, the end is rounded up")
    func alignment() {
        var writer = WireWriter()
        writer.append(0x11 as UInt8)
        writer.append(0x2222_2222_2222_2222 as Int64)
        writer.append(0x3333 as Int16)
        #expect(writer.bytes.count == 18)
        #expect(writer.padded == bytes("11000000 00000000 22222222 22222222 33330000 00000000"))
    }

    @Test("The exact and the rounded size are read alike, less is refused", arguments: 0...24)
    func sizes(count: Int) throws {
        let whole = bytes("11aaaaaa aaaaaaaa 22222222 22222222 3333aaaa aaaaaaaa")
        try reading(Array(whole.prefix(count))) { reader in
            guard count >= 18 else {
                #expect(throws: RemoteCallError.self) {
                    _ = try reader.read(UInt8.self)
                    _ = try reader.read(Int64.self)
                    _ = try reader.read(Int16.self)
                }
                return
            }
            let first = try reader.read(UInt8.self)
            let second = try reader.read(Int64.self)
            let third = try reader.read(Int16.self)
            #expect(first == 0x11 && second == 0x2222_2222_2222_2222 && third == 0x3333)
        }
    }

    @Test("Counts beyond C's int are refused")
    func counts() throws {
        try reading(bytes("ffffffff")) { reader in
            #expect(throws: RemoteCallError.self) { _ = try reader.readCount() }
        }
        var writer = WireWriter()
        #expect(throws: RemoteCallError.self) { try writer.append(count: -1) }
        #expect(throws: RemoteCallError.self) { try writer.append(count: Int(Int32.max) + 1) }
    }

    @Test("An array that claims more than the buffer holds is refused before memory is reserved")
    func longArray() throws {
        try reading(bytes("01000000")) { reader in
            #expect(throws: RemoteCallError.self) { _ = try reader.read(UInt64.self, count: Int.max / 4) }
            #expect(throws: RemoteCallError.self) { _ = try reader.read(UInt32.self, count: -1) }
            let values = try reader.read(UInt32.self, count: 1)
            #expect(values == [1])
        }
    }

    @Test("From index 31 on the real index leads the primitives")
    func manyMethods() throws {
        let invoker = Recorder()
        var call = RemoteCall("many.m30", method: 30)
        try call.invoke(on: RecordingInvoker(recorder: invoker))
        #expect(invoker.scalars.rawValue == 0x1e00_0000 && invoker.sent.isEmpty)

        call = RemoteCall("many.m31", method: 31, replySize: 1)
        call.send(0x1111_1111_1111_1111 as Int64)
        try call.invoke(on: RecordingInvoker(recorder: invoker))
        #expect(invoker.scalars.rawValue == 0x1f01_0100 && invoker.outSizes == [1])
        #expect(invoker.sent == [bytes("1f000000 00000000 11111111 11111111")])

        call = RemoteCall("many.m32", method: 32)
        try call.invoke(on: RecordingInvoker(recorder: invoker))
        #expect(invoker.scalars.rawValue == 0x1f01_0000 && invoker.sent == [bytes("20000000")])

        try [UInt8]([1, 2, 3]).withUnsafeBufferPointer {
            call = RemoteCall("many.m33", method: 33)
            try call.send($0)
            try call.invoke(on: RecordingInvoker(recorder: invoker))
        }
        #expect(invoker.scalars.rawValue == 0x1f02_0000)
        #expect(invoker.sent == [bytes("21000000 03000000"), [1, 2, 3]])
    }

    @Test("More buffers or handles than the scalars word can say are refused")
    func limits() {
        let invoker = Recorder()
        #expect(throws: RemoteCallError.self) {
            var call = RemoteCall("test.many", method: 2)
            for _ in 0..<255 { try call.send("x") }
            try call.invoke(on: RecordingInvoker(recorder: invoker))
        }
        #expect(throws: RemoteCallError.self) {
            var call = RemoteCall("test.handles", method: 2)
            for _ in 0..<16 { call.send(DMAHandle(descriptor: 1, length: 1)) }
            try call.invoke(on: RecordingInvoker(recorder: invoker))
        }
    }

    @Test("A failed call says which one it was")
    func failure() {
        let invoker = Recorder()
        invoker.failure = RemoteCallError(
            AEEResult(rawValue: 0x8000_040e), operation: "invoke", advice: "rebuild both sides")
        var call = RemoteCall("htp.start", method: 2)
        let error = #expect(throws: RemoteCallError.self) {
            try call.invoke(on: RecordingInvoker(recorder: invoker))
        }
        #expect(
            error?.description
                == "htp.start: invoke: AEE_EBADPARM (0x8000040e, from the DSP), invalid parameter; rebuild both sides"
        )
    }
}
