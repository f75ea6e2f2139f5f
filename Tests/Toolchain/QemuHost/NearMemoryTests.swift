import Glibc
import HTPInterface
import HTPProgram
import HexagonRPC
import SharedMemory
import Synchronization
import TestSupport
import Testing
import VirtualDSP

/// Tightly coupled memory under the Hexagon code, of all sizes.
@Suite(
    "Tightly coupled memory under qemu",
    .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing), .serialized)
struct EmulatedNearMemoryTests {
    /// A product of 24 rows, which is worth copying the weights for.
    private static func product(
        _ program: borrowing HTP<RemoteHandle>, _ session: borrowing Session
    ) throws -> [UInt32] {
        try exampleProduct(
            program, session, kind: UInt32(HTP_TILES_4BIT), rows: 300, columns: 512, count: 24, seed: 9)
    }

    private static let expected = Result {
        let session = try Session(SimulatorTransport())
        let program = HTP(try session.open(ModuleURI(interface: "htp")))
        try program.start(threads: 1)
        _ = try program.nearMemory(most: 0, dma: 0)
        return try product(program, session)
    }

    @Test(arguments: [0, 256 << 10, 2 << 20, 4 << 20, 8 << 20], ["v66", "v68"])
    func memoryIsHeldWhileThereIsWork(bytes: Int, architecture: String) throws {
        let lines = Mutex<[String]>([])
        let session = try Session(
            HexagonBuild.transport(architecture: architecture == "v68" ? 0x68 : nil) {
                $0.vtcmBytes = bytes
                $0.log = { _, line in lines.withLock { $0.append(line) } }
            })
        func count(_ words: String) -> Int {
            lines.withLock {
                $0.filter { $0.contains("\(bytes) bytes of tightly coupled memory are \(words)") }
            }
            .count
        }
        func waitForEnd(_ number: Int) {
            for _ in 0..<3000 where count("given back") < number { usleep(10_000) }
        }
        let program = HTP(try session.open(ModuleURI(interface: "htp", file: "libhtp-\(architecture).so")))
        try program.start(threads: 3)
        #expect(try program.hardware().vtcmBytes == UInt64(bytes))
        #expect(try Self.product(program, session) == Self.expected.get())
        let isThere = bytes == 0 ? 0 : 1
        if bytes != 0 { waitForEnd(1) }
        #expect(count("given back") == isThere && count("held") == isThere)
        #expect(try Self.product(program, session) == Self.expected.get())
        #expect(count("held") == 2 * isThere)
        // Given back at once, and not asked for again.
        _ = try program.nearMemory(most: 0, dma: 0)
        #expect(count("given back") == 2 * isThere)
        #expect(try Self.product(program, session) == Self.expected.get())
        #expect(count("held") == 2 * isThere)
        try program.stop()
    }

    @Test func whoIsRefusedWorksWithout() throws {
        let lines = Mutex<[String]>([])
        let session = try Session(
            HexagonBuild.transport { $0.log = { _, line in lines.withLock { $0.append(line) } } })
        // All programs of a process are one to the system's manager, and the first has all the memory.
        let first = HTP(try session.open(ModuleURI(interface: "htp", file: "libhtp-v66.so")))
        try first.start(threads: 1)
        let second = HTP(try session.open(ModuleURI(interface: "htp", file: "libhtp-v66.so")))
        try second.start(threads: 2)
        #expect(lines.withLock { $0.filter { $0.contains("are held") }.count } == 1)
        #expect(try Self.product(second, session) == Self.expected.get())
        try second.stop()
        try first.stop()
    }

    /// Code for v66 has no DMA instructions.
    @Test func olderCodeHasNoDMA() throws {
        let session = try Session(HexagonBuild.transport())
        let program = HTP(try session.open(ModuleURI(interface: "htp", file: "libhtp-v66.so")))
        try program.start(threads: 1)
        let refusal = #expect(throws: RemoteCallError.self) { _ = try program.nearMemory(most: .max, dma: 1) }
        #expect(refusal?.result.rawValue == 0x8000_0414)
    }
}
