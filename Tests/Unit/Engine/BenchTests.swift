import Foundation
import TestSupport
import Testing

/// `engine bench`, as scripts see it.
@Suite("Bench") struct BenchTests {
    private let folder: TemporaryFolder
    private let model: String

    init() throws {
        folder = try TemporaryFolder()
        model = try TestModel.llama(.q8_0).write(to: folder.path("model.gguf"))
    }

    private func bench(_ arguments: String...) throws -> Tool.Result {
        try Tool.run("engine", ["bench", "-m", model, "-t", "1", "-r", "2"] + arguments)
    }

    private struct Row: Decodable, Equatable {
        var devices: String
        var is_simulated: Bool
        var n_prompt: Int
        var n_gen: Int
        var n_depth: Int
        var n_threads: Int
        var avg_ts: Double
        var samples_ts: [Double]
        var samples_ns: [Int]
        var model_bytes: Int
        var context_bytes: Int
        var compute_bytes: Int
        var wait_share: Double
    }

    @Test func everyCombinationIsARow() throws {
        let result = try bench(
            "-p", "4-8*2", "-n", "3,0", "-d", "0,20", "--device", "cpu", "--device", "sim0,sim1", "-o", "json"
        )
        #expect(result.exitCode == 0)
        // Said where people look, and in every row.
        #expect(result.errors.contains("says nothing about a DSP"))
        let rows = try JSONDecoder().decode([Row].self, from: Data(result.output.utf8))
        #expect(
            rows.map(\.devices) == Array(repeating: "cpu", count: 6) + Array(repeating: "sim0,sim1", count: 6)
        )
        for device in [rows[..<6], rows[6...]] {
            #expect(
                device.map(\.n_prompt) == [4, 8, 0, 4, 8, 0] && device.map(\.n_gen) == [0, 0, 3, 0, 0, 3])
            #expect(device.map(\.n_depth) == [0, 0, 0, 20, 20, 20])
        }
        for row in rows {
            #expect(row.is_simulated == (row.devices != "cpu") && row.n_threads == 1)
            #expect(row.samples_ts.count == 2 && row.samples_ns.allSatisfy { $0 > 0 })
            #expect(abs(row.avg_ts - (row.samples_ts[0] + row.samples_ts[1]) / 2) < 1e-6 * row.avg_ts)
            let tokens = Double(row.n_prompt + row.n_gen)
            #expect(
                abs(row.samples_ts[0] - tokens / Double(row.samples_ns[0]) * 1e9) < 1e-3 * row.samples_ts[0])
            // Keys and values of two layers: two heads of 16 floats each.
            #expect(row.context_bytes == (row.n_depth + 8) * 2 * 2 * 2 * 16 * 4)
            #expect(row.model_bytes > 0 && row.compute_bytes > 0 && row.wait_share == 0)
        }
    }

    @Test func formatsSayTheSame() throws {
        let arguments = [
            "bench", "-m", model, "-t", "1", "-r", "2", "-p", "4", "-n", "2", "--device", "cpu", "-o",
        ]
        let lines = try Tool.run("engine", arguments + ["jsonl"]).output.split(separator: "\n")
        #expect(lines.count == 2)
        for line in lines { _ = try JSONDecoder().decode(Row.self, from: Data(line.utf8)) }
        let table = try Tool.run("engine", arguments + ["csv"]).output.split(separator: "\n")
        #expect(table.count == 3 && table[0].hasPrefix("cpu_info,backends,devices,"))
        #expect(table[1].split(separator: "\",\"").count == table[0].split(separator: ",").count)
        let markdown = try Tool.run("engine", arguments + ["md"]).output.split(separator: "\n")
        #expect(markdown.count == 4 && markdown[2].contains(" pp4 ") && markdown[3].contains(" tg2 "))
        #expect(Set(markdown.map { $0.count { $0 == "|" } }).count == 1)
    }

    @Test(arguments: [
        ["-p", "0", "-n", "0"], ["-p", "4-"], ["-p", "-4"], ["-p", "8-4"], ["-p", "4-8*1"], ["-p", "0-8*2"],
        ["-p", "1-100000"], ["-p", "+4"], ["-n", ""], ["-n", "1,,2"], ["-r", "0"], ["-b", "0"],
        ["-t", "2000"],
        ["-o", "xml"], ["--device", "dsp"], ["-d", "99999999999999999999"],
    ]) func wrongArgumentsAreUsage(arguments: [String]) throws {
        let result = try Tool.run("engine", ["bench", "-m", model] + arguments)
        #expect(result.exitCode == 64 && result.output == "", "\(result)")
    }

    @Test func aModelThatIsNotThere() throws {
        let result = try Tool.run("engine", ["bench", "-m", folder.path("none.gguf"), "--device", "cpu"])
        #expect(result.exitCode == 1 && result.output == "" && result.errorLines.count == 1)
    }
}
