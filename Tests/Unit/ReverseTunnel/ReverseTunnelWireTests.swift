import Foundation
import RemoteCalls
import ReverseTunnel
import Synchronization
import TestSupport
import Testing

/// `apps_std` by its table: index, scalars word, exact bytes of primitives sent and returned.
let fileMethods: [(index: UInt32, scalars: UInt32, sent: Int, returned: Int)] = [
    (0, 0x0003_0100, 8, 4), (1, 0x0103_0100, 12, 4), (2, 0x0201_0000, 4, 0), (3, 0x0301_0000, 4, 0),
    (4, 0x0401_0200, 8, 8), (5, 0x0502_0100, 8, 8), (6, 0x0601_0200, 8, 4), (7, 0x0702_0000, 8, 0),
    (8, 0x0801_0100, 4, 4), (9, 0x0901_0000, 12, 0), (10, 0x0a01_0100, 4, 8), (11, 0x0b01_0000, 4, 0),
    (12, 0x0c01_0100, 4, 4), (13, 0x0d01_0100, 4, 4), (14, 0x0e01_0000, 4, 0), (15, 0x0f02_0000, 4, 0),
    (16, 0x1002_0200, 8, 4), (17, 0x1103_0000, 12, 0), (18, 0x1202_0000, 4, 0), (19, 0x1305_0100, 16, 4),
    (20, 0x1401_0200, 8, 4), (21, 0x1504_0100, 12, 6), (22, 0x1602_0100, 4, 1), (23, 0x1701_0000, 4, 0),
    (24, 0x1802_0000, 4, 0), (25, 0x1901_0100, 4, 4), (26, 0x1a02_0100, 4, 8), (27, 0x1b01_0000, 8, 0),
    (28, 0x1c01_0100, 8, 264), (29, 0x1d02_0000, 8, 0), (30, 0x1e02_0000, 4, 0), (31, 0x1f02_0100, 8, 96),
    (32, 0x1f01_0000, 12, 0), (33, 0x1f03_0000, 12, 0), (34, 0x1f03_0100, 12, 8), (35, 0x1f01_0000, 8, 0),
    (36, 0x1f05_0100, 20, 8),
]

@Suite("ReverseTunnel: apps_std on the wire")
struct ReverseTunnelWireTests {
    let tree: FileTree

    init() throws { tree = try FileTree() }

    /// What the DSP may do with a file service is what `apps_std` leaves to it; these are not.
    private static let unsupported: Set<UInt32> = [1, 5, 17, 18, 23, 24, 25, 29, 30, 32, 33, 34, 35, 36]

