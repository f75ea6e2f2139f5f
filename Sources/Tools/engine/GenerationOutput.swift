import Engine
import Foundation
import GGUF

/// What `engine generate --json` prints.
struct GenerationOutput: Encodable {
    struct Device: Encodable {
        var name: String
        var kind: String
        var arch: String
        var sessions: Int
        var total_bytes: Int?
        var free_bytes: Int?
        var model_bytes: Int
        var context_bytes: Int
        var compute_bytes: Int

        init(_ report: DeviceReport) {
            name = report.name
            kind = report.kind
            arch = report.arch
            sessions = report.sessions
            total_bytes = report.totalBytes
            free_bytes = report.freeBytes
            model_bytes = report.modelBytes
            context_bytes = report.contextBytes
            compute_bytes = report.computeBytes
        }
    }

    struct Offload: Encodable {
        var mul_mat_total: Int
        var mul_mat_offloaded: Int
        var macs_total: Int
        var macs_offloaded: Int
        var messages: Int
        var bytes_to_dsp: Int
        var bytes_from_dsp: Int
        var recoveries: Int
        var dsp_ms: Double

        init(_ report: OffloadReport) {
            mul_mat_total = report.products
            mul_mat_offloaded = report.offloadedProducts
            macs_total = report.multiplyAdds
            macs_offloaded = report.offloadedMultiplyAdds
            messages = report.messages
            bytes_to_dsp = report.bytesToDSP
            bytes_from_dsp = report.bytesFromDSP
            recoveries = report.recoveries
            dsp_ms = report.dspSeconds * 1000
        }
    }

    /// Where the time went; only with --profile.
    struct Profile: Encodable {
        struct Operation: Encodable {
            var name: String
            var ms: Double
            var share: Double
        }

        struct Phase: Encodable {
            var tokens: Int
            var ms: Double
            var wait_share: Double
            var operations: [Operation]

            init(_ report: ProfileReport) {
                (tokens, ms, wait_share) = (report.tokens, report.seconds * 1000, report.waitShare)
                operations = report.operations.map {
                    Operation(
                        name: $0.name, ms: $0.seconds * 1000,
                        share: report.seconds > 0 ? $0.seconds / report.seconds : 0)
                }
            }
        }

        var version = 1
        var threads: Int
        var prompt: Phase
        var generation: Phase

        init(_ model: LanguageModel) {
            threads = model.threads
            (prompt, generation) = (Phase(model.profile(of: .prompt)), Phase(model.profile(of: .generation)))
        }
    }

    var version = 1
    var text: String
    var tokens: [Int32]
    var stop_reason: String
    var prompt_tokens: Int
    var reused_tokens: Int
    var generated_tokens: Int
    var load_ms: Double
    var prompt_ms: Double
    var prompt_tps: Double
    var generate_ms: Double
    var generate_tps: Double
    var threads: Int
    /// The part of the CPU threads' time in which they waited for each other.
    var prompt_wait_share: Double
    var generate_wait_share: Double
    var devices: [Device]
    var offload: Offload
    var profile: Profile?

    init(_ model: LanguageModel, _ generation: Generation) {
        text = generation.text
        tokens = generation.tokens
        stop_reason = generation.end.rawValue
        prompt_tokens = generation.promptTokens
        reused_tokens = generation.reusedTokens
        generated_tokens = generation.tokens.count
        load_ms = model.loadSeconds * 1000
        prompt_ms = generation.promptSeconds * 1000
        prompt_tps = generation.promptTokensPerSecond
        generate_ms = generation.generateSeconds * 1000
        generate_tps = generation.generatedTokensPerSecond
        threads = model.threads
        prompt_wait_share = model.profile(of: .prompt).waitShare
        generate_wait_share = model.profile(of: .generation).waitShare
        devices = model.devices.map(Device.init)
        offload = Offload(model.offload)
    }
}

/// Prints a value as one JSON object on one line.
func printJSON(_ value: some Encodable) throws {
    printNow(try jsonLine(value))
}

/// Writes it to a file, which appears whole or not at all.
func writeJSON(_ value: some Encodable, to path: String) throws {
    let file = try ReplacementFile(for: path)
    try file.append(Array(jsonLine(value).utf8))
    try file.commit()
}

private func jsonLine(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
}

extension Generation {
    var promptTokensPerSecond: Double { rate(promptTokens - reusedTokens, promptSeconds) }
    var generatedTokensPerSecond: Double { rate(tokens.count, generateSeconds) }

    private func rate(_ count: Int, _ seconds: Double) -> Double { seconds > 0 ? Double(count) / seconds : 0 }
}
