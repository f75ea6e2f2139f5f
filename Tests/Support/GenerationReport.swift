import Foundation

/// What `engine generate --json` prints.
public struct GenerationReport: Decodable, Sendable {
    public struct Device: Decodable, Sendable {
        public var name: String
        public var kind: String
        public var model_bytes: Int
        public var context_bytes: Int
        public var compute_bytes: Int
    }

    public struct Offload: Decodable, Sendable {
        public var mul_mat_total: Int
        public var mul_mat_offloaded: Int
        public var macs_total: Int
        public var macs_offloaded: Int
        public var messages: Int
        public var bytes_to_dsp: Int
        public var bytes_from_dsp: Int
        public var recoveries: Int
    }

    public var version: Int
    public var text: String
    public var tokens: [Int32]
    public var prompt_tokens: Int
    public var generated_tokens: Int
    public var load_ms: Double
    public var prompt_ms: Double
    public var prompt_tps: Double
    public var generate_ms: Double
    public var generate_tps: Double
    public var threads: Int
    public var devices: [Device]
    public var offload: Offload

    /// Runs the tool with these arguments behind `generate --json`.
    public init(_ arguments: [String]) throws {
        let result = try Tool.run("engine", ["generate", "--json"] + arguments)
        guard result.exitCode == 0, result.output.hasSuffix("}\n"), !result.output.dropLast().contains("\n")
        else {
            throw Tool.Failure(description: "engine generate \(arguments): \(result)")
        }
        self = try JSONDecoder().decode(Self.self, from: Data(result.output.utf8))
    }
}
