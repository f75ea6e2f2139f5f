import Foundation
import Testing

/// The DSP program's sources and the C files that the tests compile with them.
enum ProgramSources {
    static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    static let program = package + "/Sources/HTP/HTPProgram"
    static let fixtures = package + "/Tests/Toolchain/HTPProgram/Fixtures"

    static let includes = [
        "-I\(program)", "-I\(program)/include", "-I\(package)/Sources/Shims/CRemote/include", "-I\(fixtures)",
    ]

    /// Every C file of the program.
    static func all() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: program)
            .filter { $0.hasSuffix(".c") }.sorted().map { "\(program)/\($0)" }
    }

    /// The files that make batches run, without the system under them and the calls above.
    static func operations() throws -> [String] {
        try all().map { URL(fileURLWithPath: $0).lastPathComponent }.filter { name in
            !["workers.c", "resources.c", "submit.c", "queue.c", "methods.c", "htp_skel.c"].contains(name)
                && (!name.hasPrefix("platform_") || name == "platform_dma.c")
        }
    }
}

/// A program of the search path.
func tool(_ names: String...) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    return names.lazy.flatMap { name in folders.map { "\($0)/\(name)" } }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
}

/// An LLVM that makes Hexagon code.
struct HexagonToolchain {
    let clang, linker, nm, readelf: String

    static let missing: Comment = "needs clang with the hexagon target, ld.lld, llvm-nm and llvm-readelf"

    /// The first of clang-22 … clang-19 and clang whose targets include Hexagon, with its own binary tools.
    static let current: HexagonToolchain? = {
        for suffix in ["-22", "-21", "-20", "-19", ""] {
            guard let clang = tool("clang\(suffix)"),
                let targets = try? run(clang, ["--print-targets"]), targets.output.contains("hexagon"),
                let linker = tool("ld.lld\(suffix)", "ld.lld"),
                let nm = tool("llvm-nm\(suffix)", "llvm-nm"),
                let readelf = tool("llvm-readelf\(suffix)", "llvm-readelf")
            else { continue }
            return HexagonToolchain(clang: clang, linker: linker, nm: nm, readelf: readelf)
        }
        return nil
    }()

    /// Compiles C for vectors of 128 bytes, without a warning; returns the objects' paths.
    func compile(
        _ sources: [String], for arch: String, _ flags: [String], in scratch: ScratchDirectory
    ) throws -> [String] {
        try sources.map { source in
            let object = "\(scratch.path)/\(URL(fileURLWithPath: source).lastPathComponent).\(arch).o"
            try succeed(
                clang,
                [
                    "--target=hexagon", "-mcpu=hexagon\(arch)", "-mhvx", "-mhvx-length=128B",
                    "-ffreestanding", "-O2", "-std=c11", "-Wall", "-Wextra", "-Werror",
                ] + flags + ProgramSources.includes + ["-c", source, "-o", object])
            return object
        }
    }
}

/// One way to build and run a fixture together with files of the DSP program.
struct FixtureBuild: CustomTestStringConvertible, Sendable {
    enum Machine: Sendable {
        case host(compiler: String, flags: [String], runner: [String])
        case hexagon(arch: String, flags: [String] = [])
    }

    let testDescription: String
    let machine: Machine

    /// Builds that execute Hexagon code. `qemu-hexagon -cpu v67` is the newest of qemu 7.2; code for v68 that
    /// keeps to older instructions runs when its file says v67.
    static let hexagon = ["v66", "v67", "v68"].map {
        FixtureBuild(testDescription: "Hexagon \($0)", machine: .hexagon(arch: $0))
    }

    /// Builds for this machine: each compiler that is there, with and without its vector instructions.
    static let host: [FixtureBuild] = {
        var builds: [FixtureBuild] = []
        var seen: Set<String> = []
        for name in ["cc", "gcc", "clang", "clang-19"] {
            guard let compiler = tool(name),
                seen.insert(URL(fileURLWithPath: compiler).resolvingSymlinksInPath().path).inserted
            else { continue }
            builds.append(
                FixtureBuild(
                    testDescription: name, machine: .host(compiler: compiler, flags: [], runner: [])))
            #if arch(x86_64)
                builds.append(
                    FixtureBuild(
                        testDescription: "\(name) without SSE2 code",
                        machine: .host(compiler: compiler, flags: ["-U__SSE2__"], runner: [])))
                if hasVNNI {
                    builds.append(
                        FixtureBuild(
                            testDescription: "\(name) with AVX-512 VNNI",
                            machine: .host(
                                compiler: compiler,
                                flags: ["f", "bw", "dq", "vl", "vnni"].map { "-mavx512\($0)" }, runner: [])))
                }
            #endif
        }
        return builds
    }()

