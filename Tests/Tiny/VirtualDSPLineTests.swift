import Foundation
import TestSupport
import Testing

/// The whole line through the kernel's interface: the tool as it is, under a virtual DSP.
@Suite(
    .needsVirtualDSP, .serialized)
struct VirtualDSPLineTests {
    private static let options = [
        "-m", WholeLineTests.model, "-p", "Once upon a time", "-n", "32", "--temp", "0",
    ]

    /// Through our own driver and, where it is there, through Qualcomm's library.
    @Test(
        arguments: ["kernel"]
            + (ProcessInfo.processInfo.environment["HEXAGONRPC_QUALCOMM_FASTRPC"] == nil ? [] : ["library"]))
    func hardwareSessionsTellWhatTheSimulatorTells(transport: String) throws {
        let folder = ProcessInfo.processInfo.environment["HEXAGONRPC_QUALCOMM_FASTRPC"] ?? ""
        let simulated = try GenerationReport(Self.options + ["--device", "sim0"])
        for devices in ["htp0", "htp0,htp1"] {
            let report = try GenerationReport(
                Self.options + ["--device", devices, "--place", "all", "--transport", transport],
                onVirtualDSP: true,
                environment: ["HEXAGONRPC_LIBRARY": "\(folder)/libcdsprpc.so.1"])
            #expect(report.tokens == simulated.tokens)
            #expect(report.text.hasPrefix(WholeLineTests.reference))
            #expect(report.offload.mul_mat_offloaded == report.offload.mul_mat_total)
            #expect(report.offload.macs_offloaded == simulated.offload.macs_offloaded)
            #expect(report.devices.dropFirst().allSatisfy { $0.kind == "hardware" && $0.model_bytes > 0 })
            #expect(report.devices.count == 1 + devices.split(separator: ",").count)
            // One message for a token to each session.
            #expect(report.offload.messages == 32 * devices.split(separator: ",").count)
        }
    }

    /// The process dies, or the whole DSP restarts, in the middle of the text.
    @Test(arguments: ["process-death=30", "subsystem-restart=30"])
    func aDSPThatFailsDoesNotChangeTheText(scenario: String) throws {
        let simulated = try GenerationReport(Self.options + ["--device", "sim0"])
        let report = try GenerationReport(
            Self.options + ["--device", "htp0", "--place", "all"], onVirtualDSP: true, scenario: scenario)
        #expect(report.tokens == simulated.tokens)
        #expect(report.offload.recoveries >= 1)
        #expect(report.offload.mul_mat_offloaded == report.offload.mul_mat_total)
    }
}

/// Every architecture, counted where it passes the driver.
extension VirtualDSPLineTests {
    @Test(arguments: TestModel.architectures) func oneMessageForATokenOfEveryArchitecture(name: String) throws
    {
        let folder = try TemporaryFolder()
        let trace = folder.path("trace")
        let options = [
            "generate", "--json", "-m", try TestModel.model(name).write(to: folder.path("model.gguf")),
            "--tokens",
            "1,260,261", "-n", "7", "--temp", "0", "--ignore-eos", "--device",
        ]
        let result = try Tool.run(
            "virtual-dsp",
            ["run", "--trace", trace, "--", "\(Tool.folder)/engine"] + options
                + ["htp0", "--place", "all", "--transport", "kernel"])
        #expect(result.errors == "")
        let report = try JSONDecoder().decode(GenerationReport.self, from: Data(result.output.utf8))
        let simulated = try GenerationReport(options.dropFirst(2) + ["sim0"])
        #expect(report.tokens == simulated.tokens && report.tokens.count == 7)
        #expect(report.offload.mul_mat_offloaded == report.offload.mul_mat_total)
        #expect(report.offload.messages == 7 && report.offload.recoveries == 0)
        // `submit` is method 7, with an in and an out buffer.
        let lines = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
        #expect(lines.count { $0.contains("\"scalars\":\"0x7010100\"") } == 7)
    }
}

/// Batches as packets in shared memory.
extension VirtualDSPLineTests {
    private static let queueOptions = [
        "-m", WholeLineTests.model, "-p", "Once upon a time", "-n", "32", "--temp", "0", "--messages",
        "queue",
        "--place", "all", "--transport", "kernel",
    ]

    @Test func batchesByQueueTellTheSame() throws {
        let folder = try TemporaryFolder()
        let trace = folder.path("trace")
        let result = try Tool.run(
            "virtual-dsp",
            ["run", "--trace", trace, "--", "\(Tool.folder)/engine", "generate", "--json"] + Self.queueOptions
                + ["--device", "htp0"])
        #expect(result.errors == "")
        let report = try JSONDecoder().decode(GenerationReport.self, from: Data(result.output.utf8))
        let calls = try GenerationReport(
            Self.queueOptions.dropLast(6) + ["--device", "htp0", "--place", "all"], onVirtualDSP: true)
        #expect(report.tokens == calls.tokens && report.tokens.count == 32)
        #expect(report.offload.messages == 32 && report.offload.recoveries == 0)
        #expect(report.offload.macs_offloaded == calls.offload.macs_offloaded)
        // Not one of them was a call: `submit` is method 7, with an in and an out buffer.
        let lines = try String(contentsOfFile: trace, encoding: .utf8)
        #expect(lines.contains("\"scalars\":\"0x5010000\"") && !lines.contains("\"scalars\":\"0x7010100\""))
    }

    @Test(arguments: ["process-death=20", "hung-call=20", "subsystem-restart=12"])
    func aQueueThatDiesDoesNotChangeTheText(
        scenario: String
    ) throws {
        let simulated = try GenerationReport(Self.queueOptions.dropLast(6) + ["--device", "sim0"])
        let report = try GenerationReport(
            Self.queueOptions + ["--device", "htp0,htp1", "--dsp-timeout", "2"], onVirtualDSP: true,
            scenario: scenario)
        #expect(report.tokens == simulated.tokens && report.offload.recoveries >= 1)
        #expect(report.offload.mul_mat_offloaded == report.offload.mul_mat_total)
    }

    /// Where a queue hangs, or there is none, batches go as calls, and a line says so.
    @Test func withoutAQueueThereAreCalls() throws {
        let (device, engine) = (["--device", "htp0"], ["generate", "--json"] + Self.queueOptions)
        for result in [
            try Tool.run(
                "virtual-dsp",
                ["run", "--scenario", "queue-hang", "--", "\(Tool.folder)/engine"] + engine + device),
            try Tool.run("engine", engine + ["--device", "sim0"]),
        ] {
            #expect(result.exitCode == 0)
            #expect(
                result.errorLines.count == 1 && result.errors.hasSuffix("batches go as calls\n"),
                "\(result.errors)")
            let report = try JSONDecoder().decode(GenerationReport.self, from: Data(result.output.utf8))
            #expect(report.offload.messages == 32 && report.offload.recoveries == 0)
            #expect(report.offload.mul_mat_offloaded == report.offload.mul_mat_total)
        }
    }
}
