import Foundation
import Testing

/// How the DSP's platform asks for tightly coupled memory, of systems of several ages.
@Suite(
    "Requests for tightly coupled memory",
    .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing))
struct NearMemoryRequestTests {
    /// Bytes there are, free ones, wanted ones.
    private static let cases: [[UInt32]] = [
        [0, 0, .max], [32 << 10, 32 << 10, .max], [256 << 10, 256 << 10, .max], [2 << 20, 2 << 20, .max],
        [8 << 20, 8 << 20, 2 << 20], [4 << 20, 1 << 20, .max], [2 << 20, 0, .max], [2 << 20, 2 << 20, 1000],
        [2 << 20, 2 << 20, 64 << 10],
    ]

    @Test("what is free is taken and given back", arguments: [0, 1, 2])
    func requests(manager: Int) throws {
        let build = FixtureBuild(
            testDescription: "manager \(manager)",
            machine: .hexagon(arch: "v66", flags: ["-DMANAGER=\(manager)"]))
        let input = Data(
            Self.cases.joined().flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
            })
        let output = try build.output(
            of: "near_memory.c", with: ["platform_qurt.c"], input: input)
        try #require(output.count == Self.cases.count * 16)
        let words = output.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 4).map {
                bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self)
            }
        }
        for (index, request) in Self.cases.enumerated() {
            let answer = Array(words[4 * index..<4 * index + 4])
            let possible = min(request[1], request[2])
            let size = possible < 64 << 10 ? 0 : possible
            #expect(answer[0] == size, "\(request)")
            #expect(answer[2] == (size == 0 ? 0 : 1), "\(request)")
            #expect(answer[1] <= 1 && answer[1] >= answer[2], "\(request)")
            // The older functions know only of what is free.
            #expect(answer[3] == (manager == 0 ? request[1] : request[0]), "\(request)")
        }
    }
}
