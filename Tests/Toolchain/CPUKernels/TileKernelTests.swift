import CPUKernels
import Foundation
import Testing

/// Batches on x86-64, compiled and run on their own: every format and level against the float64 product.
///
/// Where the processor has no tiles (AMX) the instructions of that level are emulated, as they were compiled.
@Suite("CPU kernels of batches on x86-64", .enabled(if: TileTools.arePresent, TileTools.missing))
struct TileKernelTests {
    @Test(
        "every level's batches are near the float64 product, with the same bits for every cut",
        arguments: ["clang-19", "gcc"])
    func batches(compiler: String) throws {
        guard TileTools.isPresent(compiler) else {
            print("no \(compiler): not compiled with it")
            return
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = try TileTools.compile(compiler, in: folder)
        let levels = (CPU_KERNELS_PORTABLE...CPU_KERNELS_AMX).map { "\($0)" }
        let absent = try (levels + ["emulated"]).filter { level in
            let result = try ArmTools.run([program, level])
            if result.status == 2 { return true }
            #expect(
                result.status == 0 && result.output.hasSuffix(" products, 0 faults\n"), "\(result.output)")
            return false
        }
        // A processor has tiles, or lets them be emulated.
        #expect(absent.count == 1 && levels.dropLast().allSatisfy { !absent.contains($0) })
    }
}

enum TileTools {
    static let missing: Comment = "needs clang-19 and a processor with AVX-512 and its products of bfloat16"

    static var arePresent: Bool {
        cpu_kernels_get(CInt(CPU_KERNELS_AVX512_BF16)) != nil && isPresent("clang-19")
    }

    static func isPresent(_ compiler: String) -> Bool {
        (try? ArmTools.run([compiler, "--version"]))?.status == 0
    }

    /// The kernels with `Fixtures/batches.c` as their program.
    static func compile(_ compiler: String, in folder: URL) throws -> String {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let kernels = here.appendingPathComponent("../../../Sources/Inference/CPUKernels").standardizedFileURL
        let sources = try FileManager.default.contentsOfDirectory(atPath: kernels.path)
            // Repacking is written for the compiler that builds the package, clang.
            .filter { $0.hasSuffix(".c") && $0 != "repack.c" }.map { kernels.path + "/" + $0 }
        let program = folder.appendingPathComponent("batches").path
        let options = [
            "-std=gnu11", "-O2", "-Wall", "-Wextra", "-I", kernels.path + "/include", "-o", program,
        ]
        let result = try ArmTools.run(
            [compiler] + options + [here.path + "/Fixtures/batches.c"] + sources + ["-lm"])
        try #require(result.status == 0, "\(result.output)")
        return program
    }
}
