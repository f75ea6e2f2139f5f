import TestSupport
import Testing

/// The SDK's public face on the virtual DSP, as a program of its own.
@Suite(
    "Programs on the virtual DSP", .enabled(if: ForeignPrograms.canCompile, "needs cc"),
    .needsVirtualDSP, .serialized)
struct ClientTests {
    private func run(_ arguments: [String]) throws -> Tool.Result {
        let result = try ForeignPrograms().runOnVirtualDSP(["\(Tool.folder)/dsp-client"] + arguments)
        #expect(result.exitCode == 0, "\(result.errors)")
        return result
    }

    @Test("Every session of a DSP", arguments: 0...3)
    func sessions(index: Int) throws {
        let result = try run(["tour", "--transport", "kernel", "--session", "\(index)", "--queue"])
        #expect(result.output == "ok\n")
    }

    @Test("Buffers of a graphics driver, both ways")
    func graphics() throws {
        #expect(try run(["gpu", "--transport", "kernel"]).output == "ok\n")
    }

    @Test("The DSP's log arrives at swift-log")
    func log() throws {
        let lines = try run(["log", "how do you do"]).output.split(separator: "\n")
        #expect(lines.contains { $0.contains("how do you do") && $0.contains("dsp=cdsp") }, "\(lines)")
    }
}
