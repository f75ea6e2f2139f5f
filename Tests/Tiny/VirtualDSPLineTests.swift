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
