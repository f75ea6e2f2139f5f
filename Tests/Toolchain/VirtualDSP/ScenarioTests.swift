import Foundation
import HexagonRPC
import TestSupport
import Testing
import VirtualKernel

/// What a program that uses `HexagonRPC` sees of each scenario: one typed error with cause and remedy, or
/// nothing at all where it should not notice; and that the same process works once the scenario is over.
@Suite(
    "Scenarios of the virtual DSP",
    .needsVirtualDSP, .serialized)
struct ScenarioTests {
    /// What a scenario looks like to a program.
    struct Expectation: Sendable {
        var scenario: String
        /// Options of the client.
        var options: [String] = []
        /// The error's code; nil where the program works.
        var code: UInt32?
        var type = "RemoteCallError"
        var isSessionLost = false
        /// What the error's text names: the cause and the remedy.
        var words: [String] = []
        /// Milliseconds that the first attempt takes at least.
        var least = 0.0
        var unsignedSupport: UInt32 = 1
        var architecture: UInt32 = 0x68
        /// Whether the DSP can be asked for its architecture.
        var answers = true

        var kind: Scenario.Kind? { Scenario(scenario)?.kind }
    }

    static let expectations: [Expectation] = [
        Expectation(scenario: "healthy"),
        Expectation(
            scenario: "no-node", code: 0x43,
            words: ["/dev/fastrpc-cdsp", "errno 2", "load the module fastrpc"],
            answers: false),
        Expectation(
            scenario: "no-permission", code: 0x4e, words: ["/dev/fastrpc-cdsp", "errno 13", "group", "udev"],
            answers: false),
        Expectation(
            scenario: "dsp-offline", code: 0x43, words: ["/dev/fastrpc-cdsp", "/sys/class/remoteproc"],
            answers: false),
        Expectation(
            scenario: "no-free-session", code: 0x8a,
            words: ["errno 16", "every session of this DSP is in use", "end other programs"], answers: false),
        Expectation(
            scenario: "plain-node-only", options: ["--signed"], code: 0x72,
            words: ["refuses signed processes", "ask for unsigned modules", "-secure"]),
        Expectation(scenario: "plain-node-only"),
        // Memory comes from the node itself then.
        Expectation(scenario: "no-dma-heap"),
        Expectation(
            scenario: "no-shell", code: 0x45,
            words: ["fastrpc_shell_unsigned_3", "/usr/lib/dsp", "hexagon-dsp-binaries"]),
        Expectation(
            scenario: "shell-mismatch", code: 0x8000_054f,
            words: ["fastrpc_shell_unsigned_3", "of different builds", "QC_IMAGE_VERSION_STRING"]),
        Expectation(
            scenario: "skel-not-found", code: 0x8000_0406, words: ["libecho_skel.so", "DSP_LIBRARY_PATH"]),
        Expectation(
            scenario: "wrong-symbol", code: 0x8000_0442,
            words: ["echo_skel_handle_invoke", "correct the URI, or export"]),
        Expectation(
            scenario: "missing-dependency", code: 0x8000_0406,
            words: ["libhexagonrpc_missing.so.1", "did get libecho_skel.so", "DSP_LIBRARY_PATH"]),
        Expectation(scenario: "old-capability-reply"),
        Expectation(scenario: "unsigned-support-reads-zero", unsignedSupport: 0),
        Expectation(
            scenario: "process-death=3", options: ["--calls", "5"], code: 0x8000_040d, isSessionLost: true,
            words: ["close this session", "begin a new one"]),
        Expectation(
            scenario: "subsystem-restart=3", options: ["--calls", "5"], code: 104, isSessionLost: true,
            words: ["errno 32", "wait for the node", "begin a new one"]),
        Expectation(
            scenario: "out-of-memory", code: 0x8000_0402, words: ["map 1048576 bytes", "address space"]),
        Expectation(
            scenario: "queue-hang", options: ["--queue"], code: 0x0c, type: "DSPQueueError",
            words: ["no packet after 2", "use plain calls instead"], least: 2000),
        Expectation(scenario: "slow-dsp=100", options: ["--calls", "3"], least: 700),
        Expectation(scenario: "malformed-reverse-calls"),
    ]

