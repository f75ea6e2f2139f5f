import Foundation
import HexagonIDL
import TestSupport
import Testing

/// The example of an app: built by its own script with the build plugin, and run in the ways that it offers.
@Suite("Calculator example", .needsVirtualDSP, .serialized)
struct CalculatorTests {
    private static let example = ProgramSources.package + "/Examples/Calculator"

    /// What every way prints, after the line about the place.
    private static let results = """
        2 * (3 + 4) - 0.5 = 13.5
        2 * (3 + has no value: AEE_EBADPARM
        [3, 1, 4, 1, 5, 9, 2, 6] add up to 31
        one after the other: [3, 4, 8, 9, 14, 23, 25, 31]
        1048576 numbers halved where they lie: the largest is 524287.5, the last 524287.5

        """

    private static let folder = ProgramSources.package + "/.build/calculator/release"

    /// What the example's script prints; it builds everything, but finds the virtual DSP beside this test.
    private static let script = Result {
        try run("/usr/bin/env", ["HEXAGONRPC_TOOLS=\(Tool.folder)", "\(example)/run"])
    }

    /// Runs what the script has built.
    private func calculator(_ expression: String) throws -> String {
        _ = try Self.script.get()
        let result = try Tool.run(
            "virtual-dsp",
            ["run", "--", "\(Self.folder)/calculator", "--transport", "kernel", expression],
            environment: ["DSP_LIBRARY_PATH": Self.folder])
        try #require(result.exitCode == 0, "\(result.errors)")
        return Self.withoutNumbers(result.output)
    }

