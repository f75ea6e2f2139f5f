import Foundation
import HexagonIDL
import TestSupport
import Testing

/// Programs that are not ours, or know nothing of us, compiled for the virtual DSP's clients.
///
/// The folder has `libecho_skel.so`, what the DSP loads, and the clients.
final class ForeignPrograms: Sendable {
    private let scratch: ScratchDirectory
    /// Where everything lies.
    var folder: String { scratch.path }

    static let qualcommVariable = "HEXAGONRPC_QUALCOMM_FASTRPC"
    static let hexagonrpcVariable = "HEXAGONRPC_HEXAGONRPC"

    /// The folder that has `libcdsprpc.so.1`, built from `qualcomm/fastrpc`.
    static let qualcommFolder = folder(qualcommVariable, having: "libcdsprpc.so.1")
    /// The folder that has the program `hexagonrpcd`, built from `linux-msm/hexagonrpc`.
    static let hexagonrpcFolder = folder(hexagonrpcVariable, having: "hexagonrpcd")

    private static func folder(_ variable: String, having name: String) -> String? {
        guard let folder = ProcessInfo.processInfo.environment[variable],
            FileManager.default.fileExists(atPath: "\(folder)/\(name)")
        else { return nil }
        return folder
    }

    /// Whether the system has what a plain client needs.
    static let canCompile = systemCompiler != nil && FileManager.default.fileExists(atPath: header)
    private static let header = "/usr/include/misc/fastrpc.h"

    private static let fixtures = "\(Toolchain.root)/Tests/Toolchain/VirtualDSP/Fixtures"
    private static let flags = [
        "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread",
        "-I\(Toolchain.root)/Sources/Shims/CRemote/include",
    ]

    /// Compiles what the DSP loads.
    init() throws {
        scratch = try ScratchDirectory()
        let text = try String(contentsOfFile: "\(Self.fixtures)/echo.idl", encoding: .utf8)
        let unit = try IDLCompiler.compile(text: text, path: "echo.idl")
        try GeneratedCTests.write(unit, "echo", to: folder)
        try compile(["echo_imp.c"], ["echo_skel.c"], "libecho_skel.so", ["-shared", "-fPIC"])
    }

    /// Compiles files of the fixtures and generated ones; returns the program's path.
    @discardableResult
    private func compile(
        _ fixtures: [String], _ generated: [String], _ output: String, _ options: [String] = []
    ) throws -> String {
        let sources = fixtures.map { "\(Self.fixtures)/\($0)" } + generated.map { "\(folder)/\($0)" }
        let path = "\(folder)/\(output)"
        let result = try run(
            try #require(systemCompiler), Self.flags + ["-I\(folder)", "-o", path] + sources + options)
        try #require(result.status == 0, "\(result.errors)")
        return path
    }

    func plainClient(isStatic: Bool) throws -> String {
        try compile(["plain_client.c", "plain_listener.c"], [], "plain_client", isStatic ? ["-static"] : [])
    }

    func qualcommClient() throws -> String {
        let library = try #require(Self.qualcommFolder)
        return try compile(
            ["qualcomm_client.c"], ["echo_stub.c"], "qualcomm_client",
            ["\(library)/libcdsprpc.so.1", "-Wl,-rpath,\(library)", "-Wl,--allow-shlib-undefined"])
    }

    func descriptorClient() throws -> String {
        try compile(["descriptor_client.c", "plain_listener.c"], [], "descriptor_client")
    }

    /// Runs a command on the virtual DSP. `trace`: a file for its calls.
    func runOnVirtualDSP(
        _ command: [String], scenario: String = "healthy", trace: String? = nil,
        environment: [String: String] = [:]
    ) throws -> Tool.Result {
        let environment = ["DSP_LIBRARY_PATH": folder].merging(environment) { $1 }
        let options = ["--scenario", scenario] + (trace.map { ["--trace", $0] } ?? [])
        return try Tool.run("virtual-dsp", ["run"] + options + ["--"] + command, environment: environment)
    }
}
