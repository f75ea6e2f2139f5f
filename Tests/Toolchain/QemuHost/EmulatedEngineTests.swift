import Engine
import Foundation
import HexagonRPC
import TestSupport
import Testing
import VirtualDSP

/// The whole engine with its products computed by Hexagon code.
@Suite(
    "Engine on Hexagon code", .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing),
    .serialized)
struct EmulatedEngineTests {
    static let model = ProgramSources.package + "/Examples/storyteller/storyteller-q8_0.gguf"

    private func generate(
        _ transports: [any Transport]
    ) throws -> (tokens: [Int32], logits: [UInt32], offload: OffloadReport) {
        var options = LanguageModel.Options()
        options.threads = 2
        options.devices = transports.enumerated().map { index, transport in
            InferenceDevice(
                name: "dsp\(index)", kind: "test", transport: transport,
                configuration: SessionConfiguration(index: index))
        }
        let model = try LanguageModel(path: Self.model, options: options)
        var parameters = GenerationParameters(maxTokens: 12, sampling: .greedy)
        parameters.keepsPromptLogits = true
        let generation = try model.generate(from: try model.tokens(of: "Once upon a time"), parameters)
        return (generation.tokens, generation.promptLogits.map(\.bitPattern), model.offload)
    }

    @Test func tokensAndLogitsAreTheSimulators() throws {
        let simulated = try generate([SimulatorTransport()])
        #expect(simulated.tokens.count == 12 && simulated.logits.count > 1000)
        // v68 code, of which qemu 7.2 runs what it knows from v67.
        for (name, transports) in [
            ("v66", [try HexagonBuild.transport()]),
            ("v68", [try HexagonBuild.transport(architecture: 0x68)]),
            ("two sessions", [try HexagonBuild.transport(), try HexagonBuild.transport()]),
        ] {
            let emulated = try generate(transports)
            #expect(emulated.tokens == simulated.tokens, "\(name)")
            #expect(emulated.logits == simulated.logits, "\(name)")
            #expect(emulated.offload.offloadedProducts == emulated.offload.products)
            #expect(emulated.offload.messages == simulated.offload.messages * transports.count)
        }
    }

    /// The architectures with operations of their own.
    @Test(arguments: ["bitnet-25", "gemma2", "gemma3", "gpt-oss", "phi3", "qwen3moe"])
    func architectures(_ name: String) throws {
        let folder = try TemporaryFolder()
        let path = try TestModel.model(name).write(to: folder.path("model.gguf"))
        func logits(_ transport: any Transport) throws -> (bits: [UInt32], offload: OffloadReport) {
            var options = LanguageModel.Options()
            options.threads = 2
            options.devices = [InferenceDevice(name: "dsp0", kind: "test", transport: transport)]
            let model = try LanguageModel(path: path, options: options)
            var parameters = GenerationParameters(maxTokens: 3, sampling: .greedy)
            parameters.keepsPromptLogits = true
            parameters.ignoresEndOfText = true
            let generation = try model.generate(from: (0..<20).map { Int32(40 + 11 * $0) }, parameters)
            return (generation.promptLogits.map(\.bitPattern), model.offload)
        }
        let simulated = try logits(SimulatorTransport()), emulated = try logits(try HexagonBuild.transport())
        #expect(emulated.bits == simulated.bits && emulated.bits.count > 1000)
        #expect(emulated.offload.offloadedProducts == emulated.offload.products)
        // The prompt, and each token but the last.
        #expect(emulated.offload.messages == 3)
    }

    /// Caches of every type, and layers that hold no more than their window.
    @Test(arguments: ["gemma3", "gpt-oss"], ["f16", "q8_0", "q4_0"])
    func caches(_ name: String, _ type: String) throws {
        let folder = try TemporaryFolder()
        let path = try TestModel.model(name).write(to: folder.path("model.gguf"))
        func run(_ transport: any Transport) throws -> (bits: [UInt32], tokens: [Int32]) {
            var options = LanguageModel.Options()
            (options.threads, options.batch, options.contextLength) = (2, 5, 64)
            options.keyCacheType = type == "f16" ? .f16 : type == "q8_0" ? .q8_0 : .q4_0
            options.valueCacheType = options.keyCacheType
            options.devices = [InferenceDevice(name: "dsp0", kind: "test", transport: transport)]
            let model = try LanguageModel(path: path, options: options)
            var parameters = GenerationParameters(maxTokens: 8, sampling: .greedy)
            parameters.keepsPromptLogits = true
            parameters.ignoresEndOfText = true
            let generation = try model.generate(from: (0..<22).map { Int32(40 + 9 * $0) }, parameters)
            return (generation.promptLogits.map(\.bitPattern), generation.tokens)
        }
        let simulated = try run(SimulatorTransport()), emulated = try run(try HexagonBuild.transport())
        #expect(emulated.bits == simulated.bits && emulated.bits.count > 1000)
        #expect(emulated.tokens == simulated.tokens && emulated.tokens.count == 8)
    }

