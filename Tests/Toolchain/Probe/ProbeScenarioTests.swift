import Foundation
import TestSupport
import Testing
import VirtualKernel

/// What fastrpc-probe says about each scenario of the virtual DSP: the one thing that is wrong, and what to do.
@Suite("fastrpc-probe on a virtual DSP", .needsVirtualDSP, .serialized)
struct ProbeScenarioTests {
    struct Expectation: Sendable {
        var scenario: String
        /// The checks that do not pass, without the library's.
        var findings: [String: String] = [:]
        /// What the remedy of the finding has.
        var remedy: [String] = []
        /// What its evidence or summary has.
        var evidence: [String] = []
        /// Checks that are skipped for its sake.
        var skipped: [String] = []
        /// Seconds that the probe may take.
        var limit = 60.0

        var kind: Scenario.Kind? { Scenario(scenario)?.kind }
    }

    static let expectations: [Expectation] = [
        Expectation(scenario: "healthy"),
        Expectation(
            scenario: "no-node", findings: ["driver": "fail"], remedy: ["sudo modprobe fastrpc"],
            evidence: ["no /sys/module/fastrpc"], skipped: ["nodes", "session-kernel", "engine"]),
        Expectation(
            scenario: "no-permission", findings: ["node-access": "fail"],
            remedy: ["/etc/udev/rules.d/", "usermod -aG"],
            evidence: ["/dev/fastrpc-cdsp", "0000", "Permission denied"],
            skipped: ["session-kernel", "engine"]),
        Expectation(
            scenario: "dsp-offline", findings: ["remoteproc": "fail"],
            remedy: ["echo start | sudo tee /sys/class/remoteproc/remoteproc0/state"],
            evidence: ["state offline", "/lib/firmware/qcom/virtual/cdsp.mbn"],
            skipped: ["nodes", "session-kernel", "engine"]),
        Expectation(
            scenario: "no-free-session", findings: ["session-kernel": "fail"],
            remedy: ["sudo fuser -v /dev/fastrpc-*"], evidence: ["AEE_ENOSESSION", "errno 16"],
            skipped: ["capabilities", "round-trip", "engine"]),
        Expectation(
            scenario: "plain-node-only", findings: ["node-access": "warn"],
            remedy: ["ask for unsigned modules"],
            evidence: ["0x72", "/dev/fastrpc-cdsp-secure"]),
        Expectation(
            scenario: "no-dma-heap", findings: ["dma-heap": "warn"],
            remedy: ["CONFIG_DMABUF_HEAPS_SYSTEM", "--device /dev/dma_heap/system"]),
        Expectation(
            scenario: "no-shell", findings: ["shell": "fail"], remedy: ["hexagon-dsp-binaries"],
            evidence: ["fastrpc_shell_unsigned_3", "/usr/lib/dsp"],
            skipped: ["session-kernel", "build", "engine"]),
        Expectation(
            scenario: "shell-mismatch", findings: ["build": "fail"],
            remedy: ["full-upgrade", "hexagon-dsp-binaries"],
            evidence: ["HEXAGONRPC-1-OTHER", "0x8000054f"],
            skipped: ["session-kernel", "round-trip", "engine"]),
        Expectation(
            scenario: "skel-not-found", findings: ["module": "fail"], remedy: ["export DSP_LIBRARY_PATH="],
            evidence: ["0x80000406", "libfastrpc_probe_skel.so", "did not get it"], skipped: ["engine"]),
        Expectation(
            scenario: "wrong-symbol", findings: ["module": "fail"],
            remedy: ["readelf", "fastrpc_probe_skel_handle_invoke"], evidence: ["0x80000442"],
            skipped: ["engine"]),
        Expectation(
            scenario: "missing-dependency", findings: ["module": "fail"],
            remedy: ["find / -name 'libhexagonrpc_missing.so.1'"],
            evidence: ["did not get it", "the DSP got libfastrpc_probe_skel.so"], skipped: ["engine"]),
        Expectation(scenario: "old-capability-reply"),
        Expectation(scenario: "unsigned-support-reads-zero"),
        Expectation(
            scenario: "process-death", findings: ["round-trip": "fail"], remedy: ["dmesg", "--report"],
            evidence: ["the process on the DSP died", "0x8000040d"], skipped: ["mapping", "queue", "engine"]),
        Expectation(
            scenario: "subsystem-restart", findings: ["round-trip": "fail"],
            remedy: ["dmesg", "/sys/class/remoteproc"], evidence: ["the whole DSP restarted", "errno 32"],
            skipped: ["mapping", "queue", "engine"]),
        Expectation(
            scenario: "out-of-memory", findings: ["mapping": "fail"], remedy: ["fuser", "reboot"],
            evidence: ["0x80000402"], skipped: ["largest-mapping", "queue", "engine"]),
        Expectation(
            scenario: "queue-hang", findings: ["queue": "fail"], remedy: ["use plain calls"],
            evidence: ["no packet after 2"]),
        Expectation(
            scenario: "hung-call", findings: ["round-trip": "fail"], remedy: ["reboot"],
            evidence: ["no answer within 4 s"], skipped: ["mapping", "queue", "engine"]),
        Expectation(
            scenario: "slow-dsp", findings: ["call-time": "warn"], remedy: ["fuser"], evidence: ["median 20"]),
        Expectation(
            scenario: "malformed-reverse-calls", findings: ["reverse-calls": "warn"], remedy: ["update"],
            evidence: ["AEE_EBADPARM"]),
        // Later than at once: the same failures, at the step in which they happen.
        Expectation(
            scenario: "process-death=2", findings: ["mapping": "fail"],
            evidence: ["the process on the DSP died"],
            skipped: ["queue", "engine"]),
        // A DSP that does not answer in any reasonable time.
        Expectation(
            scenario: "slow-dsp=60000", findings: ["round-trip": "fail"], remedy: ["reboot"],
            evidence: ["no answer within 4 s"], skipped: ["mapping", "engine"]),
    ]

