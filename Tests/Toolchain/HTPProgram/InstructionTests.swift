import Foundation
import Testing

/// `hvx_host.h` against the processor's instructions, as qemu executes them.
@Suite("HVX emulation", .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing))
struct InstructionTests {
    /// What v66 machine code writes.
    static let processor = Result { try FixtureBuild.hexagon[0].output(of: "instructions.c") }

    @Test("every emulated instruction equals the processor's", arguments: FixtureBuild.host)
    func host(build: FixtureBuild) throws {
        try compare(build)
    }

    @Test(
        "the emulation on arm64 equals the processor",
        .enabled(if: FixtureBuild.arm64 != nil, FixtureBuild.arm64Missing))
    func arm64() throws {
        try compare(try #require(FixtureBuild.arm64))
    }

    @Test("code for newer processors gives the same", arguments: FixtureBuild.hexagon.dropFirst())
    func newerProcessor(build: FixtureBuild) throws {
        try compare(build)
    }

    @Test("no emulated intrinsic is left out")
    func coverage() throws {
        let header = try String(contentsOfFile: ProgramSources.program + "/hvx_host.h", encoding: .utf8)
        let emulated = Set(
            header.matches(of: /HVX_(?:PAIR_|PREDICATE_)?OP (\w+)\(/).map { String($0.output.1) })
        #expect(emulated.count > 20)
        let run = Set(InstructionRecord.all(in: try Self.processor.get()).map(\.name))
        #expect(run.subtracting(["hvx_load_unaligned"]) == emulated)
    }

    private func compare(_ build: FixtureBuild) throws {
        let expected = try Self.processor.get()
        let actual = try build.output(of: "instructions.c")
        try #require(expected.count == actual.count && !expected.isEmpty)
        guard expected != actual else { return }
        // One line for each intrinsic that differs.
        var reported: Set<String> = []
        for (theirs, ours) in zip(InstructionRecord.all(in: expected), InstructionRecord.all(in: actual))
        where theirs.bytes != ours.bytes && reported.insert(theirs.name).inserted {
            Issue.record("\(ours.difference(from: theirs))")
        }
    }
}

/// One record of `instructions.c`.
private struct InstructionRecord {
    let bytes: Data

    static let size = 5 * 128

    static func all(in data: Data) -> [InstructionRecord] {
        stride(from: 0, to: data.count - size + 1, by: size).map {
            InstructionRecord(bytes: data[data.startIndex + $0..<data.startIndex + $0 + size])
        }
    }

    var name: String { String(decoding: bytes.prefix(32).prefix { $0 != 0 }, as: UTF8.self) }

    func word(_ vector: Int, _ lane: Int) -> String {
        let value = bytes.withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: vector * 128 + lane * 4, as: UInt32.self)
        }
        return "0x" + String(value, radix: 16)
    }

    func difference(from expected: InstructionRecord) -> String {
        let lane = (0..<32).first { word(4, $0) != expected.word(4, $0) } ?? 0
        let inputs = "r \(word(0, 8)), u \(word(1, lane)), v \(word(2, lane)), x \(word(3, lane))"
        return bytes.prefix(Self.size - 128) == expected.bytes.prefix(Self.size - 128)
            ? "\(name), word \(lane): \(word(4, lane)) instead of \(expected.word(4, lane)); \(inputs)"
            : "\(name): the inputs differ, so the fixture is wrong; \(inputs)"
    }
}