    /// Codes of results are in parentheses; a DSP's are offset.
    private static func withoutNumbers(_ text: String) -> String {
        text.replacing(/AEE_EBADPARM \([^)]*\)/, with: "AEE_EBADPARM")
    }

    @Test("On the virtual DSP, behind the kernel's interface")
    func kernel() throws {
        let script = try Self.script.get()
        try #require(script.status == 0, "\(script.errors)")
        #expect(
            Self.withoutNumbers(script.output) == "This is a calculator built for the host.\n" + Self.results)
        let other = "7 - 2 * -(1.5 + 0.5) - 0.25"
        #expect(try calculator(other).contains("\n\(other) = 10.75\n"))
        #expect(try calculator("2 +").contains("\n2 + has no value: AEE_EBADPARM\n"))
        let deep = String(repeating: "(", count: 100_000) + "1"
        #expect(try calculator(deep).contains("1 has no value: AEE_EBADPARM\n"))
    }

    @Test("A process that dies on the DSP is replaced by another, and the work done again")
    func recovery() throws {
        _ = try Self.script.get()
        // The DSP is healthy again as soon as the program says what happened.
        let command = """
            { "$0" --transport kernel 2>&1 >"$1" | while read -r line; do
                echo "$line"; case $line in *lost*) read -r _ </dev/virtual-dsp/healthy;; esac
            done; }
            cat "$1"
            """
        let scratch = try ScratchDirectory()
        let result = try Tool.run(
            "virtual-dsp",
            [
                "run", "--scenario", "process-death=3", "--", "sh", "-c", command,
                "\(Self.folder)/calculator", "\(scratch.path)/output",
            ], environment: ["DSP_LIBRARY_PATH": Self.folder])
        try #require(result.exitCode == 0, "\(result.errors)")
        #expect(result.output.contains("The session is lost ("), "\(result.output)")
        #expect(
            Self.withoutNumbers(result.output).hasSuffix(
                "This is a calculator built for the host.\n" + Self.results),
            "\(result.output)")
    }

    @Test("In the app's own process, on the simulator")
    func simulator() throws {
        _ = try Self.script.get()
        let result = try run("\(Self.folder)/calculator", ["--transport", "simulator"])
        #expect(result.status == 0)
        #expect(
            Self.withoutNumbers(result.output) == "This is a calculator built for the host.\n" + Self.results)
    }

    @Test("The checked-in C of the DSP's side is what the compiler generates today")
    func generated() throws {
        let folder = Self.example + "/Sources"
        let unit = try IDLCompiler { FileManager.default.contents(atPath: $0).map(Array.init) }
            .compile("\(folder)/calculator/calculator.idl")
        #expect(unit.warnings.isEmpty)
        func text(_ name: String) throws -> String {
            try String(contentsOfFile: "\(folder)/CalculatorProgram/\(name)", encoding: .utf8)
        }
        #expect(try CHeader.generate(unit) == text("calculator.h"))
        #expect(try CSkel.generate(unit) == text("calculator_skel.c"))
    }

    @Test(
        "The DSP's side is Hexagon code, which the virtual DSP runs",
        .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing), arguments: ["v66", "v68"])
    func hexagon(arch: String) throws {
        _ = try Self.script.get()
        try HexagonBuild.make()
        let scratch = try ScratchDirectory()
        let library = "\(scratch.path)/libcalculator_skel.so"
        try HexagonBuild.make([
            "--skel", "calculator_skel", Self.example + "/Sources/CalculatorProgram", "--arch", arch,
            "--output",
            scratch.path,
        ])
        let toolchain = try #require(HexagonToolchain.current)
        let exports = try run(toolchain.nm, ["-D", "--format=just-symbols", "--defined-only", library])
        #expect(exports.output == "calculator_skel_handle_invoke\n")
        let imports = try run(toolchain.nm, ["-D", "--format=just-symbols", "--undefined-only", library])
        #expect(Set(imports.output.split(separator: "\n")) == ["HAP_mmap_get", "HAP_mmap_put"])

        let result = try Tool.run(
            "virtual-dsp",
            [
                "run", "--dsp", "qemu", "--arch", arch, "--", "\(Self.folder)/calculator", "--transport",
                "kernel",
            ],
            environment: HexagonBuild.environment.merging(["DSP_LIBRARY_PATH": scratch.path]) { $1 })
        try #require(result.exitCode == 0, "\(result.errors)")
        #expect(
            Self.withoutNumbers(result.output)
                == "This is a calculator for Hexagon \(arch).\n" + Self.results)
    }

    @Test("A mistake in an interface definition is a build error at its line")
    func mistake() throws {
        let scratch = try ScratchDirectory()
        let root = URL(fileURLWithPath: "\(scratch.path)/app")
        let sources = root.appendingPathComponent("Sources/app")
        try FileManager.default.createDirectory(at: sources, withIntermediateDirectories: true)
        let manifest = """
            // swift-tools-version: 6.1
            import PackageDescription
            let package = Package(
                name: "app",
                dependencies: [.package(name: "HexagonRPC", path: "\(ProgramSources.package)")],
                targets: [
                    .executableTarget(
                        name: "app", dependencies: [.product(name: "HexagonRPC", package: "HexagonRPC")],
                        plugins: [.plugin(name: "HexagonIDLPlugin", package: "HexagonRPC")])
                ])
            """
        try manifest.write(
            to: root.appendingPathComponent("Package.swift"), atomically: true, encoding: .utf8)
        try "print(Wrong<RemoteHandle>.uri)".write(
            to: sources.appendingPathComponent("main.swift"), atomically: true, encoding: .utf8)
        let definition = sources.appendingPathComponent("wrong.idl")
        try "interface wrong {\n    long add(out long sum);\n};\n".write(
            to: definition, atomically: true, encoding: .utf8)
        // The scratch folder of the other tests has the compiler already.
        _ = try Self.script.get()
        let result = try run(
            tool("swift") ?? "swift",
            [
                "build", "--package-path", root.path, "-c", "release", "--scratch-path",
                "\(ProgramSources.package)/.build/calculator", "--target", "app",
            ])
        #expect(result.status != 0)
        #expect(
            (result.output + result.errors).contains("wrong.idl:2:14: error: "),
            "\(result.output)\n\(result.errors)")
    }
}