    @Test func everyScenarioIsTried() {
        #expect(Set(Self.expectations.map(\.kind)) == Set(Scenario.Kind.allCases))
    }

    @Test(arguments: expectations)
    func asWhoeverRunsTheTests(expectation: Expectation) throws {
        let (output, code) = try Self.probe(expectation, through: [])
        try Self.check(output, code, expectation)
    }

    /// What an ordinary user gets to see, where root would be let in anyway.
    @Test(
        .enabled(if: ordinaryUser != nil, "needs root and setpriv, to be somebody else"),
        arguments: expectations.filter {
            ["healthy", "no-permission", "plain-node-only", "skel-not-found", "no-shell"].contains(
                $0.scenario)
        })
    func asAnOrdinaryUser(expectation: Expectation) throws {
        let (output, code) = try Self.probe(expectation, through: try #require(Self.ordinaryUser))
        #expect(output.host.user == "nobody")
        try Self.check(output, code, expectation)
    }

    /// The command that makes another user of root; nil where that does not work, or is not needed.
    static let ordinaryUser: [String]? = {
        let command = [
            "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
        ]
        guard getuid() == 0, FileManager.default.isExecutableFile(atPath: command[0]),
            let result = try? run(
                command[0], Array(command.dropFirst()) + ["\(Tool.folder)/virtual-dsp", "run", "--", "true"]),
            result.status == 0
        else { return nil }
        return command
    }()

    private static func probe(
        _ expectation: Expectation, through user: [String], environment: [String: String] = [:]
    ) throws -> (ProbeOutput, Int32) {
        let command =
            user + [
                "\(Tool.folder)/virtual-dsp", "run", "--scenario", expectation.scenario, "--",
                "\(Tool.folder)/fastrpc-probe", "--json",
            ]
        let variables = ["DSP_LIBRARY_PATH": Tool.folder, "HEXAGONRPC_LIBRARY": ""].merging(environment) {
            $1
        }
        let start = ContinuousClock.now
        let result = try run(command[0], Array(command.dropFirst()), environment: variables)
        #expect(ContinuousClock.now - start < .seconds(expectation.limit))
        #expect(result.errors == "")
        return (try JSONDecoder().decode(ProbeOutput.self, from: Data(result.output.utf8)), result.status)
    }

    private static func check(_ output: ProbeOutput, _ code: Int32, _ expectation: Expectation) throws {
        #expect(output.findings == expectation.findings)
        #expect(code == (output.checks.contains { $0.status == "fail" } ? 1 : 0))
        for id in expectation.skipped { #expect(output[id]?.status == "skip", "\(id)") }
        guard let id = expectation.findings.keys.first else {
            #expect(output["engine"]?.status == "ok")
            return
        }
        let finding = try #require(output[id])
        #expect(!finding.remedy.isEmpty)
        for word in expectation.remedy {
            #expect(finding.remedy.contains(word), "\(word) in \(finding.remedy)")
        }
        for word in expectation.evidence {
            #expect((finding.evidence + finding.summary).contains(word), "\(word) in \(finding.evidence)")
        }
        if finding.status == "fail" {
            #expect(output["engine"]?.because == id || id == "queue")
        }
    }

    /// Through Qualcomm's library nothing is found beside what is found without it.
    @Test(.needsQualcommLibrary, arguments: expectations)
    func withQualcommsLibrary(expectation: Expectation) throws {
        let folder = try #require(ForeignPrograms.qualcommFolder)
        let (output, code) = try Self.probe(
            expectation, through: [], environment: ["HEXAGONRPC_LIBRARY": "\(folder)/libcdsprpc.so.1"])
        try Self.check(output, code, expectation)
        #expect(output["library"]?.status == "ok")
        if expectation.scenario == "healthy" {
            #expect(output["session-library"]?.status == "ok")
            #expect(output["session-library"]?.summary.contains("a method is called") == true)
        }
    }

    @Test func oldAnswersAreSaid() throws {
        let old = try Self.probe(Expectation(scenario: "old-capability-reply"), through: []).0
        #expect(old["capabilities"]?.evidence.contains("July 2024") == true)
        #expect(old["capabilities"]?.summary.hasPrefix("Hexagon v68, HVX, VTCM 4 MiB") == true)
        let zero = try Self.probe(Expectation(scenario: "unsigned-support-reads-zero"), through: []).0
        #expect(zero["capabilities"]?.evidence.contains("but it does") == true)
    }
}
