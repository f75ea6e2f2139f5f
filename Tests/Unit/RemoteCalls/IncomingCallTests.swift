import RemoteCalls
import Testing

/// A DSP in Swift: serves two methods of an interface with `IncomingCall`.
private struct SwiftDSP: RemoteInvoker, ~Copyable {
    func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        switch scalars.method {
        case 2:  // sum(in sequence<long> v, rout long long r)
            var call = try IncomingCall(scalars, arguments, hasPrimitives: true, replySize: 8)
            let bytes = try call.readSequence(elementSize: 4)
            var total: Int64 = 0
            for offset in stride(from: 0, to: bytes.count, by: 4) {
                total += Int64(bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
            }
            var reply = WireWriter()
            reply.append(total)
            try call.finish(reply)
        case 31:  // index 40: shout(in string a, rout string b)
            var call = try IncomingCall(scalars, arguments, hasPrimitives: true)
            guard call.method == 40 else {
                throw RemoteCallError(.unsupported, operation: "method \(call.method)")
            }
            let text = try call.readString().uppercased()
            let room = try call.roomForSequence(elementSize: 1)
            room.copyBytes(from: Array(text.utf8).prefix(room.count))
            try call.finish()
        default:
            throw RemoteCallError(.unsupported, operation: "method \(scalars.method)")
        }
    }
}

@Suite("Incoming calls")
struct IncomingCallTests {
    @Test("What a stub packs, a skel in Swift unpacks")
    func loopback() throws {
        let dsp = SwiftDSP()
        var call = RemoteCall("test.sum", method: 2, replySize: 8)
        let values: [Int32] = [1, -2, 40]
        let total = try values.withUnsafeBufferPointer { values throws(RemoteCallError) in
            try call.send(values)
            try call.invoke(on: dsp)
            var reply = call.reply
            return try reply.read(Int64.self)
        }
        #expect(total == 39)

        var shout = RemoteCall("test.shout", method: 40)
        try shout.send("hexagon")
        let place = try shout.receiveString(capacity: 10)
        try shout.invoke(on: dsp)
        let text = shout.string(at: place)
        #expect(text == "HEXAGON")

        var unknown = RemoteCall("test.unknown", method: 41)
        let error = #expect(throws: RemoteCallError.self) { try unknown.invoke(on: dsp) }
        #expect(error?.result == .unsupported)
    }

    /// Calls `sum` with buffers of these sizes; the count says three elements.
    func damaged(_ scalars: Scalars, _ sizes: [Int]) throws(RemoteCallError) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        memory[0] = 3
        var list = sizes.map { RemoteArgument(buffer: memory.baseAddress, count: $0) }
        let arguments = UnsafeMutableBufferPointer<RemoteArgument>.allocate(capacity: list.count + 1)
        defer { arguments.deallocate() }
        list.append(RemoteArgument(handle: 0))
        _ = arguments.initialize(from: list)
        try SwiftDSP().invoke(scalars, UnsafeMutableBufferPointer(rebasing: arguments[..<sizes.count]))
    }

    @Test("Calls that do not fit the interface are refused")
    func refused() throws {
        let good = Scalars(method: 2, inBuffers: 2, outBuffers: 1)
        try damaged(good, [4, 12, 8])
        try damaged(good, [8, 16, 16])
        let cases: [(Scalars, [Int])] = [
            (good, [3, 12, 8]), (good, [4, 11, 8]), (good, [4, 12, 7]), (good, [4, 12]), (good, []),
            (Scalars(method: 2, inBuffers: 1, outBuffers: 1), [4, 8]),
            (Scalars(method: 2, inBuffers: 2), [4, 12]),
            (Scalars(method: 2, inBuffers: 3, outBuffers: 1), [4, 12, 4, 8]),
            (Scalars(method: 2, outBuffers: 1), [8]),
            (Scalars(method: 31, inBuffers: 1), [3]), (Scalars(method: 31), []),
        ]
        for (scalars, sizes) in cases {
            let error = #expect(throws: RemoteCallError.self) { try damaged(scalars, sizes) }
            #expect(error?.result == .badParameter, "\(scalars) \(sizes)")
        }
    }
}
