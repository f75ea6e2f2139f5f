import Foundation
import Testing

/// Batches of every operation, the same sources as Hexagon machine code and on this machine.
@Suite("Operations on Hexagon", .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing))
struct OperationTests {
    static let processor = Result { try run(FixtureBuild.hexagon[0], .good) }

    @Test("operations have the same bits under qemu, for 1 to 4 workers", arguments: FixtureBuild.host)
    func host(build: FixtureBuild) throws {
        try compare(build)
    }

    @Test(
        "operations on arm64 have the same bits",
        .enabled(if: FixtureBuild.arm64 != nil, FixtureBuild.arm64Missing))
    func arm64() throws {
        try compare(try #require(FixtureBuild.arm64))
    }

    @Test("code for v68 gives the same bits") func newerProcessor() throws {
        try compare(try #require(FixtureBuild.hexagon.last))
    }

    @Test("vector floats give the same for 1 to 4 workers, and something else than plain ones")
    func vectorFloats() throws {
        let build = try #require(FixtureBuild.host.first)
        #expect(try Self.run(build, .goodWithVectorFloats) != Self.run(build, .good))
    }

    /// What stands in for the instructions that no emulator knows is the same on both machines; all else is the
    /// vector unit's.
    @Test("vector floats, their instructions emulated, have the same bits under qemu")
    func vectorFloatsOnHexagon() throws {
        let build = FixtureBuild(
            testDescription: "Hexagon v66", machine: .hexagon(arch: "v66", flags: ["-DHTP_TEST_QFLOAT"]))
        let processor = try Self.run(build, .someWithVectorFloats)
        #expect(processor.count > 1_000_000)
        #expect(try processor == Self.run(try #require(FixtureBuild.host.first), .someWithVectorFloats))
    }

    @Test("damaged batches fare the same under qemu and here") func damage() throws {
        let count = 3000
        let processor = try Self.run(FixtureBuild.hexagon[0], .damaged(count))
        let here = try Self.run(try #require(FixtureBuild.host.first), .damaged(count))
        #expect(processor == here)
        #expect(try OperationFates(here).total == count)
    }

    private func compare(_ build: FixtureBuild) throws {
        let expected = try Self.processor.get()
        let actual = try Self.run(build, .good)
        try #require(actual.count == expected.count && expected.count > 1_000_000)
        guard actual != expected else { return }
        // Each batch is its last operation's opcode, a byte count, and the bytes that it left.
        var offset = 0
        while offset + 8 <= expected.count {
            let (opcode, size) = (expected.word(at: offset), Int(expected.word(at: offset + 4)))
            let range = offset + 8..<offset + 8 + size
            if let at = range.first(where: { actual[$0] != expected[$0] }) {
                Issue.record(
                    "a batch that ends in operation \(opcode) differs at byte \(at - range.lowerBound)")
                return
            }
            offset = range.upperBound
        }
    }

    enum Request {
        case good
        case goodWithVectorFloats
        case someWithVectorFloats
        case damaged(Int)

        var input: Data {
            let words: [UInt32] =
                switch self {
                case .good: [0, 0]
                case .goodWithVectorFloats: [2, 0]
                case .someWithVectorFloats: [2, 1]
                case .damaged(let count): [1, UInt32(count)]
                }
            return Data(words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
        }
    }

    static func run(_ build: FixtureBuild, _ request: Request) throws -> Data {
        try build.output(of: "graphs.c", with: ProgramSources.operations(), input: request.input)
    }
}

/// The same damage in greater numbers, where memory errors are found. `HEXAGONRPC_MUTATIONS` says how many.
@Suite("Damaged batches", .enabled(if: systemCompiler != nil, "needs a C compiler as cc"))
struct DamagedBatchTests {
    static let count =
        ProcessInfo.processInfo.environment["HEXAGONRPC_MUTATIONS"].flatMap { Int($0) } ?? 20_000

    @Test("damaged batches are refused or harmless", arguments: BatchCheckerTests.builds)
    func harmless(build: BatchCheckerTests.Build) throws {
        let fixture = FixtureBuild(
            testDescription: build.testDescription,
            machine: .host(compiler: build.compiler, flags: build.flags, runner: []))
        let fates = try OperationFates(OperationTests.run(fixture, .damaged(Self.count)))
        #expect(fates.total == Self.count)
        // Every reason but those of memory and of the life cycle is met.
        for (name, count) in fates.named where !["memory", "not started"].contains(name) {
            #expect(count > 0, "no batch with \(name)")
        }
    }
}

/// How many damaged batches ended how, by `enum htp_fault`.
private struct OperationFates {
    static let names = [
        "no fault", "header", "buffer", "opcode", "shape", "range", "memory", "not started", "alias", "data",
    ]

    let counts: [Int]
    var total: Int { counts.reduce(0, +) }
    var named: [(String, Int)] { Array(zip(Self.names, counts)) }

    /// The output begins with the number of accepted batches.
    init(_ output: Data) throws {
        try #require(output.count == 4 * (1 + Self.names.count))
        counts = Self.names.indices.map { Int(output.word(at: 4 + 4 * $0)) }
        try #require(Int(output.word(at: 0)) == counts[0])
    }
}

extension Data {
    fileprivate func word(at offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(self[startIndex + offset + $1]) << (8 * $1) }
    }
}
