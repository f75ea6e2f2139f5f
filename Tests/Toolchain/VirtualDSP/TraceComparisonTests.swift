import Testing

/// The comparison itself: what it must see and what it must not.
@Suite("Comparison of traces")
struct TraceComparisonTests {
    /// A session, as one program has it.
    private static let first = [
        #"{"sequence":1,"thread":10,"call":"open","node":"/dev/fastrpc-cdsp","flags":"0x800","result":"fd"}"#,
        request(2, 10, "GET_DSP_INFO", #""domain":"0x3","attribute_id":"0x83""#),
        request(3, 10, "INIT_CREATE", #""filelen":"0x100","filefd":"fd","attrs":"0x8","siglen":"0x0""#),
        invoke(4, 11, "0x7", "0x5000000", []),
        invoke(5, 11, "0x7", "0x6020200", [16, 0, 16, 4096]),
        invoke(6, 10, "0x8", "0x2020200", [8, 70, 8, 255]),
        invoke(7, 11, "0x7", "0x6020200", [16, 20, 16, 4096], result: "0x8000040d"),
        invoke(8, 10, "0x1234", "0x6020100", [8, 100, 100]),
        request(
            9, 10, "MEM_MAP", #""fd":"fd","offset":"0x0","flags":"0x2","length":"0x10000","attrs":"0x0""#),
        invoke(10, 10, "0x4", "0x2000000", []),
    ]

    private static func request(_ sequence: Int, _ thread: Int, _ name: String, _ arguments: String) -> String
    {
        #"{"sequence":\#(sequence),"thread":\#(thread),"call":"ioctl","node":"/dev/fastrpc-cdsp","#
            + #""request":"FASTRPC_IOCTL_\#(name)","arguments":{\#(arguments)},"result":"0"}"#
    }

    private static func invoke(
        _ sequence: Int, _ thread: Int, _ handle: String, _ scalars: String, _ lengths: [Int],
        result: String = "0"
    ) -> String {
        let buffers = lengths.map { #"{"length":"\#($0)","fd":"-1"}"# }.joined(separator: ",")
        let arguments = #""handle":"\#(handle)","scalars":"\#(scalars)","buffers":[\#(buffers)]"#
        return request(sequence, thread, "INVOKE", arguments)
            .replacing(#""result":"0""#, with: #""result":"\#(result)""#)
    }

    private static func compare(_ second: [String]) throws -> TraceComparison {
        try TraceComparison(first.joined(separator: "\n"), second.joined(separator: "\n"))
    }

    @Test func threadsHandlesAndWakingsMakeNoDifference() throws {
        var second = Self.first.map { $0.replacing("0x1234", with: "0x99").replacing("\":11", with: "\":77") }
        // One more call of the DSP.
        second.insert(Self.invoke(5, 77, "0x7", "0x6020200", [16, 8, 16, 65536]), at: 5)
        let comparison = try Self.compare(second)
        #expect(comparison.unexplained.isEmpty && comparison.allowed.isEmpty)
    }

    @Test func orderAndArgumentsDo() throws {
        var swapped = Self.first
        swapped[7] = Self.first[8].replacing("\"sequence\":9", with: "\"sequence\":8")
        swapped[8] = Self.first[7].replacing("\"sequence\":8", with: "\"sequence\":9")
        #expect(try Self.compare(swapped).unexplained.count == 2)

        let flags = Self.first.map { $0.replacing("\"flags\":\"0x2\"", with: "\"flags\":\"0x3\"") }
        #expect(try Self.compare(flags).unexplained.map(\.fields) == [["flags"]])

        let length = Self.first.map { $0.replacing("\"length\":\"100\"", with: "\"length\":\"101\"") }
        #expect(
            try Self.compare(length).unexplained.map(\.fields) == [["buffer 1 length", "buffer 2 length"]])

        let ending = Self.first.map { $0.replacing("0x8000040d", with: "0x8000040e") }
        #expect(try Self.compare(ending).unexplained.map(\.fields) == [["result"]])

        let missing = Array(Self.first.dropLast())
        #expect(try Self.compare(missing).unexplained.map(\.first?.name) == ["INVOKE process 0x2000000"])
    }

    @Test func whatMayMoveMayNotVanish() throws {
        // With a second module, whose method 7 comes before or after a mapping.
        let other = Self.invoke(8, 10, "0x5678", "0x6020200", [])
        let cancel = { (sequence: Int) in Self.invoke(sequence, 10, "0x5678", "0x7000000", []) }
        let early = (Self.first + [other, cancel(8)]).joined(separator: "\n")
        let late = (Self.first + [other, cancel(10)]).joined(separator: "\n")
        let none = (Self.first + [other]).joined(separator: "\n")
        let moved = try TraceComparison(early, late)
        #expect(moved.unexplained.isEmpty)
        #expect(moved.allowed.map(\.allowance.name) == ["end of all queues", "end of all queues"])
        #expect(
            try TraceComparison(early, none).unexplained.map(\.first?.name) == ["INVOKE module 2 0x7000000"])
    }

    @Test func whatTheProtocolLeavesOpenIsNamed() throws {
        var second = Self.first.map { $0.replacing("\"length\":\"255\"", with: "\"length\":\"256\"") }
        second.insert(Self.request(3, 10, "GET_DSP_INFO", #""attribute_id":"0x81""#), at: 3)
        // Its first call in two pieces.
        second.insert(Self.invoke(5, 11, "0x7", "0x7010200", [12, 4, 4096]), at: 6)
        second.insert(Self.invoke(9, 10, "0x8", "0x3010200", [8, 4, 255]), at: 11)
        let comparison = try Self.compare(second)
        #expect(comparison.unexplained.isEmpty)
        #expect(
            comparison.allowed.map(\.allowance.name) == [
                "get_in_bufs2", "capability questions", "room for the reason", "close of the last handle",
            ])
    }
}
