import Foundation
import HexagonRPC
import QemuHost
import TestSupport
import Testing
import VirtualDSP

/// What `Sources/HTP/build` makes, made once for all tests.
enum HexagonBuild {
    static let folder = ProgramSources.package + "/.build/hexagon-tests"
    private static let script = ProgramSources.package + "/Sources/HTP/build"

    /// Makes everything.
    private static let result = Result {
        let result = try run(script, ["--output", folder])
        try #require(result.status == 0, "\(result.errors)")
    }

    /// Runs the command with other arguments.
    static func make(_ arguments: [String]) throws {
        let result = try run(script, arguments)
        try #require(result.status == 0, "\(result.errors)")
    }

    static func make() throws { try result.get() }

    /// Qemu and what runs in it, for tests below the transport.
    static func tools() throws -> HexagonTools {
        try make()
        return try HexagonTools.find(in: [folder])
    }

    /// For tools.
    static let environment = ["HEXAGONRPC_HEXAGON_PATH": folder]

    /// Qemu's DSP.
    static func transport(
        architecture: Int? = nil, _ change: (inout QemuTransport.Options) -> Void = { _ in }
    ) throws -> QemuTransport {
        try make()
        var options = QemuTransport.Options()
        options.architecture = architecture
        options.vectorUnits = 3
        options.folders = [folder]
        change(&options)
        return try QemuTransport(options)
    }
}
