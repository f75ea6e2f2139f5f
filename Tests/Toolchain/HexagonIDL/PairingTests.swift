import Foundation
import HexagonIDL
import TestSupport
import Testing

/// Stubs in Swift and in C talk to a skel in C, in one process and through the virtual DSP, with random values
/// for every construct of the language, empty ones included.
@Suite("Stubs and skels talk to each other")
struct PairingTests {
    static let fixtures = "\(Toolchain.root)/Tests/Toolchain/VirtualDSP/Fixtures"

    static func everyUnit() throws -> IDLUnit {
        try IDLCompiler { FileManager.default.contents(atPath: $0).map(Array.init) }
            .compile("\(fixtures)/every.idl")
    }

    /// A folder with the programs of one interface.
    struct Programs {
        let folder: String
        let compiler: String
        let name: String
        let mirror: MirrorProgram

        init(_ unit: IDLUnit, in folder: String, compiler: String) throws {
            self.folder = folder
            self.compiler = compiler
            mirror = try MirrorProgram(unit)
            name = mirror.interface.name
            try GeneratedCTests.write(unit, name, to: folder)
            // Headers of what the file includes.
            for include in unit.includes where include.hasSuffix("every_base.idl") {
                let base = try IDLCompiler { FileManager.default.contents(atPath: $0).map(Array.init) }
                    .compile("\(PairingTests.fixtures)/every_base.idl")
                try GeneratedCTests.write(base, "every_base", to: folder)
            }
            try write("imp", try mirror.implementation())
            try write("client", try mirror.client())
        }

        func write(_ suffix: String, _ text: String) throws {
            try text.write(toFile: "\(folder)/\(name)_\(suffix).c", atomically: true, encoding: .utf8)
        }

        /// Compiles some of the files; returns the output's path.
        func compile(_ suffixes: [String], _ output: String, _ options: [String]) throws -> String {
            let sources = suffixes.map { "\(folder)/\(name)_\($0).c" }
            let path = "\(folder)/\(output)"
            try Toolchain.run(
                compiler,
                ["-std=gnu11", "-O2"] + GeneratedCTests.warnings + GeneratedCTests.includes
                    + ["-I" + folder, "-o", path] + sources + options)
            return path
        }

        /// What a DSP loads.
        func skel() throws -> String {
            try compile(["skel", "imp"], "lib\(name)_skel.so", ["-shared", "-fPIC"])
        }
    }

    @Test(
        "C stub, in one process", arguments: Toolchain.hostCompilers,
        [nil, LoopbackProgram.idl])
    func loopbackC(compiler: String, text: String?) throws {
        let unit = try text.map { try IDLCompiler.compile(text: $0, path: "t.idl") } ?? Self.everyUnit()
        let output = try Toolchain.withFolder { folder in
            let programs = try Programs(unit, in: folder, compiler: compiler)
            try programs.write("shortcut", MirrorProgram.shortcut(programs.name))
            // Stub and implementation have the same names; here both are in one program.
            let names = ["open", "close"] + programs.mirror.interface.methods.map(\.name)
            let renamed = names.map { "-D\(programs.name)_\($0)=stub_\(programs.name)_\($0)" }
            let strict = ["-c", "-fsanitize=undefined", "-fno-sanitize-recover=undefined"]
            let files = [("stub", renamed), ("client", renamed), ("skel", []), ("imp", []), ("shortcut", [])]
            let objects = try files.map { try programs.compile([$0], "\($0).o", $1 + strict) }
            try Toolchain.run(compiler, objects + ["-fsanitize=undefined", "-o", folder + "/loopback"])
            return try Toolchain.run(folder + "/loopback", ["600", "1"])
        }
        #expect(output == "600 rounds\n")
    }

