import Foundation
import TestSupport
import Testing

/// Ctrl-C at any moment: while the model is loaded, in the prompt, in the text, while a call does not return, while a
/// session begins anew.
@Suite(.needsVirtualDSP, .serialized) struct InterruptionTests {
    private static let arguments = [
        "generate", "-m", WholeLineTests.model, "-p", String(repeating: "Once upon a time ", count: 40), "-n",
        "-1",
        "-c", "100000", "--ignore-eos", "--temp", "0", "--device", "htp0", "--place", "all", "--transport",
        "kernel",
    ]

    /// Runs the tool, interrupts it, and looks for what is left.
    private func interrupt(
        _ scenario: String, after seconds: Double, _ arguments: [String] = [], signals: Int = 1
    ) throws {
        let left = try LeftBehind()
        let folder = try TemporaryFolder()
        let trace = folder.path("trace")
        let start = ContinuousClock.now
        let result = try Tool.run(
            "virtual-dsp",
            ["run", "--scenario", scenario, "--trace", trace, "--", "\(Tool.folder)/engine"] + Self.arguments
                + arguments,
            environment: left.environment, interrupt: .afterSeconds(seconds, count: signals))
        #expect(start.duration(to: .now) < .seconds(seconds + 60), "after \(seconds) s")
        // Before it runs, Ctrl-C ends virtual-dsp itself.
        #expect(result.exitCode == 130 || result.signal == 2, "after \(seconds) s: \(result)")
        #expect(left.list() == [], "after \(seconds) s")
        try checkNodes(trace)
    }

    /// Every node that was opened was closed, as the virtual kernel counts it.
    private func checkNodes(_ path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else { return }
        var open: [String: Int] = [:]
        for line in data.split(separator: UInt8(ascii: "\n")) {
            let object = try #require(try JSONSerialization.jsonObject(with: line) as? [String: Any])
            guard let node = object["node"] as? String else { continue }
            if object["call"] as? String == "open", object["result"] as? String == "fd" {
                open[node, default: 0] += 1
            }
            if object["call"] as? String == "close" { open[node, default: 0] -= 1 }
        }
        #expect(open.values.allSatisfy { $0 <= 0 }, "\(open)")
    }

    @Test(arguments: [0.02, 0.05, 0.08, 0.11, 0.14, 0.18, 0.22, 0.26, 0.3, 0.4, 0.5, 0.7, 1, 1.5])
    func atAnyMoment(
        seconds: Double
    ) throws {
        try interrupt("healthy", after: seconds)
    }

    @Test(arguments: [0.1, 0.2, 0.4, 0.8, 1.6]) func whileACallDoesNotReturn(seconds: Double) throws {
        try interrupt("hung-call=8", after: seconds)
        try interrupt("hung-call=3", after: seconds)
    }

    @Test(arguments: [0.15, 0.3, 0.6, 1, 1.5]) func whileSessionsBeginAnew(seconds: Double) throws {
        try interrupt("process-death=9", after: seconds)
        try interrupt("hung-call=9", after: seconds + 0.5, ["--dsp-timeout", "0.5"])
        try interrupt("subsystem-restart=10", after: seconds)
    }

    @Test(arguments: [0.1, 0.5, 1]) func twice(seconds: Double) throws {
        try interrupt("hung-call=8", after: seconds, signals: 2)
    }
}
