import Engine
import Foundation
import TestSupport
import Testing

/// `engine bench --kernels`, as scripts see it. Speeds are not judged here.
@Suite("Kernel bench") struct KernelBenchTests {
    private func bench(_ arguments: String...) throws -> Tool.Result {
        try Tool.run("engine", ["bench", "--kernels", "-r", "1"] + arguments)
    }

    private struct Row: Decodable {
        var format: String
        var kernels: String
        var n_threads: Int
        var n_columns: Int
        var roof_kind: String
        var roof_name: String
        var weight_bytes: Int
        var measured: Double
        var roof: Double
        var share: Double
        var compared: String?
        var speedup: Double?
        var samples: [Double]
    }

    @Test func everyCombinationIsARow() throws {
        let result = try bench(
            "q4_0", "IQ2_BN", "-t", "1,2", "-p", "16", "--compare", "portable", "-o", "json")
        #expect(result.exitCode == 0, "\(result.errors)")
        let rows = try JSONDecoder().decode([Row].self, from: Data(result.output.utf8))
        #expect(
            rows.map(\.format) == ["Q4_0", "Q4_0", "IQ2_BN", "IQ2_BN", "Q4_0", "Q4_0", "IQ2_BN", "IQ2_BN"])
        #expect(rows.map(\.n_threads) == [1, 1, 1, 1, 2, 2, 2, 2])
        #expect(rows.map(\.n_columns) == [1, 16, 1, 16, 1, 16, 1, 16])
        for row in rows {
            #expect(row.kernels == InstructionSet.best.name && row.compared == "portable")
            #expect(row.roof_kind == (row.n_columns == 1 ? "bandwidth" : "arithmetic"))
            // Far above the caches.
            #expect(row.weight_bytes >= 256 << 20)
            #expect(row.measured > 0 && row.samples == [row.measured] && row.speedup.map { $0 > 0 } == true)
            #expect(abs(row.share * row.roof - row.measured) <= 1e-6 * row.measured || row.roof == 0)
        }
    }

    @Test func formatsSayTheSame() throws {
        let markdown = try bench("Q8_0", "-t", "1", "-p", "0").output.split(separator: "\n")
        #expect(
            markdown.count == 3 && markdown[2].hasPrefix("| Q8_0 | \(InstructionSet.best.name) | 1 | 1 | "))
        #expect(Set(markdown.map { $0.count { $0 == "|" } }).count == 1)
        let table = try bench("Q8_0", "-t", "1", "-p", "0", "-o", "csv", "--cpu-features", "portable").output
            .split(separator: "\n")
        #expect(
            table.count == 2 && table[0].hasPrefix("format,kernels,") && table[1].contains("\"portable\""))
        let cells = table[1].components(separatedBy: "\",\"")
        #expect(cells.count == table[0].components(separatedBy: ",").count)
        #expect(cells.suffix(2) == ["", "\""])
    }

    @Test(arguments: [
        ["Q4_7"], ["I8"], ["Q4_0", "-m", "model.gguf"], ["--compare", "x"], ["-p", "5000"], ["-t", "5000"],
        ["--cpu-features", "x"], ["-r", "0"],
    ]) func wrongArgumentsAreUsage(arguments: [String]) throws {
        let result = try Tool.run("engine", ["bench", "--kernels"] + arguments)
        #expect(result.exitCode == 64 && result.output == "", "\(result)")
    }

    @Test func typesGoWithKernels() throws {
        let result = try Tool.run("engine", ["bench", "-m", "model.gguf", "Q4_0"])
        #expect(result.exitCode == 64 && result.errors.contains("--kernels"))
        let none = try Tool.run("engine", ["bench"])
        #expect(none.exitCode == 64 && none.errors.contains("'--model <model>'"))
        #if arch(x86_64)
            let foreign = try bench("Q4_0", "--cpu-features", "neon-i8mm")
            #expect(foreign.exitCode == 1 && foreign.errorLines.count == 1)
        #endif
    }
}
