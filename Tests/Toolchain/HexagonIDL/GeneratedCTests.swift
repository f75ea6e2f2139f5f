import Foundation
import HexagonIDL
import Testing

@Suite("Generated C")
struct GeneratedCTests {
    static let warnings = ["-Wall", "-Wextra", "-Werror"]
    static let includes = ["-I\(Toolchain.root)/Sources/Shims/CRemote/include"]

    static func write(_ unit: IDLUnit, _ name: String, to folder: String) throws {
        let files = [
            "\(name).h": try CHeader.generate(unit), "\(name)_skel.c": try CSkel.generate(unit),
            "\(name)_stub.c": try CStub.generate(unit),
        ]
        for (file, text) in files {
            try text.write(toFile: "\(folder)/\(file)", atomically: true, encoding: .utf8)
        }
    }

    @Test(
        "Stub and skel send the reference compiler's bytes and understand each other",
        arguments: Toolchain.hostCompilers)
    func loopback(compiler: String) throws {
        let unit = try IDLCompiler.compile(text: LoopbackProgram.idl, path: "t.idl")
        let output = try Toolchain.withFolder { folder in
            try Self.write(unit, "t", to: folder)
            try LoopbackProgram.implementation.write(
                toFile: folder + "/imp.c", atomically: true, encoding: .utf8)
            try LoopbackProgram.driver.write(toFile: folder + "/main.c", atomically: true, encoding: .utf8)
            // Stub and implementation have the same names; here both are in one program.
            let names = ["open", "close"] + (unit.interface?.methods.map(\.name) ?? [])
            let renamed = names.map { "-Dt_\($0)=stub_t_\($0)" }
            let common = Self.warnings + Self.includes + ["-I" + folder, "-O2", "-fsanitize=undefined", "-c"]
            for (file, extra) in [("t_stub", renamed), ("main", renamed), ("t_skel", []), ("imp", [])] {
                try Toolchain.run(
                    compiler, common + extra + ["\(folder)/\(file).c", "-o", "\(folder)/\(file).o"])
            }
            let objects = ["t_stub", "main", "t_skel", "imp"].map { "\(folder)/\($0).o" }
            try Toolchain.run(compiler, objects + ["-fsanitize=undefined", "-o", folder + "/loopback"])
            return try Toolchain.run(folder + "/loopback", [])
        }
        let lines = output.split(separator: "\n")
        let expected = LoopbackProgram.expected.split(separator: "\n")
        for (line, wanted) in zip(lines, expected) { #expect(line == wanted) }
        #expect(lines.count == expected.count)
    }

    @Test("Generated C compiles freestanding for Hexagon", .enabled(if: Toolchain.hexagonClang != nil))
    func hexagon() throws {
        let clang = try #require(Toolchain.hexagonClang)
        let unit = try IDLCompiler.compile(text: LoopbackProgram.idl, path: "t.idl")
        try Toolchain.withFolder { folder in
            try Self.write(unit, "t", to: folder)
            for file in ["t_skel", "t_stub"] {
                try Toolchain.run(
                    clang,
                    ["--target=hexagon", "-mcpu=hexagonv68", "-ffreestanding"] + Self.warnings + Self.includes
                        + ["-I" + folder, "-c", "\(folder)/\(file).c", "-o", "\(folder)/\(file).o"])
            }
            try Toolchain.run(
                clang,
                ["--target=hexagon", "-mcpu=hexagonv68", "-ffreestanding"] + Self.warnings + Self.includes + [
                    "-I\(Toolchain.root)/Sources/HTP/HTPProgram/include", "-c",
                    "\(Toolchain.root)/Sources/HTP/HTPProgram/htp_skel.c", "-o", "\(folder)/htp.o",
                ])
        }
    }

    @Test(
        "A file with two interfaces: one header for both, a stub and a skel for each",
        arguments: Toolchain.hostCompilers.prefix(1))
    func twoInterfaces(compiler: String) throws {
        let idl = """
            struct point { int32 x; int32 y; };
            interface one : remote_handle64 { long add(in point p, rout int32 sum); };
            interface two : remote_handle64 { long fill(in point p, rout sequence<string> names); };
            """
        let unit = try IDLCompiler.compile(text: "#include \"remote.idl\"\n" + idl, path: "both.idl")
        try Toolchain.withFolder { folder in
            func write(_ text: String, _ file: String) throws {
                try text.write(toFile: "\(folder)/\(file)", atomically: true, encoding: .utf8)
            }
            try write(try CHeader.generate(unit), "both.h")
            for name in ["one", "two"] {
                let part = try #require(unit.selecting(interface: name))
                try write(try CStub.generate(part), "\(name)_stub.c")
                try write(try CSkel.generate(part), "\(name)_skel.c")
                for side in ["stub", "skel"] {
                    let file = "\(folder)/\(name)_\(side)"
                    try Toolchain.run(
                        compiler,
                        Self.warnings + Self.includes + ["-I" + folder, "-c", file + ".c", "-o", file + ".o"])
                }
            }
        }
    }

    @Test(
        "A stub that is newer than the skel is refused when it opens",
        arguments: Toolchain.hostCompilers.prefix(1))
    func version(compiler: String) throws {
        let idl = """
            #include "remote.idl"
            const string IDL_VERSION = "1.2.3";
            interface v : remote_handle64 { long m(); };
            """
        let unit = try IDLCompiler.compile(text: idl, path: "v.idl")
        let main = """
            #include "v.h"
            #include <stdio.h>
            #include <string.h>
            int v_open(const char *uri, remote_handle64 *h) { (void)uri; *h = 1; return 0; }
            int v_close(remote_handle64 h) { (void)h; return 0; }
            int v_m(remote_handle64 h) { (void)h; return 0; }
            static void try_open(const char *uri) {
                uint32_t length = strlen(uri) + 1;
                remote_arg pra[3] = {{.buf = {&length, 4}}, {.buf = {(void *)uri, length}}};
                printf("%x ", v_skel_handle_invoke(0, 0x00020001, pra));
            }
            int main(void) {
                const char *versions[] = {"1.2.3", "1.2.2", "1.2.4", "1.3.0", "1.1.9", "2.0.0", "0.9.9", ""};
                try_open(v_URI);
                for (int i = 0; i < 8; i++) {
                    char uri[100];
                    snprintf(uri, sizeof uri, "file:///libv_skel.so?v_skel_handle_invoke&_idlver=%s&_dom=cdsp", versions[i]);
                    try_open(uri);
                }
                try_open("file:///libv_skel.so?v_skel_handle_invoke");
                return 0;
            }
            """
        let output = try Toolchain.withFolder { folder in
            try Self.write(unit, "v", to: folder)
            try main.write(toFile: folder + "/main.c", atomically: true, encoding: .utf8)
            try Toolchain.run(
                compiler,
                Self.warnings + Self.includes + [
                    "-I" + folder, "\(folder)/main.c", "\(folder)/v_skel.c", "-o", "\(folder)/version",
                ])
            return try Toolchain.run(folder + "/version", [])
        }
        #expect(output == "0 0 0 194 194 0 194 0 0 0 ")
    }
}