    private func report(_ arguments: [String], _ environment: [String: String]) throws -> GenerationReport {
        let options = ["-m", Self.model, "-p", "Once upon a time", "-n", "12", "--temp", "0"]
        return try GenerationReport(
            options + arguments, environment: HexagonBuild.environment.merging(environment) { $1 })
    }

    @Test func theToolTellsTheSame() throws {
        try HexagonBuild.make()
        let simulated = try report(["--device", "sim0"], [:])
        let emulated = try report(["--device", "qemu0", "--power", "saving"], [:])
        #expect(emulated.tokens == simulated.tokens)
        #expect(emulated.offload.mul_mat_offloaded == emulated.offload.mul_mat_total)
        #expect(emulated.devices.map(\.kind) == ["cpu", "qemu"])
    }

    @Test func withoutWhatItTakesTheToolSaysWhat() throws {
        for (environment, words) in [
            (["HEXAGONRPC_QEMU": "/nonexistent/qemu"], "HEXAGONRPC_QEMU"),
            (["HEXAGONRPC_QEMU": "", "PATH": "/nonexistent"], "install qemu-user"),
            (
                ["HEXAGONRPC_QEMU": "/bin/false", "HEXAGONRPC_HEXAGON_PATH": HexagonBuild.folder],
                "cannot run"
            ),
        ] {
            try HexagonBuild.make()
            for (tool, arguments) in [
                ("engine", ["generate", "-m", Self.model, "-p", "Once", "--device", "qemu0"]),
                ("virtual-dsp", ["run", "--dsp", "qemu", "--", "/bin/true"]),
            ] {
                let result = try Tool.run(
                    tool, arguments, environment: HexagonBuild.environment.merging(environment) { $1 })
                #expect(result.exitCode == 69, "\(tool) \(environment) \(result)")
                #expect(result.errors.contains(words), "\(result.errors)")
                #expect(result.errorLines.count == 1)
            }
        }
    }

    @Test func devicesAreListed() throws {
        try HexagonBuild.make()
        let result = try Tool.run("engine", ["devices"], environment: HexagonBuild.environment)
        #expect(result.output.contains("qemu0  qemu  available"))
    }

    @Test(.needsVirtualDSP, arguments: [[], ["--arch", "v68"]])
    func theKernelsDSPRunsHexagonCode(options: [String]) throws {
        try HexagonBuild.make()
        let simulated = try report(["--device", "sim0"], [:])
        let result = try Tool.run(
            "virtual-dsp",
            ["run", "--dsp", "qemu"] + options + [
                "--", "\(Tool.folder)/engine", "generate", "--json", "-m", Self.model, "-p",
                "Once upon a time",
                "-n", "12", "--temp", "0", "--device", "htp0,htp1", "--place", "all",
            ], environment: HexagonBuild.environment)
        try #require(result.exitCode == 0, "\(result.errors)")
        let emulated = try JSONDecoder().decode(GenerationReport.self, from: Data(result.output.utf8))
        #expect(emulated.tokens == simulated.tokens)
        #expect(emulated.offload.mul_mat_offloaded == emulated.offload.mul_mat_total)
    }

    @Test(.needsVirtualDSP)
    func theHostsBuildIsNoHexagonCode() throws {
        try HexagonBuild.make()
        let result = try Tool.run(
            "virtual-dsp",
            [
                "run", "--dsp", "qemu", "--", "\(Tool.folder)/engine", "generate", "-m", Self.model, "-p",
                "Once",
                "--device", "htp0",
            ], environment: HexagonBuild.environment.merging(["DSP_LIBRARY_PATH": Tool.folder]) { $1 })
        #expect(result.exitCode == 69)
        #expect(result.errors.contains("AEE_EUNABLETOLOAD"), "\(result.errors)")
    }

    @Test(.needsVirtualDSP)
    func aProcessThatDiesIsASessionLost() throws {
        try HexagonBuild.make()
        let result = try Tool.run(
            "virtual-dsp",
            [
                "run", "--dsp", "qemu", "--scenario", "process-death=5", "--", "\(Tool.folder)/engine",
                "generate",
                "-m", Self.model, "-p", "Once", "-n", "8", "--device", "htp0",
            ], environment: HexagonBuild.environment)
        // One message tells of it, and the work is repeated.
        #expect(result.exitCode == 0)
        #expect(result.errors.contains("is lost"), "\(result.errors)")
    }
}