    /// Whether this processor has what `matmul_fastest.c` asks for.
    private static let hasVNNI =
        (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.contains("avx512_vnni") ?? false

    /// The emulation on 64-bit Arm, under its own emulator where this machine is not one.
    static let arm64: FixtureBuild? = {
        guard let compiler = tool("aarch64-linux-gnu-gcc") else { return nil }
        #if arch(arm64)
            let (flags, runner): ([String], [String]) = ([], [])
        #else
            guard let emulator = tool("qemu-aarch64", "qemu-aarch64-static") else { return nil }
            // The emulator finds no shared libraries of the other machine.
            let (flags, runner) = (["-static"], [emulator])
        #endif
        return FixtureBuild(
            testDescription: "arm64",
            machine: .host(compiler: compiler, flags: flags, runner: runner))
    }()

    static let canRunHexagon = HexagonToolchain.current != nil && tool("qemu-hexagon") != nil
    static let hexagonMissing: Comment = "needs qemu-hexagon, ld.lld and clang with the hexagon target"
    static let arm64Missing: Comment = "needs aarch64-linux-gnu-gcc and qemu-aarch64"

    /// Builds `fixture` with these files of the program and returns what it writes for `input`.
    func output(of fixture: String, with files: [String] = [], input: Data = Data()) throws -> Data {
        let scratch = try ScratchDirectory()
        let sources =
            ["\(ProgramSources.fixtures)/\(fixture)"] + files.map { "\(ProgramSources.program)/\($0)" }
        let program = "\(scratch.path)/program"
        var command = [program]
        switch machine {
        case .host(let compiler, let flags, let runner):
            // gcc notes, once per function, that it passes vectors otherwise than it did before 4.6.
            try succeed(
                compiler,
                ["-O1", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-psabi"] + flags
                    + ProgramSources.includes + sources + ["-o", program])
            command = runner + command
        case .hexagon(let arch, let flags):
            let toolchain = try #require(HexagonToolchain.current)
            // No global pointer is set up, so there is no small data.
            let objects = try toolchain.compile(sources, for: arch, ["-G0"] + flags, in: scratch)
            try succeed(toolchain.linker, ["-o", program] + objects)
            if arch == "v68" { try Self.sayItIsForV67(program) }
            command = [try #require(tool("qemu-hexagon")), "-cpu", "v67"] + command
        }
        return try execute(command, input: input, in: scratch)
    }

    /// Changes e_flags, the word at byte 36 of a 32-bit ELF header.
    private static func sayItIsForV67(_ program: String) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: program))
        try file.seek(toOffset: 36)
        try file.write(contentsOf: Data([0x67, 0, 0, 0]))
        try file.close()
    }
}

/// Runs a tool that must not fail.
func succeed(_ executable: String, _ arguments: [String]) throws {
    let result = try run(executable, arguments)
    try #require(
        result.status == 0, "\(executable) \(arguments.joined(separator: " "))\n\(result.errors)")
}

/// Runs a program on bytes and returns the bytes it writes. Both lie in files: pipes could fill up.
private func execute(_ command: [String], input: Data, in scratch: ScratchDirectory) throws -> Data {
    let source = URL(fileURLWithPath: "\(scratch.path)/input")
    let destination = URL(fileURLWithPath: "\(scratch.path)/output")
    try input.write(to: source)
    try Data().write(to: destination)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    let errors = Pipe()
    process.standardInput = try FileHandle(forReadingFrom: source)
    process.standardOutput = try FileHandle(forWritingTo: destination)
    process.standardError = errors
    try process.run()
    let message = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(
        process.terminationReason == .exit && process.terminationStatus == 0,
        "\(command): status \(process.terminationStatus) \(String(decoding: message, as: UTF8.self))")
    return try Data(contentsOf: destination)
}
