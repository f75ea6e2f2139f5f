import Foundation
import TestSupport
import Testing

/// The command line of fastrpc-probe, on the machine of the tests and on made-up ones.
@Suite("fastrpc-probe")
struct ProbeToolTests {
    /// A machine of another maker.
    private static func desktop() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.path("proc/sys/kernel"), withIntermediateDirectories: true)
        _ = try folder.write(Array("6.12.9-test\n".utf8), to: "proc/sys/kernel/osrelease")
        return folder
    }

    private func probe(_ arguments: [String], root: String?, _ more: [String: String] = [:]) throws
        -> Tool.Result
    {
        try Tool.run(
            "fastrpc-probe", arguments,
            environment: (root.map { ["FASTRPC_PROBE_ROOT": $0] } ?? [:]).merging(more) { $1 }, deadline: 60)
    }

    @Test func aMachineWithoutQualcommHardwareIsOneScreen() throws {
        let folder = try Self.desktop()
        let result = try probe([], root: folder.path)
        #expect(result.exitCode == 1 && result.errors == "")
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 24 && lines.allSatisfy { $0.count <= 130 }, "\(result.output)")
        #expect(lines[0].contains("no Qualcomm chip"))
        #expect(lines.count { $0.hasPrefix("fail") } == 1 && !lines.contains { $0.hasPrefix("warn") })
    }

    @Test func colourIsForTerminals() throws {
        let folder = try Self.desktop()
        #expect(!(try probe([], root: folder.path).output.contains("\u{1b}")))
        // script(1) makes a terminal.
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/script") else { return }
        let command = "\(Tool.folder)/fastrpc-probe"
        for (variable, isColoured) in [("", true), ("1", false)] {
            let result = try run(
                "/usr/bin/script", ["-qec", command, "/dev/null"],
                environment: ["FASTRPC_PROBE_ROOT": folder.path, "NO_COLOR": variable])
            #expect(result.output.contains("no Qualcomm chip"))
            #expect(result.output.contains("\u{1b}[1;31mfail") == isColoured)
        }
    }

    @Test func jsonIsOneObject() throws {
        let folder = try Self.desktop()
        let result = try probe(["--json", "--domain", "adsp"], root: folder.path)
        let output = try JSONDecoder().decode(ProbeOutput.self, from: Data(result.output.utf8))
        #expect(output.version == 2 && output.domain == "adsp" && output.host.kernel == "6.12.9-test")
        #expect(Set(output.checks.map(\.id)).count == output.checks.count)
        #expect(output.checks.filter { $0.status == "skip" }.allSatisfy { !$0.summary.isEmpty })
    }

    @Test func aReportIsWritten() throws {
        let folder = try Self.desktop()
        let path = folder.path("report.txt")
        #expect(try probe(["--report", path], root: folder.path).exitCode == 1)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains("6.12.9-test") && text.contains("driver"))
        let refused = try probe(["--report", folder.path("no/such/report.txt")], root: folder.path)
        #expect(refused.exitCode == 1 && refused.errors.contains("cannot write"))
    }

    @Test func codesAreExplained() throws {
        let known = try probe(["explain", "-2147482618"], root: nil)
        #expect(known.exitCode == 0 && known.output.hasPrefix("AEE_EUNABLETOLOAD, from the DSP"))
        let unknown = try probe(["explain", "999999"], root: nil)
        #expect(unknown.exitCode == 1 && unknown.output.contains("unknown"))
        let json = try probe(["explain", "104", "--json"], root: nil)
        let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
        #expect(object?["version"] as? Int == 1)
        #expect((object?["codes"] as? [[String: Any]])?.count == 3)
    }

    @Test(arguments: [
        ["--domain", "gpu"], ["--nonsense"], ["explain"], ["explain", "12a"], ["explain", "1", "2"],
    ])
    func wrongUsageIs64(arguments: [String]) throws {
        #expect(try probe(arguments, root: nil).exitCode == 64)
    }

    /// Whatever this machine is.
    @Test func thisMachineIsLookedAtWithinSeconds() throws {
        let start = ContinuousClock.now
        let result = try probe(["--json"], root: nil)
        #expect(ContinuousClock.now - start < .seconds(120))
        let output = try JSONDecoder().decode(ProbeOutput.self, from: Data(result.output.utf8))
        #expect(result.exitCode == (output.checks.contains { $0.status == "fail" } ? 1 : 0))
    }
}
