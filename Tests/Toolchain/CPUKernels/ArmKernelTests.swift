import Foundation
import Testing

/// The kernels compiled for arm64 and run under qemu.
@Suite("CPU kernels on arm64", .enabled(if: ArmTools.areInstalled, ArmTools.missing))
struct ArmKernelTests {
    @Test("every format of every level is the float64 product", arguments: Compiler.allCases)
    func products(_ compiler: Compiler) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = try compiler.compile(ArmKernelProgram.source, in: folder)
        for run in compiler.runs {
            let levels = run.levels.map(String.init)
            let result = try ArmTools.run(["qemu-aarch64", "-cpu", run.processor, program] + levels)
            #expect(result.status == 0, "\(run.processor): \(result.output)")
            #expect(result.output.contains("best \(run.best)\n"), "\(run.processor): \(result.output)")
            #expect(result.output.contains("compared \(1400 * levels.count) products, 0 faults"))
        }
    }

    /// A tile's loop that is not unrolled, or whose sums leave the registers, takes twice as many instructions.
    @Test(
        "a row of a batch takes no more instructions than a tile's loop needs",
        arguments: ["clang", "clang-19"])
    func instructions(_ compiler: String) throws {
        let script = URL(fileURLWithPath: #filePath)
            .appendingPathComponent("../../../bench-arm-instructions").standardizedFileURL.path
        let formats = ["Q4_0", "Q4_K", "F16"]
        let result = try ArmTools.run(["CLANG=" + compiler, script] + formats)
        try #require(result.status == 0, "\(result.output)")
        // | level | format | one row | a row of a batch | taking apart |
        let lines = result.output.split(separator: "\n").dropFirst(2).map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        #expect(lines.count == 2 * formats.count, "\(result.output)")
        for line in lines where line.count == 5 {
            let counts = try line[2...].map { try #require(Double($0)) }
            let bounds = line[1] == "F16" ? [1.4, 0.45, 2.5] : [0.55, 0.155, 0.9]
            for (count, bound) in zip(counts, bounds) {
                #expect(count > 0 && count < bound, "\(compiler): \(line.joined(separator: " "))")
            }
        }
    }

    enum Compiler: String, CaseIterable {
        case gcc = "aarch64-linux-gnu-gcc"
        case clang = "clang-19"

        /// A processor without the newer instructions shows that its levels do without them.
        var runs: [(processor: String, best: String, levels: [Int])] {
            switch self {
            case .gcc: [("max", "neon-i8mm", [5, 6])]
            case .clang:
                [
                    ("max", "neon-i8mm", [6]), ("neoverse-n1", "neon-dotprod", [5]),
                    ("cortex-a53", "portable", [0]),
                ]
            }
        }

        func compile(_ source: String, in folder: URL) throws -> String {
            let kernels = URL(fileURLWithPath: #filePath)
                .appendingPathComponent("../../../../Sources/Inference/CPUKernels").standardizedFileURL.path
            let sources = try FileManager.default.contentsOfDirectory(atPath: kernels)
                // Repacking is written for the compiler that builds the package, clang.
                .filter { $0.hasSuffix(".c") && (self == .clang || $0 != "repack.c") }
                .map { kernels + "/" + $0 }
            let main = folder.appendingPathComponent("main.c").path
            let program = folder.appendingPathComponent("compare").path
            try source.write(toFile: main, atomically: true, encoding: .utf8)
            let target = self == .clang ? ["--target=aarch64-linux-gnu"] : []
            let compiled = try ArmTools.run(
                [rawValue] + target + ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-static"]
                    + ["-I", kernels + "/include", "-o", program, main] + sources + ["-lm"])
            try #require(compiled.status == 0, "\(compiled.output)")
            return program
        }
    }
}

enum ArmTools {
    static let missing: Comment = "needs aarch64-linux-gnu-gcc, clang-19 and qemu-aarch64"

    static var areInstalled: Bool {
        [["aarch64-linux-gnu-gcc", "--version"], ["clang-19", "--version"], ["qemu-aarch64", "--version"]]
            .allSatisfy { (try? run($0))?.status == 0 }
    }

    static func run(_ command: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
