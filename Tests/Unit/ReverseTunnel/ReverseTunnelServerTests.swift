import RemoteCalls
import ReverseTunnel
import Synchronization
import Testing

/// Keeps what it was asked, and answers with fixed addresses. Unchecked: its test has one thread.
private final class RecordingMemory: ReverseMemory, @unchecked Sendable {
    var requests: [ReverseMapRequest] = []
    var unmapped: [UInt64] = []
    var mapping = ReverseMapping(hostAddress: 0, dspAddress: 0xe000_0000)

    func map(_ request: ReverseMapRequest) throws(RemoteCallError) -> ReverseMapping {
        requests.append(request)
        return mapping
    }

    func unmap(dspAddress: UInt64, length: Int64) throws(RemoteCallError) { unmapped.append(dspAddress) }
}

private final class NoMemory: ReverseMemory {}

private final class Messages: Sendable {
    let lines = Mutex<[String]>([])
    func append(_ line: String) { lines.withLock { $0.append(line) } }
}

@Suite("ReverseTunnel: framing and dispatch")
struct ReverseTunnelServerTests {
    @Test("A request laid out by hand")
    func framing() throws {
        // Three in buffers of 5, 0 and 3 bytes, capacities 9 and 0. The bytes end where they end: the next
        // length is not aligned.
        let bytes: [UInt8] = [
            5, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa, 1, 2, 3, 4, 5, 0, 0, 0, 0, 3, 0, 0, 0, 0xaa, 0xaa, 0xaa,
            6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0,
        ]
        let scalars = Scalars(method: 1, inBuffers: 3, outBuffers: 2)
        func unpack(_ bytes: [UInt8], _ scalars: Scalars, limit: Int = 9) throws -> ReverseRequest {
            try bytes.withUnsafeBytes { try ReverseRequest(scalars, $0, maximumReply: limit) }
        }
        let request = try unpack(bytes, scalars)
        #expect(request.inBuffers == [[1, 2, 3, 4, 5], [], [6, 7, 8]])
        #expect(request.outCapacities == [9, 0])
        // Padding at the end is tolerated, a byte less is not.
        _ = try unpack(bytes + [0, 0, 0], scalars)
        for count in 0..<bytes.count {
            let error = #expect(throws: RemoteCallError.self) { try unpack(Array(bytes[..<count]), scalars) }
            #expect(error?.result == .badParameter, "\(count) bytes")
        }
        let large = #expect(throws: RemoteCallError.self) { try unpack(bytes, scalars, limit: 8) }
        #expect(large?.result == .noMemory)
        for handles in [1, 0x10] as [UInt32] {
            let scalars = Scalars(rawValue: scalars.rawValue | handles)
            let error = #expect(throws: RemoteCallError.self) { try unpack(bytes, scalars) }
            #expect(error?.result == .badParameter)
        }
        // A length of 4 GiB - 1.
        let error = #expect(throws: RemoteCallError.self) {
            try unpack([255, 255, 255, 255, 0, 0, 0, 0, 1], Scalars(method: 1, inBuffers: 1))
        }
        #expect(error?.result == .badParameter)
    }

    @Test("A reply laid out by hand")
    func reply() {
        let server = ReverseServer(services: [NameService()])
        let dsp = ScriptedDSP(server: server)
        let request: [UInt8] = [
            8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0x6e, 0x61, 0x6d, 0x65, 0,
            8, 0, 0, 0, 3, 0, 0, 0,
        ]
        let reply = dsp.send(0, 0x0002_0200, request)
        #expect(reply.result == .success)
        // Handle 16, nErr 0, then three bytes for an error text.
        #expect(
            reply.bytes == [
                8, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ])
        let failed = dsp.send(16, 0x0000_0000, [])
        #expect(failed.result == .unsupported && failed.bytes.isEmpty)
    }

    /// A service that has a name and nothing else.
    private final class NameService: ReverseService {
        let name = "name"
        func invoke(
            _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
        ) throws(RemoteCallError) {
            throw RemoteCallError(.unsupported, operation: name)
        }
    }

    @Test("Handles are opened, closed and used up")
    func handles() {
        let dsp = ScriptedDSP(server: ReverseServer(services: [LogService { _ in }]))
        #expect(dsp.open("adspmsgd_app").error == 0x3e)
        #expect(dsp.open("").error == 0x3e)
        var open: [UInt32] = []
        for _ in 0..<ReverseServer.maximumHandles {
            let (handle, error) = dsp.open("adspmsgd_apps")
            #expect(error == 0 && !open.contains(handle) && handle > 10)
            open.append(handle)
        }
        #expect(dsp.open("adspmsgd_apps").error == 0x2d)
        func close(_ handle: UInt32) -> UInt32 {
            dsp.call(0, 0x0101_0200, [ScriptedDSP.words([handle, 16])], [4, 16]).word(0, 0)
        }
        #expect(close(open[3]) == 0)
        #expect(close(open[3]) == 0x2c)
        #expect(dsp.call(open[3], 0x0002_0000, [[0, 0, 0, 0], []]).result == .invalidHandle)
        #expect(dsp.open("adspmsgd_apps").error == 0)
        #expect(dsp.open("adspmsgd_apps").error == 0x2d)
        #expect(dsp.call(0, 0x0200_0000, []).result == .unsupported)
    }

    @Test("Log lines")
    func log() {
        let messages = Messages()
        let dsp = ScriptedDSP(server: ReverseServer(services: [LogService { messages.append($0) }]))
        let log = dsp.open("adspmsgd_apps").handle
        for text in [[0x61, 0x62, 0, 0], [], [0xff, 0x61]] as [[UInt8]] {
            let reply = dsp.call(log, 0x0002_0000, [ScriptedDSP.words([UInt32(text.count)]), text])
            #expect(reply.result == .success)
        }
        #expect(dsp.call(log, 0x0002_0000, [ScriptedDSP.words([3]), [1, 2]]).result == .badParameter)
        #expect(messages.lines.withLock { $0 } == ["ab", "", "\u{fffd}a"])
    }

    @Test("Memory requests reach the transport")
    func memory() {
        let memory = RecordingMemory()
        let dsp = ScriptedDSP(server: ReverseServer(services: [MemoryService(memory: memory)]))
        let handle = dsp.open("apps_mem").handle
        // heap -1, ION flags 2, rflags 0x1000, gap, vin 0x1_0000_0000, len 0x20000
        let map64 = ScriptedDSP.words([0xffff_ffff, 2, 0x1000, 0xaaaa_aaaa, 0, 1, 0x20000, 0])
        let reply = dsp.call(handle, 0x0201_0100, [map64], [16])
        #expect(reply.buffers == [ScriptedDSP.words([0, 0, 0xe000_0000, 0])])
        let map = ScriptedDSP.words([25, 1, 0x1000, 7, 0x1000])
        #expect(dsp.call(handle, 0x0001_0100, [map], [8]).buffers == [ScriptedDSP.words([0, 0xe000_0000])])
        #expect(
            memory.requests == [
                ReverseMapRequest(
                    heap: -1, heapFlags: 2, flags: 0x1000, address: 0x1_0000_0000, length: 0x20000),
                ReverseMapRequest(heap: 25, heapFlags: 1, flags: 0x1000, address: 7, length: 0x1000),
            ])
        #expect(dsp.call(handle, 0x0301_0000, [ScriptedDSP.words([1, 2, 3, 0])]).result == .success)
        #expect(dsp.call(handle, 0x0101_0000, [ScriptedDSP.words([9, 3])]).result == .success)
        #expect(memory.unmapped == [0x2_0000_0001, 9])
        // An address that the old form cannot say is unmapped again.
        memory.mapping.dspAddress = 0x5_0000_0000
        #expect(dsp.call(handle, 0x0001_0100, [map], [8]).result == .unsupported)
        #expect(memory.unmapped.last == 0x5_0000_0000)
        let negative = ScriptedDSP.words([0, 0, 0, 0, 0, 0, 0, 0x8000_0000])
        #expect(dsp.call(handle, 0x0201_0100, [negative], [16]).result == .badParameter)
        #expect(memory.requests.count == 3)
    }

    /// scalars word, exact bytes sent and returned: from the tables, not from the code.
    @Test(
        "Memory requests of every method, by default and with wrong sizes",
        arguments: [
            (0x0001_0100, 20, 8), (0x0101_0000, 8, 0), (0x0201_0100, 32, 16), (0x0301_0000, 16, 0),
            (0x0401_0100, 8, 16), (0x0501_0000, 12, 0), (0x0601_0000, 12, 0), (0x0701_0000, 8, 0),
        ] as [(UInt32, Int, Int)])
    func memorySizes(scalars: UInt32, sent: Int, returned: Int) {
        let dsp = ScriptedDSP(server: ReverseServer(services: [MemoryService(memory: NoMemory())]))
        let handle = dsp.open("apps_mem").handle
        func call(_ sent: Int, _ returned: Int, _ change: UInt32 = 0) -> AEEResult {
            let zeros = [UInt8](repeating: 0, count: sent)
            return dsp.call(handle, scalars &+ change, [zeros], returned > 0 ? [returned] : [0]).result
        }
        #expect(call(sent, returned) == .unsupported)
        #expect(call((sent + 7) / 8 * 8, returned) == .unsupported)
        #expect(call(sent - 1, returned) == .badParameter)
        if returned > 0 { #expect(call(sent, returned - 1) == .badParameter) }
        #expect(call(sent, returned, 1) == .badParameter)
        #expect(call(sent, returned, 0x100) == .badParameter)
    }
}
