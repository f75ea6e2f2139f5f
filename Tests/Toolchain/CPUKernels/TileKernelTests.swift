import CPUKernels
import Foundation
import Testing

/// Batches in bfloat16 on x86-64, compiled and run on their own: every format against its float64 product.
///
/// The level of tiles (AMX) runs everywhere with its instructions emulated, and on processors that have them.
@Suite("CPU kernels of batches on x86-64", .enabled(if: TileTools.arePresent, TileTools.missing))
struct TileKernelTests {
    @Test("every level's batches are near the float64 product, with the same bits for every cut")
    func batches() throws {
        try TileTools.inFolder { folder in
            let program = try TileTools.compile("clang-19", [], in: folder)
            for level in [CPU_KERNELS_AVX512_VNNI, CPU_KERNELS_AVX512_BF16, CPU_KERNELS_AMX] {
                let result = try ArmTools.run([program, "\(level)"])
                if level == CPU_KERNELS_AMX && result.status == 2 {
                    print("no tiles on this processor: their level ran emulated only")
                    continue
                }
                #expect(result.status == 0 && result.output.hasSuffix(TileTools.summary), "\(result.output)")
            }
        }
    }

    @Test("tiles, emulated", arguments: ["clang-19", "gcc"])
    func emulation(compiler: String) throws {
        guard (try? ArmTools.run([compiler, "--version"]))?.status == 0 else {
            print("no \(compiler): not compiled with it")
            return
        }
        try TileTools.inFolder { folder in
            let program = try TileTools.compile(compiler, ["-DAMX_EMULATED"], in: folder)
            let result = try ArmTools.run([program, "emulated"])
            #expect(result.status == 0 && result.output.hasSuffix(TileTools.summary), "\(result.output)")
        }
    }
}

enum TileTools {
    static let missing: Comment = "needs clang-19 and a processor with AVX-512 and its products of bfloat16"
    static let summary = "17526 products, 0 faults\n"

    static var arePresent: Bool {
        cpu_kernels_get(CInt(CPU_KERNELS_AVX512_BF16)) != nil
            && (try? ArmTools.run(["clang-19", "--version"]))?.status == 0
    }

    static func inFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    /// The kernels with `Fixtures/batches.c` as their program.
    static func compile(_ compiler: String, _ options: [String], in folder: URL) throws -> String {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let kernels = here.appendingPathComponent("../../../Sources/Inference/CPUKernels").standardizedFileURL
            .path
        let sources = try FileManager.default.contentsOfDirectory(atPath: kernels)
            // Repacking is written for the compiler that builds the package, clang.
            .filter { $0.hasSuffix(".c") && $0 != "repack.c" }.map { kernels + "/" + $0 }
        let program = folder.appendingPathComponent("batches").path
        let result = try ArmTools.run(
            [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra"] + options
                + ["-I", kernels + "/include", "-o", program, here.path + "/Fixtures/batches.c"] + sources + [
                    "-lm"
                ])
        try #require(result.status == 0, "\(result.output)")
        return program
    }
}
