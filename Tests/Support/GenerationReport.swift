import Foundation

/// What `engine generate --json` prints.
package struct GenerationReport: Decodable, Sendable {
    package struct Device: Decodable, Sendable {
        package var name: String
        package var kind: String
        package var model_bytes: Int
        package var context_bytes: Int
        package var compute_bytes: Int
    }

    package struct Offload: Decodable, Sendable {
        package var mul_mat_total: Int
        package var mul_mat_offloaded: Int
        package var macs_total: Int
        package var macs_offloaded: Int
        package var messages: Int
        package var bytes_to_dsp: Int
        package var bytes_from_dsp: Int
        package var recoveries: Int
    }

    package var version: Int
    package var text: String
    package var tokens: [Int32]
    package var prompt_tokens: Int
    package var generated_tokens: Int
    package var load_ms: Double
    package var prompt_ms: Double
    package var prompt_tps: Double
    package var generate_ms: Double
    package var generate_tps: Double
    package var threads: Int
    package var devices: [Device]
    package var offload: Offload

    /// Runs the tool with these arguments behind `generate --json`, on the virtual DSP if wanted.
    package init(
        _ arguments: [String], onVirtualDSP: Bool = false, scenario: String = "healthy",
        environment: [String: String] = [:]
    ) throws {
        let command = ["generate", "--json"] + arguments
        let result =
            onVirtualDSP
            ? try Tool.run(
                "virtual-dsp", ["run", "--scenario", scenario, "--", "\(Tool.folder)/engine"] + command,
                environment: environment)
            : try Tool.run("engine", command, environment: environment)
        guard result.exitCode == 0, result.output.hasSuffix("}\n"), !result.output.dropLast().contains("\n")
        else {
            throw Tool.Failure(description: "engine generate \(arguments): \(result)")
        }
        self = try JSONDecoder().decode(Self.self, from: Data(result.output.utf8))
    }
}
