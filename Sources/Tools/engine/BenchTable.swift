import CPUKernels
import Engine
import Foundation
import Runtime

/// A measurement with what was measured; the names are llama-bench's where it has the same.
struct BenchRow: Encodable {
    var version = 1
    var cpu_info: String
    var backends: String
    var devices: String
    /// Its time says nothing about hardware.
    var is_simulated: Bool
    var model_filename: String
    var model_type: String
    var model_size: Int
    var model_n_params: Int
    var n_batch: Int
    var n_threads: Int
    var type_k: String
    var type_v: String
    var place: String
    var n_prompt: Int
    var n_gen: Int
    var n_depth: Int
    var test_time: String
    var avg_ns: Int
    var stddev_ns: Int
    var avg_ts: Double
    var stddev_ts: Double
    var samples_ns: [Int]
    var samples_ts: [Double]
    var model_bytes: Int
    var context_bytes: Int
    var compute_bytes: Int
    var load_ms: Double
    /// The part of the CPU threads' time in which they waited for each other; 0 where devices compute.
    var wait_share: Double

    init(
        _ path: String, _ model: LanguageModel, _ benchmark: BenchmarkTest, batch: Int, place: Placement,
        cache: CacheOptions, seconds: [Double], start: Date
    ) {
        let summary = model.summary
        let reports = model.devices
        let used = reports.count > 1 && place != .none ? Array(reports.dropFirst()) : [reports[0]]
        cpu_info = Self.processorName
        backends = used.map(\.kind).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
            .joined(separator: ",")
        devices = used.map(\.name).joined(separator: ",")
        is_simulated = used.contains { $0.kind == "simulator" || $0.kind == "qemu" }
        (model_filename, model_type) = (path, summary.type)
        (model_size, model_n_params) = (summary.byteCount, summary.parameterCount)
        (n_batch, n_threads) = (batch, model.threads)
        (type_k, type_v) = (cache.keyType.rawValue, cache.valueType.rawValue)
        self.place = place.rawValue
        (n_prompt, n_gen, n_depth) = (benchmark.promptTokens, benchmark.generatedTokens, benchmark.depth)
        test_time = start.formatted(.iso8601)
        let tokens = Double(benchmark.promptTokens + benchmark.generatedTokens)
        samples_ns = seconds.map { Int($0 * 1e9) }
        samples_ts = seconds.map { tokens / max($0, 1e-9) }
        let (time, speed) = (Statistics(seconds.map { $0 * 1e9 }), Statistics(samples_ts))
        (avg_ns, stddev_ns) = (Int(time.mean), Int(time.deviation))
        (avg_ts, stddev_ts) = (speed.mean, speed.deviation)
        model_bytes = reports.reduce(0) { $0 + $1.modelBytes }
        context_bytes = reports.reduce(0) { $0 + $1.contextBytes }
        compute_bytes = reports.reduce(0) { $0 + $1.computeBytes }
        load_ms = model.loadSeconds * 1000
        wait_share = model.profile(of: benchmark.promptTokens > 0 ? .prompt : .generation).waitShare
    }

    /// As in tables: `pp512 @ d2048`.
    var test: String {
        BenchmarkTest(promptTokens: n_prompt, generatedTokens: n_gen, depth: n_depth).name
    }

    /// What the processor calls itself, where it does.
    private static let processorName: String = {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        let name = line?.split(separator: ":", maxSplits: 1).last.map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        return name ?? String(cString: cpu_kernels_name(cpu_kernels_best()))
    }()

    /// Name and text of each field, for CSV; without the version of the object and the samples.
    var fields: [(name: String, text: String)] {
        Mirror(reflecting: self).children.compactMap { name, value in
            guard let name, name != "version", !(value is [Any]) else { return nil }
            return (name, "\(value)")
        }
    }
}

private struct Statistics {
    var mean: Double
    /// Of the sample: with n - 1.
    var deviation: Double

    init(_ values: [Double]) {
        let mean = values.reduce(0, +) / Double(max(values.count, 1))
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        self.mean = mean
        deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
    }
}

/// Prints measurements as they come.
struct BenchTable {
    private let format: Bench.Format
    private var rows = 0
    private var hasSimulated = false

    init(_ format: Bench.Format) { self.format = format }

    mutating func add(_ row: BenchRow) throws {
        let isFirst = rows == 0
        rows += 1
        hasSimulated = hasSimulated || row.is_simulated
        switch format {
        case .md:
            if isFirst {
                let titles = [
                    "model", "size", "params", "device", "threads", "test", "t/s", "wait %", "model MB",
                    "context MB", "compute MB",
                ]
                printNow(
                    Self.line(titles) + Self.line(titles.map { String(repeating: "-", count: $0.count) }))
            }
            func megabytes(_ bytes: Int) -> String { String(format: "%.2f", Double(bytes) / 1e6) }
            printNow(
                Self.line([
                    row.model_type, megabytes(row.model_size) + " MB",
                    String(format: "%.2f M", Double(row.model_n_params) / 1e6),
                    row.devices + (row.is_simulated ? " (simulated)" : ""), "\(row.n_threads)", row.test,
                    String(format: "%.2f ± %.2f", row.avg_ts, row.stddev_ts),
                    String(format: "%.1f", row.wait_share * 100), megabytes(row.model_bytes),
                    megabytes(row.context_bytes), megabytes(row.compute_bytes),
                ]))
        case .json:
            printNow(isFirst ? "[\n  " : ",\n  ")
            printNow(try Self.object(row))
        case .jsonl:
            printNow(try Self.object(row) + "\n")
        case .csv:
            if isFirst { printNow(row.fields.map(\.name).joined(separator: ",") + "\n") }
            printNow(row.fields.map { Self.quoted($0.text) }.joined(separator: ",") + "\n")
        }
    }

    func finish() {
        if format == .json { printNow(rows == 0 ? "[]\n" : "\n]\n") }
        if hasSimulated {
            printError("simulated: computed on this machine's CPU; the time says nothing about a DSP")
        }
    }

    static func object(_ row: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(row), as: UTF8.self)
    }

    static func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }

    static func quoted(_ text: String) -> String {
        "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }
}
