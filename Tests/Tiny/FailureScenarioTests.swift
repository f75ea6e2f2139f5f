import Foundation
import TestSupport
import Testing

/// The tool in every way in which the virtual DSP can misbehave: it tells the story, or says in a line why it cannot.
@Suite(.needsVirtualDSP, .serialized) struct FailureScenarioTests {
    private static let arguments = [
        "generate", "--json", "-m", WholeLineTests.model, "-p", "Once upon a time", "-n", "16", "--temp", "0",
        "--transport", "kernel",
    ]

    /// What becomes of `--device htp0`.
    private enum Outcome {
        /// The DSP tells the story.
        case works
        /// The DSP tells it, after the work was repeated.
        case recovers
        /// The CPU tells it, after the DSP did not take the model or failed too often.
        case movesToCPU
        /// There is no DSP to be had: this exit code.
        case fails(CInt)
    }

    private static func outcome(_ scenario: String) -> Outcome? {
        switch scenario {
        case "healthy", "plain-node-only", "no-dma-heap", "old-capability-reply",
            "unsigned-support-reads-zero",
            "queue-hang", "slow-dsp=20", "malformed-reverse-calls":
            .works
        case "process-death=12", "process-death=20", "subsystem-restart=1", "subsystem-restart=4",
            "subsystem-restart=20", "hung-call=20":
            .recovers
        case "process-death=4", "hung-call=4", "process-death=7", "out-of-memory": .movesToCPU
        case "no-permission": .fails(77)
        case "no-node", "dsp-offline", "no-free-session", "no-shell", "shell-mismatch", "skel-not-found",
            "wrong-symbol", "missing-dependency", "process-death=1", "hung-call=1":
            .fails(69)
        default: nil
        }
    }

    /// All scenarios of the tool; those that take a number with some.
    static let scenarios: [String] = {
        guard let list = try? Tool.run("virtual-dsp", ["scenarios"]) else { return [] }
        return list.output.split(separator: "\n").flatMap { line -> [String] in
            let name = String(line.prefix { $0 != " " })
            guard name.hasSuffix("[=N]") else { return [name] }
            let kind = String(name.dropLast(4))
            let numbers =
                switch kind {
                case "process-death": [1, 4, 7, 12, 20]
                case "subsystem-restart": [1, 4, 20]
                case "hung-call": [1, 4, 20]
                default: [20]
                }
            return numbers.map { "\(kind)=\($0)" }
        }
    }()

    private func run(_ scenario: String, _ arguments: [String]) throws -> (Tool.Result, GenerationReport?) {
        let start = ContinuousClock.now
        let result = try Tool.run(
            "virtual-dsp",
            ["run", "--scenario", scenario, "--", "\(Tool.folder)/engine"] + Self.arguments + arguments)
        #expect(start.duration(to: .now) < .seconds(120))
        let report = try? JSONDecoder().decode(GenerationReport.self, from: Data(result.output.utf8))
        return (result, report)
    }

    @Test(arguments: scenarios) func aNamedDevice(scenario: String) throws {
        let outcome = try #require(Self.outcome(scenario), "the test does not know \(scenario)")
        let (result, report) = try run(
            scenario,
            ["--device", "htp0", "--place", "all"]
                + (scenario.hasPrefix("hung") ? ["--dsp-timeout", "2"] : []))
        if case .fails(let code) = outcome {
            #expect(result.exitCode == code, "\(result)")
            #expect(result.output == "")
            #expect(result.errorLines.count == 1 && result.errors.hasPrefix("engine: device htp0: "))
            return
        }
        #expect(result.exitCode == 0, "\(result)")
        let found = try #require(report)
        #expect(WholeLineTests.reference.hasPrefix(found.text))
        #expect(found.tokens.count == 16)
        switch outcome {
        case .works:
            #expect(found.offload.recoveries == 0 && result.errors == "", "\(result.errors)")
            #expect(found.offload.mul_mat_offloaded == found.offload.mul_mat_total)
        case .recovers:
            #expect(found.offload.recoveries >= 1)
            #expect(found.offload.mul_mat_offloaded == found.offload.mul_mat_total)
            #expect(result.errorLines.count == 1, "\(result.errors)")
        default:
            #expect(found.offload.recoveries >= 1)
            #expect(found.offload.mul_mat_offloaded < found.offload.mul_mat_total)
            // That the work is repeated, and that the CPU goes on.
            #expect((1...2).contains(result.errorLines.count), "\(result.errors)")
            #expect(result.errors.contains("the CPU"), "\(result.errors)")
        }
    }

    /// Without a DSP that works the CPU tells the story, and where there is one that does not, a line says so.
    @Test(arguments: scenarios) func whateverThereIs(scenario: String) throws {
        let (result, report) = try run(
            scenario, ["--device", "auto"] + (scenario.hasPrefix("hung") ? ["--dsp-timeout", "2"] : []))
        #expect(result.exitCode == 0, "\(result)")
        let found = try #require(report)
        #expect(WholeLineTests.reference.hasPrefix(found.text))
        #expect(result.errorLines.count <= 2, "\(result.errors)")
        if case .fails = Self.outcome(scenario) {
            #expect(result.errors.hasSuffix("running on the CPU\n") && result.errorLines.count == 1)
        }
    }

    private static let library = ProcessInfo.processInfo.environment["HEXAGONRPC_QUALCOMM_FASTRPC"]

    /// The same through Qualcomm's library, whose threads wait in the driver, too.
    @Test(
        .enabled(if: library != nil, "HEXAGONRPC_QUALCOMM_FASTRPC names no folder"),
        arguments: ["hung-call=4", "hung-call=20", "process-death=20", "queue-hang"], ["call", "queue"])
    func throughTheLibrary(scenario: String, messages: String) throws {
        let folder = try #require(Self.library)
        let report = try GenerationReport(
            Array(Self.arguments.dropFirst(2).dropLast()) + [
                "library", "--device", "htp0", "--place", "all", "--dsp-timeout", "2", "--messages", messages,
            ], onVirtualDSP: true, scenario: scenario,
            environment: ["HEXAGONRPC_LIBRARY": "\(folder)/libcdsprpc.so.1"])
        #expect(WholeLineTests.reference.hasPrefix(report.text) && report.tokens.count == 16)
        #expect((report.offload.recoveries > 0) == (scenario != "queue-hang"))
        let goesOn =
            switch (scenario, messages) {
            // Every session hangs while the model is loaded.
            case ("hung-call=4", "call"): true
            // The library neither closes a queue whose program hangs nor begins its process anew.
            case ("hung-call=20", "queue"): true
            default: false
            }
        #expect((report.offload.mul_mat_offloaded < report.offload.mul_mat_total) == goesOn)
    }
}