    @Test("Swift stub, in one process", arguments: Toolchain.hostCompilers)
    func loopbackSwift(compiler: String) throws {
        try Toolchain.withFolder { folder in
            let programs = try Programs(try Self.everyUnit(), in: folder, compiler: compiler)
            try programs.write(
                "sizes",
                """
                #include <stdint.h>
                int adsp_mmap_fd_getinfo(int fd, uint32_t *length) { *length = (uint32_t)fd; return 0; }

                """)
            let library = try programs.compile(
                ["skel", "imp", "sizes"], "libevery.so", ["-shared", "-fPIC"])
            let result = try Tool.run(
                "dsp-client", ["properties", "--library", library, "--rounds", "300", "--handles"])
            #expect(result.exitCode == 0 && result.output == "300 rounds\n", "\(result.errors)")
        }
    }

    @Test("Swift stub and Swift skel")
    func swiftSkel() throws {
        let result = try Tool.run(
            "dsp-client", ["properties", "--mirror", "--rounds", "300", "--handles"])
        #expect(result.exitCode == 0 && result.output == "300 rounds\n", "\(result.errors)")
    }

    @Test("Swift stub, through the kernel's interface of the virtual DSP", .needsVirtualDSP)
    func kernel() throws {
        try Toolchain.withFolder { folder in
            try Self.run(
                ["\(Tool.folder)/dsp-client", "properties", "--transport", "kernel", "--rounds", "60"], folder
            )
        }
    }

    @Test("Swift stub, through Qualcomm's library and the virtual DSP", .needsQualcommLibrary)
    func library() throws {
        let library = "\(try #require(ForeignPrograms.qualcommFolder))/libcdsprpc.so.1"
        try Toolchain.withFolder { folder in
            try Self.run(
                ["\(Tool.folder)/dsp-client", "properties", "--transport", "library", "--rounds", "60"],
                folder,
                environment: ["HEXAGONRPC_LIBRARY": library])
        }
    }

    @Test("C stub, through Qualcomm's library and the virtual DSP", .needsQualcommLibrary)
    func libraryC() throws {
        let library = try #require(ForeignPrograms.qualcommFolder)
        try Toolchain.withFolder { folder in
            let programs = try Self.everyPrograms(in: folder)
            // The library's public source has no function for asynchronous calls, which stubs of `async`
            // methods name.
            try programs.write(
                "async",
                """
                #include "every.h"
                int remote_handle64_invoke_async(
                    remote_handle64 h, fastrpc_async_descriptor_t *d, uint32_t sc, remote_arg *pra
                ) {
                    return d ? AEE_EUNSUPPORTED : remote_handle64_invoke(h, sc, pra);
                }

                """)
            let client = try programs.compile(
                ["client", "stub", "async"], "client",
                [
                    "\(library)/libcdsprpc.so.1", "-Wl,-rpath,\(library)",
                    "-Wl,--allow-shlib-undefined",
                ])
            try Self.run([client, "60", "0"], folder)
        }
    }

    private static func everyPrograms(in folder: String) throws -> Programs {
        try Programs(try everyUnit(), in: folder, compiler: try #require(Toolchain.hostCompilers.first))
    }

    /// Runs a client of `every.idl` for sixty rounds.
    private static func run(
        _ command: [String], _ folder: String, environment: [String: String] = [:]
    ) throws {
        _ = try everyPrograms(in: folder).skel()
        let result = try Tool.run(
            "virtual-dsp", ["run", "--"] + command,
            environment: ["DSP_LIBRARY_PATH": folder].merging(environment) { $1 })
        #expect(result.exitCode == 0 && result.output == "60 rounds\n", "\(result.output)\(result.errors)")
    }

    @Test("The Swift stubs of the tests' client are what the compiler generates today")
    func generated() throws {
        for (idl, stub) in [("every.idl", "Every.swift"), ("echo.idl", "Echo.swift")] {
            let unit = try IDLCompiler { FileManager.default.contents(atPath: $0).map(Array.init) }
                .compile("\(Self.fixtures)/\(idl)")
            let text = try String(
                contentsOfFile: "\(Toolchain.root)/Tests/Client/\(stub)", encoding: .utf8)
            #expect(try SwiftStub.generate(unit) == text)
        }
        let skel = try String(
            contentsOfFile: "\(Toolchain.root)/Tests/Client/EverySkel.swift", encoding: .utf8)
        #expect(try SwiftSkel.generate(try Self.everyUnit()) == skel)
    }
}
