import Foundation
import RemoteCalls
import Testing

/// What the generated stub puts on the wire for structs and sequences with data of their own, against bytes
/// dumped from the reference compiler's stub.
@Suite("Generated Swift stub: nested values")
struct NestedStubTests {
    let invoker = Recorder()
    var stub: Nested<RecordingInvoker> { Nested(RecordingInvoker(recorder: invoker)) }

    func expect(_ scalars: UInt32, _ sent: [String], _ outSizes: [Int] = []) {
        #expect(invoker.scalars.rawValue == scalars)
        #expect(invoker.sent == sent.map(bytes))
        #expect(invoker.outSizes == outSizes)
    }

    @Test("Sequences in structs in sequences")
    func deep() throws {
        let sent = [
            NestedOuter(
                z: 0xa1, a: [NestedInner(x: 0x10, l: [1, 2]), NestedInner(x: 0x20, l: [3])], t: 1),
            NestedOuter(z: 0xa2, a: [NestedInner(x: 0x30, l: [4, 5, 6])], t: 2),
        ]
        invoker.answer = [
            bytes("b1000000 00000000 00000000 00000040 b2000000 00000000 00000000 0000f03f"),
            bytes("11000000"), bytes("01020304"), bytes("12000000 13000000"), bytes("0506070809"),
            bytes("0a0b0c0d0e0f"),
        ]
        let returned = try stub.deep(
            a: sent,
            bCapacities: [.init(a: [.init(l: 4)]), .init(a: [.init(l: 5), .init(l: 6)])], c: 0x77)
        expect(
            0x020a_0600,
            [
                "02000000 02000000 77000000",
                "a1000000 02000000 00000000 0000f03f a2000000 01000000 00000000 00000040",
                "10000000 02000000 20000000 01000000", "0102", "03", "30000000 03000000", "040506",
                "01000000 02000000", "04000000", "05000000 06000000",
            ], [32, 4, 4, 8, 5, 6])
        #expect(
            returned == [
                NestedOuter(z: 0xb1, a: [NestedInner(x: 0x11, l: [1, 2, 3, 4])], t: 2),
                NestedOuter(
                    z: 0xb2,
                    a: [
                        NestedInner(x: 0x12, l: [5, 6, 7, 8, 9]),
                        NestedInner(x: 0x13, l: [10, 11, 12, 13, 14, 15]),
                    ], t: 1),
            ])
        #expect(try stub.deep(a: [], bCapacities: [], c: 1).isEmpty)
        expect(0x0203_0100, ["00000000 00000000 01000000", "", ""], [0])
    }

    @Test("A struct in a struct, whose counts and scalars part")
    func wrap() throws {
        invoker.answer = [bytes("1111aaaa 22220000 08"), bytes("01020304")]
        let reply = try stub.wrap(
            a: NestedWrap(k: 0x1111, i: NestedInner(x: 0x2222, l: [1, 2])), bCapacity: .init(i: .init(l: 4)))
        expect(0x0302_0200, ["11110000 22220000 02000000 04000000", "0102"], [12, 4])
        #expect(reply.b == NestedWrap(k: 0x1111, i: NestedInner(x: 0x2222, l: [1, 2, 3, 4])) && reply.c == 8)
    }

    @Test("The scalars of a returned struct lie closer together than those of a sent one")
    func split() throws {
        invoker.answer = [bytes("09ff 0300")]
        let returned = try stub.split(a: NestedC(n: 1, b: [], s: 2), bCapacity: .init(b: 0))
        expect(0x0402_0200, ["01000000 00000000 02000000 00000000", ""], [4, 0])
        #expect(returned == NestedC(n: 9, b: [], s: 3))
    }

    @Test("Handles in sequences, and their limit")
    func handles() throws {
        let handle = DMAHandle(descriptor: 5, offset: 16, length: 4096)
        let more = (0..<14).map { DMAHandle(descriptor: $0, offset: 1, length: 1) }
        try stub.handles(a: [7], b: handle, c: more, d: handle)
        expect(0x0502_0000 + (15 << 4) + 1, ["01000000 0e000000", "07"])
        #expect(invoker.handles.map(\.0) == [5] + (0..<14) + [5])
        #expect(throws: RemoteCallError.self) {
            try stub.handles(a: [7], b: handle, c: more + more, d: handle)
        }
    }

    @Test("A wide string both ways; arrays of enums come back")
    func mixed() throws {
        invoker.answer = [bytes("01000000 00000000 01000000 ee000000 01000000 00000000"), bytes("68000000")]
        var text = "hi"
        let reply = try stub.mixed(a: &text, aCapacity: 4, d: 9)
        expect(0x0602_0200, ["03000000 04000000 09000000", "68006900 0000"], [24, 8])
        #expect(text == "h" && reply.b == [.two, .one, .two])
        #expect(reply.c == NestedS(o: 0xee, c: [.two, .one]))
    }

    @Test("Sequences of sequences, with arrays and with the caller's memory")
    func lists() throws {
        let sent: [UInt8] = [9, 8, 7, 6]
        let wanted = [
            "02000000 02000000 04000000 07000000", "03000000 02000000", "010203", "0405",
            "05000000 01000000", "09080706",
        ]
        invoker.answer = [bytes("0101010101"), bytes("04"), bytes("77777777777777")]
        let reply = try stub.lists(a: [[1, 2, 3], [4, 5]], bCapacities: [5, 1], c: sent, dCount: 7)
        expect(0x0706_0300, wanted, [5, 1, 7])
        #expect(reply.b == [[1, 1, 1, 1, 1], [4]] && reply.d == [UInt8](repeating: 0x77, count: 7))
        var filled = [UInt8](repeating: 0, count: 7)
        let lists = try sent.withUnsafeBufferPointer { sent throws(RemoteCallError) in
            try filled.withUnsafeMutableBufferPointer { filled throws(RemoteCallError) in
                try stub.lists(a: [[1, 2, 3], [4, 5]], bCapacities: [5, 1], c: sent, d: filled)
            }
        }
        expect(0x0706_0300, wanted, [5, 1, 7])
        #expect(lists == reply.b && filled == reply.d)
    }

    @Test("Sequences of strings")
    func strings() throws {
        invoker.answer = [bytes("61616100"), bytes("620000")]
        let returned = try stub.strings(a: ["a", "bcd"], bCapacities: [4, 3])
        expect(
            0x0805_0200,
            [
                "02000000 02000000", "02000000 04000000", "6100", "62636400", "04000000 03000000",
            ], [4, 3])
        #expect(returned == ["aaa", "b"])
        #expect(throws: RemoteCallError.self) { try stub.strings(a: ["a\0b"], bCapacities: []) }
    }

    @Test("A struct with a string")
    func cstruct() throws {
        invoker.answer = [bytes("5c000000"), bytes("78797a00")]
        let returned = try stub.cstruct(
            a: 0x55, n: NestedNamed(id: 7, name: "xyz"), mCapacity: .init(name: 10))
        expect(0x0902_0200, ["55000000 07000000 04000000 0a000000", "78797a00"], [4, 10])
        #expect(returned == NestedNamed(id: 0x5c, name: "xyz"))
    }

    @Test("Structs with sequences in a sequence")
    func blobs() throws {
        let record = "a1000000 02000000 11111111 11111111 a2000000 01000000 22222222 22222222"
        invoker.answer = [
            bytes("b1000000 00000000 33333333 00000000 b2000000 00000000 44444444 00000000"),
            bytes("010002000300"), bytes("04000500"),
        ]
        let returned = try stub.blobs(
            a: [
                NestedBlob(kind: 0xa1, data: [1, 2], stamp: 0x1111_1111_1111_1111),
                NestedBlob(kind: 0xa2, data: [3], stamp: 0x2222_2222_2222_2222),
            ], bCapacities: [.init(data: 3), .init(data: 2)])
        expect(
            0x0a05_0300, ["02000000 02000000", record, "01000200", "0300", "03000000 02000000"], [32, 6, 4])
        #expect(
            returned == [
                NestedBlob(kind: 0xb1, data: [1, 2, 3], stamp: 0x3333_3333),
                NestedBlob(kind: 0xb2, data: [4, 5], stamp: 0x4444_4444),
            ])
    }

    @Test("A method that the IDL calls async sends the same bytes")
    func fire() throws {
        invoker.answer = [bytes("0303")]
        let returned = try stub.fire(a: 7, b: [1, 2, 3], cCount: 2)
        expect(0x0b02_0100, ["07000000 03000000 02000000", "010203"], [2])
        #expect(returned == [3, 3])
    }

    @Test("More buffers than the scalars word counts are refused")
    func tooMany() throws {
        let texts = [String](repeating: "x", count: 252)
        _ = try stub.strings(a: texts, bCapacities: [])
        #expect(invoker.scalars.inBuffers == 255)
        let error = #expect(throws: RemoteCallError.self) {
            try stub.strings(a: texts + ["x"], bCapacities: [])
        }
        #expect(error?.result == .unsupported)
    }

    @Test("Tasks: many calls that block at once do not stop the cooperative pool")
    func tasks() async throws {
        let gate = Gate()
        let stubs = (0..<64).map { _ in SharedStub(gate) }
        await withTaskGroup(of: Void.self) { group in
            for shared in stubs {
                group.addTask { _ = try? await shared.stub.fire(a: 1, b: [], cCount: 0) }
            }
            // Runs on the pool while all calls wait; opened from there.
            group.addTask {
                while gate.waiting < stubs.count { await Task.yield() }
                gate.open()
            }
        }
        #expect(gate.waiting == stubs.count)
    }

    @Test("Tasks: errors arrive, and cancelling does not end a call")
    func cancelled() async throws {
        let gate = Gate()
        let shared = SharedStub(gate)
        let task = Task { () -> Bool in
            _ = try await shared.stub.fire(a: 1, b: [], cCount: 0)
            return Task.isCancelled
        }
        while gate.waiting < 1 { await Task.yield() }
        task.cancel()
        gate.open()
        #expect(try await task.value)
        gate.fail()
        await #expect(throws: RemoteCallError.self) { try await shared.stub.fire(a: 1, b: [], cCount: 0) }
    }
}

/// A stub that tasks share.
private final class SharedStub: Sendable {
    let stub: Nested<GatedInvoker>
    init(_ gate: Gate) { stub = Nested(GatedInvoker(gate: gate)) }
}

/// Holds calls back until it opens.
private final class Gate: @unchecked Sendable {
    private let condition = NSCondition()
    private var isOpen = false
    private var fails = false
    private var count = 0

    var waiting: Int { condition.withLock { count } }

    func open() {
        condition.withLock {
            isOpen = true
            condition.broadcast()
        }
    }

    func fail() { condition.withLock { fails = true } }

    func pass() throws(RemoteCallError) {
        condition.lock()
        defer { condition.unlock() }
        count += 1
        while !isOpen { condition.wait() }
        if fails { throw RemoteCallError(.failed, operation: "the test's call") }
    }
}

private struct GatedInvoker: AsyncRemoteInvoker, Sendable, ~Copyable {
    let gate: Gate

    func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        try gate.pass()
    }

    func invokeAsync(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) async throws(RemoteCallError) {
        let gate = gate
        try await CallThread.run { () throws(RemoteCallError) in try gate.pass() }
    }
}
