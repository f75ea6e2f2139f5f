import Foundation
import Testing

/// The variant of the vector unit's floats: with emulated instructions against double precision, and as code that nothing
/// here can execute.
@Suite("Vector floats")
struct FloatVariantTests {
    struct Build: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let fixture: FixtureBuild
        /// The largest error in millionths.
        let tolerance: Double
    }

    /// Each compiler: with nearest rounding, with rounding toward zero, and with sanitizers where they work.
    static let builds: [Build] = BatchCheckerTests.builds.flatMap { build in
        [(" nearest", [], 2.0), (" toward zero", ["-DHVX_HOST_QFLOAT_CHOPS"], 12.0)].map {
            name, flags, tolerance in
            Build(
                testDescription: build.testDescription + name,
                fixture: FixtureBuild(
                    testDescription: build.testDescription,
                    machine: .host(
                        compiler: build.compiler, flags: build.flags + flags + ["-Wl,--no-as-needed", "-lm"],
                        runner: [])),
                tolerance: tolerance)
        }
    }

    @Test("kernels are close to double precision", .enabled(if: systemCompiler != nil), arguments: builds)
    func accuracy(build: Build) throws {
        let kernels = try FileManager.default.contentsOfDirectory(atPath: ProgramSources.program)
            .filter { $0.hasPrefix("float") && $0.hasSuffix(".c") }
        let output = try build.fixture.output(of: "floats.c", with: kernels)
        var names: Set<Substring> = []
        for line in String(decoding: output, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: ": ")
            let numbers = try #require(parts.last).split(separator: " ").compactMap { Double($0) }
            try #require(parts.count == 2 && numbers.count == 3, "\(line)")
            names.insert(parts[0])
            #expect(numbers[0] > 1000 && numbers[1] <= 2 && numbers[2] <= build.tolerance, "\(line)")
        }
        #expect(names.count == 24)
    }

    @Test(
        "code from v68 on has the vector unit's floats, older code has none",
        .enabled(if: HexagonToolchain.current != nil, HexagonToolchain.missing),
        arguments: ["v66", "v68", "v69", "v73"])
    func instructions(arch: String) throws {
        let toolchain = try #require(HexagonToolchain.current)
        let scratch = try ScratchDirectory()
        for file in ["floats_qfloat.c", "floats_qfloat_attention.c", "floats_qfloat_cache.c"] {
            let assembly = try toolchain.compile(
                ["\(ProgramSources.program)/\(file)"], for: arch, ["-G0", "-fPIC", "-S"], in: scratch)
            let text = try String(contentsOfFile: assembly[0], encoding: .utf8)
            for instruction in [".qf32 = vmpy(", ".qf32 = vadd(", ".sf = v"] {
                #expect(text.contains(instruction) == (arch != "v66"), "\(file): \(instruction)")
            }
        }
    }
}
