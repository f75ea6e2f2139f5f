import Foundation
import Testing

/// A Python interpreter with numpy and gguf, which runs the scripts of `Tests/Toolchain/Witness`.
///
/// The environment variable `HEXAGONRPC_PYTHON` names it; without it, it is `python3`.
package enum PythonWitness {
    /// Whether there is one with both packages.
    package static let isAvailable = (try? run(["-c", "import numpy, gguf"])) != nil

    /// Whether there is one with another module.
    package static func has(_ module: String) -> Bool { (try? run(["-c", "import \(module)"])) != nil }

    /// Runs a script of the witness folder and returns what it prints.
    @discardableResult
    package static func runWitness(_ script: String, _ arguments: [String]) throws -> String {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Toolchain/Witness").standardizedFileURL.path
        return try run([folder + "/" + script] + arguments)
    }

    private static func run(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            [ProcessInfo.processInfo.environment["HEXAGONRPC_PYTHON"] ?? "python3"] + arguments
        let output = Pipe()
        (process.standardOutput, process.standardError) = (output, output)
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Tool.Failure(description: "\(arguments): \(text)")
        }
        return text
    }
}

extension Trait where Self == ConditionTrait {
    /// Runs the test only where Python has numpy and gguf.
    package static var needsPython: Self {
        .enabled(
            if: PythonWitness.isAvailable,
            "needs Python with numpy and gguf (set HEXAGONRPC_PYTHON to such an interpreter)")
    }
}
