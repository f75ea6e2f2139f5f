import Foundation
import TestSupport
import Testing

/// Programs that know nothing of us judge the virtual DSP: what they expect of a kernel and a DSP is what they
/// must get. `references/foreign-clients.md` has their revisions and what was found.
@Suite("Foreign clients of the virtual DSP", .needsVirtualDSP, .serialized)
struct ForeignClientTests {
    /// Every step that a client reports was right, and there were about as many as it has.
    private func expectGood(_ result: Tool.Result, steps: Int) {
        let lines = result.output.split(separator: "\n")
        for line in lines where line.hasPrefix("FAIL") { Issue.record("\(line)") }
        #expect(result.exitCode == 0, "\(result.errors)")
        #expect(lines.count { $0.hasPrefix("ok  ") } >= steps, "\(result.output)\n\(result.errors)")
    }

    @Test(
        "A C program that has only the kernel's header", .enabled(if: ForeignPrograms.canCompile, "needs cc"),
        arguments: [false, true])
    func plainClient(isStatic: Bool) throws {
        let programs = try ForeignPrograms()
        let client = try programs.plainClient(isStatic: isStatic)
        expectGood(try programs.runOnVirtualDSP([client, programs.folder]), steps: 150)
    }

    @Test("Qualcomm's library", .needsQualcommLibrary)
    func qualcommLibrary() throws {
        let programs = try ForeignPrograms()
        expectGood(try programs.runOnVirtualDSP([try programs.qualcommClient()]), steps: 145)
    }

    @Test("What calls cost Qualcomm's library", .needsQualcommLibrary)
    func qualcommCosts() throws {
        let programs = try ForeignPrograms()
        let result = try programs.runOnVirtualDSP([try programs.qualcommClient(), "--bench"])
        #expect(result.exitCode == 0, "\(result.output)\(result.errors)")
        let costs = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        for name in ["empty", "copy_1_mib", "descriptor_1_mib", "mapped_1_mib"] {
            let cost = try #require(costs?[name] as? [String: Any])
            #expect(cost["median_us"] as? Double ?? 0 > 0)
        }
        print("Qualcomm's library: \(result.output)")
    }

    /// The same program through Qualcomm's library and through our own driver: the same requests, in the same
    /// order, with the same arguments, but for what the protocol leaves open.
    @Test(
        "Our requests are those of Qualcomm's library", .needsQualcommLibrary, arguments: [[], ["--queue"]])
    func traces(options: [String]) throws {
        let programs = try ForeignPrograms()
        let library = "\(try #require(ForeignPrograms.qualcommFolder))/libcdsprpc.so.1"
        let traces = try ["library", "kernel"].map { transport in
            let trace = "\(programs.folder)/\(transport).jsonl"
            let result = try programs.runOnVirtualDSP(
                ["\(Tool.folder)/dsp-client", "tour", "--transport", transport] + options, trace: trace,
                environment: ["HEXAGONRPC_LIBRARY": library])
            try #require(result.exitCode == 0, "\(transport): \(result.output)\(result.errors)")
            return try String(contentsOfFile: trace, encoding: .utf8)
        }
        let comparison = try TraceComparison(traces[0], traces[1])
        for difference in comparison.unexplained { Issue.record("\(difference)") }
        for (difference, allowance) in comparison.allowed {
            print("\(allowance.name) (\(allowance.reason)): \(difference)")
        }
        // Not two empty traces: each has a session's steps.
        for trace in traces {
            let steps = try TraceComparison.steps(trace)
            #expect(steps[.client]?.count ?? 0 >= 7)
            #expect(steps[.listener]?.count ?? 0 >= 2)
        }
    }

    /// hexagonrpcd creates a process of a shell, or attaches to one that is always there, or to that of the sensors.
    @Test(
        "hexagonrpc's listener serves a client beside it", .needsHexagonrpc,
        arguments: [
            ["-f", "/dev/fastrpc-cdsp-secure", "-c", "/usr/lib/dsp/cdsp/fastrpc_shell_3"],
            ["-f", "/dev/fastrpc-adsp-secure"],
            ["-f", "/dev/fastrpc-adsp-secure", "-s"],
        ])
    func hexagonrpc(options: [String]) throws {
        let programs = try ForeignPrograms()
        // It serves libraries from dsp/NAME below its folder.
        let served = "\(programs.folder)/dsp/any"
        try FileManager.default.createDirectory(atPath: served, withIntermediateDirectories: true)
        try FileManager.default.moveItem(
            atPath: "\(programs.folder)/libecho_skel.so", toPath: "\(served)/libecho_skel.so")
        let daemon = "\(try #require(ForeignPrograms.hexagonrpcFolder))/hexagonrpcd"
        let client = ["-d", "any", "-R", programs.folder, "-p", try programs.descriptorClient()]
        let result = try programs.runOnVirtualDSP([daemon] + options + client)
        #expect(result.output.contains("open1: 0, 0x0"), "\(result.output)\(result.errors)")
        #expect(result.output.contains("sum: 0, 4950"), "\(result.output)\(result.errors)")
        // The process on the DSP ended, as the client asked.
        #expect(result.errors.contains("-2147482611"))
        #expect(result.exitCode == 0)
    }
}

extension Trait where Self == ConditionTrait {
    static var needsQualcommLibrary: Self {
        .enabled(
            if: ForeignPrograms.qualcommFolder != nil,
            "needs \(ForeignPrograms.qualcommVariable): the folder of libcdsprpc.so.1, built as its README says"
        )
    }

    static var needsHexagonrpc: Self {
        .enabled(
            if: ForeignPrograms.hexagonrpcFolder != nil,
            "needs \(ForeignPrograms.hexagonrpcVariable): the folder of hexagonrpcd, built as its README says"
        )
    }
}