    /// What the client prints.
    struct Report: Decodable {
        var type: String?
        var code: UInt32?
        var isSessionLost: Bool?
        var text: String?
        var milliseconds: Double
        var architecture: UInt32?
        var unsignedSupport: UInt32?
        var afterwards: String?
    }

    @Test func everyScenarioIsTried() {
        // A call that never returns is for the caller to give up: this client would wait for ever. The engine's tests try it.
        let kinds = Set(Self.expectations.map(\.kind)).union([.hungCall])
        #expect(kinds == Set(Scenario.Kind.allCases))
    }

    @Test(
        .enabled(if: ForeignPrograms.canCompile, "needs cc"),
        arguments: ScenarioTests.expectations)
    func kernelTransport(expectation: Expectation) throws {
        let report = try Self.report(expectation, "kernel")
        Self.check(report, expectation)
        for word in expectation.words {
            #expect(report.text?.contains(word) == true, "\(report.text ?? "no error"), without \(word)")
        }
    }

    /// Through Qualcomm's library an error may come with another code, and says less; but there is one, and
    /// there is a way back. Left out is what crashes the library itself: malformed calls in its listener, and a
    /// process that ends with an open queue, which is the end of one that hangs.
    @Test(.needsQualcommLibrary, arguments: ScenarioTests.expectations)
    func libraryTransport(expectation: Expectation) throws {
        guard expectation.kind != .malformedReverseCalls, expectation.kind != .queueHang else { return }
        let report = try Self.report(expectation, "library")
        // It goes on without a shell, and the DSP refuses then; of nodes it says only that there is no way.
        let others: [Scenario.Kind: UInt32] = [
            .noNode: 0x72, .noPermission: 0x72, .dspOffline: 0x72, .noFreeSession: 0x72,
            .noShell: 0x8000_0416,
            .outOfMemory: 0x01,
        ]
        var expected = expectation
        if let code = expectation.kind.flatMap({ others[$0] }) { expected.code = code }
        if expectation.kind == .oldCapabilityReply {
            // It looks at offset 8 only.
            expected.architecture = 0
            expected.unsignedSupport = 0
        }
        Self.check(report, expected)
        #expect(report.text?.contains("; ") ?? (expected.code == nil), "no advice: \(report.text ?? "")")
    }

    private static func report(_ expectation: Expectation, _ transport: String) throws -> Report {
        let programs = try ForeignPrograms()
        let library = ForeignPrograms.qualcommFolder.map { ["HEXAGONRPC_LIBRARY": "\($0)/libcdsprpc.so.1"] }
        let result = try programs.runOnVirtualDSP(
            ["\(Tool.folder)/dsp-client", "scenario", "--transport", transport] + expectation.options,
            scenario: expectation.scenario, environment: library ?? [:])
        try #require(result.exitCode == 0, "\(result.output)\(result.errors)")
        return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    }

    private static func check(_ report: Report, _ expectation: Expectation) {
        let text = report.text ?? "no error"
        #expect(report.code == expectation.code, "\(text)")
        #expect(report.type == (expectation.code == nil ? nil : expectation.type), "\(text)")
        #expect(report.isSessionLost ?? false == expectation.isSessionLost, "\(text)")
        #expect(!(report.text ?? "").contains("\n"), "an error is one line")
        #expect(report.afterwards == nil, "after the scenario")
        #expect(report.milliseconds >= expectation.least)
        #expect(report.milliseconds < 60_000)
        #expect(report.architecture == (expectation.answers ? expectation.architecture : nil))
        #expect(report.unsignedSupport == (expectation.answers ? expectation.unsignedSupport : nil))
    }
}