    @Test("Every method: right and wrong sizes", arguments: fileMethods.indices)
    func sizes(place: Int) {
        let (index, scalars, sent, returned) = fileMethods[place]
        let dsp = ScriptedDSP(server: ReverseServer(services: [tree.service()]))
        let std = dsp.open("apps_std").handle
        let word = Scalars(rawValue: scalars)
        func call(_ sent: Int, _ returned: Int, _ scalars: UInt32) -> AEEResult {
            // A primitive buffer that says "one byte" everywhere, and strings of one zero.
            var first = ScriptedDSP.words([UInt32](repeating: 1, count: 6))
            if index == 21 { first = ScriptedDSP.words([1, 1, 0, 0, 0, 0]) }
            if index >= 31 { first.replaceSubrange(0..<4, with: ScriptedDSP.words([index])) }
            let word = Scalars(rawValue: scalars)
            var buffers = [[UInt8]](repeating: [0], count: max(1, word.inBuffers))
            buffers[0] = Array(first.prefix(sent))
            var room = [Int](repeating: 1, count: word.outBuffers)
            if !room.isEmpty { room[0] = returned }
            return dsp.call(std, scalars, Array(buffers.prefix(word.inBuffers)), room).result
        }
        let good = call(sent, returned, scalars)
        #expect((good == .unsupported) == Self.unsupported.contains(index), "\(index): \(good)")
        #expect(good != .badParameter)
        #expect(call(sent - 1, returned, scalars) == .badParameter)
        if returned > 0 { #expect(call(sent, returned - 1, scalars) == .badParameter) }
        let changes: [(Int, Int)] = [(1, 0), (-1, 0), (0, 1), (0, -1)]
        for (more, moreOut) in changes where index < 31 {
            guard word.inBuffers + more >= 0, word.outBuffers + moreOut >= 0 else { continue }
            let changed = Scalars(
                method: word.method, inBuffers: word.inBuffers + more, outBuffers: word.outBuffers + moreOut)
            #expect(call(sent, returned, changed.rawValue) == .badParameter, "\(index): \(changed)")
        }
        #expect(call(sent, returned, scalars | 0x11) == .badParameter)
    }

    @Test("Methods that there are not")
    func unknown() {
        let dsp = ScriptedDSP(server: ReverseServer(services: [tree.service()]))
        let std = dsp.open("apps_std").handle
        for index in [37, 0x7fff_ffff, 0xffff_ffff] as [UInt32] {
            #expect(dsp.call(std, 0x1f01_0000, [ScriptedDSP.words([index])]).result == .unsupported)
        }
        #expect(dsp.call(std, 0x1f00_0000, []).result == .badParameter)
        #expect(dsp.call(std, 0x1f01_0000, [[31, 0, 0]]).result == .badParameter)
    }

    @Test("100,000 mutated requests: no trap, no way out, no leak")
    func mutations() throws {
        var random = SeededGenerator(20_240)
        let printed = Mutex(0)
        var served = 0
        var opened = 0
        let names = [
            "libbig.so", "lines.txt", "../secret", "secret", "out/secret", "sub", "sub/way", "absolute",
            "fifo", "good", tree.folder.path("secret"), "sub/../../secret", ".", "loop",
        ].map(ScriptedDSP.text)
        let canary = Data(FileTree.canary.utf8)
        let strings = [
            ScriptedDSP.text("ADSP_LIBRARY_PATH"), ScriptedDSP.text(";"), ScriptedDSP.text("r"),
            ScriptedDSP.text("GIVEN"),
        ]
        do {
            let service = tree.service(log: { _ in printed.withLock { $0 += 1 } })
            let dsp = ScriptedDSP(
                server: ReverseServer(
                    services: [service, LogService { _ in }, MemoryService(memory: NoMappings())],
                    maximumReply: 1 << 20))
            let std = dsp.open("apps_std").handle
            var handles = [0, std, std, std, std, std, std, dsp.open("apps_mem").handle]
            handles.append(dsp.open("adspmsgd_apps").handle)
            for turn in 0..<100_000 {
                let (index, scalars, sent, returned) = fileMethods.randomElement(using: &random)!
                let word = Scalars(rawValue: scalars)
                // A good request first: lengths that fit, handles that may be open.
                var buffers = [[UInt8]]()
                for place in 1..<max(1, word.inBuffers) {
                    let isName = place == (index == 19 || index == 36 ? 3 : 1)
                    buffers.append(
                        isName && (index != 21 && index != 16)
                            ? names.randomElement(using: &random)! : strings[min(place - 1, 3) % 4])
                }
                if index == 0, buffers.count == 2 { buffers[1] = strings[2] }
                if index == 19, buffers.count == 4 { buffers[3] = strings[2] }
                var words: [UInt32] = index >= 31 ? [index] : []
                if word.inBuffers == 1 || [1, 5, 7].contains(index) {
                    words.append(
                        UInt32.random(in: index == 28 || index == 27 ? 0...3 : 99...110, using: &random))
                }
                words += buffers.map { UInt32($0.count) }
                let room = Int.random(in: 0...600, using: &random)
                while words.count * 4 < sent { words.append(UInt32(room)) }
                var capacities = [Int](repeating: room, count: word.outBuffers)
                if !capacities.isEmpty { capacities[0] = (returned + 7) / 8 * 8 }
                var request = ScriptedDSP.pack([ScriptedDSP.words(words)] + buffers, capacities)
                var changed = scalars
                var handle = std
                for _ in 0..<[0, 0, 1, 1, 2, 4].randomElement(using: &random)! {
                    switch Int.random(in: 0..<7, using: &random) {
                    case 0: changed ^= 1 << UInt32.random(in: 0..<32, using: &random)
                    case 1: changed = .random(in: 0...UInt32.max, using: &random)
                    case 2: handle = handles.randomElement(using: &random)!
                    case 3: request = Array(request.prefix(Int.random(in: 0...request.count, using: &random)))
                    case 4:
                        request += (0..<Int.random(in: 1...64, using: &random)).map { _ in
                            UInt8.random(in: 0...255, using: &random)
                        }
                    case 5 where !request.isEmpty:
                        let place = Int.random(in: 0..<request.count, using: &random)
                        request[place] = .random(in: 0...255, using: &random)
                    case 6 where request.count >= 4:
                        let place = Int.random(in: 0...(request.count - 4) / 4, using: &random) * 4
                        let extremes: [UInt32] = [
                            0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x0010_0000, 255,
                        ]
                        request.replaceSubrange(
                            place..<place + 4,
                            with: ScriptedDSP.words([extremes.randomElement(using: &random)!]))
                    default: break
                    }
                }
                let reply = dsp.send(handle, changed, request)
                if reply.result == .success {
                    served += 1
                    if index == 0 || index == 19, handle == std { opened += 1 }
                } else {
                    #expect(reply.bytes.isEmpty)
                }
                if Data(reply.bytes).range(of: canary) != nil {
                    Issue.record("turn \(turn): the canary came out")
                }
                if turn % 1_000 == 0 {
                    let outside = tree.openDescriptors.filter { !$0.contains("/root") }
                    #expect(outside.isEmpty)
                }
            }
        }
        // The requests were good enough to get somewhere.
        #expect(served > 5_000 && opened > 100 && printed.withLock { $0 } > 100, "\(served) \(opened)")
        #expect(tree.openDescriptors.isEmpty)
    }
}

private final class NoMappings: ReverseMemory {}
