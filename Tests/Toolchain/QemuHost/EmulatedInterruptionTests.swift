import Foundation
import TestSupport
import Testing

/// Ctrl-C while Hexagon code runs under qemu, which is a process of its own.
@Suite(
    "Interruption of Hexagon code", .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing),
    .serialized)
struct EmulatedInterruptionTests {
    private static let arguments = [
        "generate", "-m", EmulatedEngineTests.model, "-p", String(repeating: "Once upon a time ", count: 40),
        "-n",
        "-1", "-c", "100000", "--ignore-eos", "--temp", "0",
    ]

    @Test(arguments: [0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 2], [1, 2]) func nothingIsLeft(
        seconds: Double, signals: Int
    ) throws {
        try HexagonBuild.make()
        let left = try LeftBehind()
        let result = try Tool.run(
            "engine", Self.arguments + ["--device", "qemu0"],
            environment: HexagonBuild.environment.merging(left.environment) { $1 },
            interrupt: .afterSeconds(seconds, count: signals))
        // Before the program has its handler Ctrl-C ends it as usual.
        #expect(result.exitCode == 130 || result.signal == 2, "after \(seconds) s: \(result)")
        #expect(left.list() == [], "after \(seconds) s")
    }

    /// The same as a virtual DSP: the kernel's processes hold qemu's.
    @Test(.needsVirtualDSP, arguments: [0.2, 0.6, 1, 2]) func nothingIsLeftOfAVirtualDSP(seconds: Double)
        throws
    {
        try HexagonBuild.make()
        let left = try LeftBehind()
        let result = try Tool.run(
            "virtual-dsp",
            ["run", "--dsp", "qemu", "--", "\(Tool.folder)/engine"] + Self.arguments
                + ["--device", "htp0", "--place", "all", "--transport", "kernel"],
            environment: HexagonBuild.environment.merging(left.environment) { $1 },
            interrupt: .afterSeconds(seconds))
        #expect(result.exitCode == 130 || result.signal == 2, "after \(seconds) s: \(result)")
        #expect(left.list() == [], "after \(seconds) s")
    }
}
