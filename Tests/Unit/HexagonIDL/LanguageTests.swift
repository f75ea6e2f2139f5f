import HexagonIDL
import Testing

@Suite("Language")
struct LanguageTests {
    @Test("Includes, guards, conditionals and macros")
    func preprocessor() throws {
        let files = [
            "main.idl": """
            #include "types/a.idl"
            #include <b.idl>
            #if defined(A_IDL) && !defined(NEVER) && LIMIT >= 4
            #pragma anything goes
            interface i { long m(in a_t x, in b_t y); };
            #else
            this is skipped @ "
            #endif
            """,
            "types/a.idl":
                "#ifndef A_IDL\n#define A_IDL\n#include \"c.idl\"\ntypedef octet a_t[LIMIT];\n#endif\n",
            "types/c.idl": "#define LIMIT FOUR // for\n#define FOUR 4\n#include \"a.idl\"\n",
            "inc/b.idl": "#include \"types/a.idl\"\ntypedef short b_t;\n",
        ]
        let unit = try IDLCompiler(includePaths: ["inc", "."]) { path in
            files[path.hasPrefix("./") ? String(path.dropFirst(2)) : path].map { Array($0.utf8) }
        }.compile("main.idl")
        let method = try #require(unit.interface?.methods.first)
        #expect(try MethodWire(method).primInSize == 6)
        #expect(!unit.items.contains { !$0.isIncluded })
        #expect(unit.includes == ["types/a.idl", "b.idl"])
    }

    @Test("Errors in included files name the included file")
    func includedError() {
        let files = ["main.idl": "#include \"bad.idl\"\n", "bad.idl": "\n  struct s {};"]
        let error = #expect(throws: IDLError.self) {
            try IDLCompiler { files[$0].map { Array($0.utf8) } }.compile("main.idl")
        }
        #expect(error?.diagnostics.first?.location == Location(file: "bad.idl", line: 2, column: 10))
    }

    @Test("A file that includes itself for ever is refused")
    func recursion() {
        #expect(throws: IDLError.self) {
            try IDLCompiler { _ in Array("#include \"a.idl\"\n".utf8) }.compile("a.idl")
        }
    }

    @Test("Interfaces in modules, inheritance, scopes and doc comments")
    func structure() throws {
        let unit = try IDLCompiler.compile(
            text: """
                #include "remote.idl"
                #include "AEEStdDef.idl"
                typedef long size;
                module m {
                  typedef short size;
                  struct p { size a; ::size b; };
                };
                module m {
                  /**
                   * The interface.
                   *
                   * Second paragraph.
                   */
                  interface i : remote_handle64 {
                    /// Does it.
                    /// Twice.
                    AEEResult run(in p a, in m::size b, in ::size c); ///< and a word after
                    readonly attribute long speed;
                  };
                };
                """)
        let interface = try #require(unit.interface)
        #expect(interface.name == "m_i" && interface.doc == ["The interface.", "", "Second paragraph."])
        #expect(interface.methods.map(\.name) == ["run", "Getspeed"])
        #expect(interface.methods[0].doc == ["Does it.", "Twice.", "and a word after"])
        #expect(try MethodWire(interface.methods[0]).primIn.map(\.offset) == [0, 8, 12])
        #expect(
            interface.uri(version: "1.2.3")
                == "file:///libm_i_skel.so?m_i_skel_handle_invoke&_modver=1.0&_idlver=1.2.3")
    }

    @Test("What is included inside an interface belongs to it")
    func looseInclude() throws {
        let files = [
            "main.idl": "interface i {\n#include \"loose.idl\"\nlong own(in name n);\n};",
            "loose.idl": "struct name { long x; };\nlong loose();",
        ]
        let unit = try IDLCompiler { files[$0].map { Array($0.utf8) } }.compile("main.idl")
        let header = try CHeader.generate(unit)
        #expect(header.contains("} i_name;") && header.contains("int i_loose(void);"))
        #expect(!header.contains("loose.h"))
    }

    @Test("Inherited methods come first")
    func inheritance() throws {
        let files = [
            "base.idl": "#include \"remote.idl\"\ninterface base : remote_handle64 { long first(); };",
            "main.idl": "#include \"base.idl\"\ninterface i : base { long second(); };",
        ]
        let unit = try IDLCompiler { files[$0].map { Array($0.utf8) } }.compile("main.idl")
        #expect(unit.interface?.methods.map(\.name) == ["first", "second"])
        #expect(unit.interface?.methods.map(\.index) == [2, 3])
    }

    @Test(
        "Constants are computed as C would",
        arguments: [
            ("long", "1 + 2 * 3 - 4 / 2", "5"), ("long", "-(1 << 4) | 1", "(-15)"),
            ("unsigned long", "~0", "4294967295U"),
            ("octet", "0x1f & ~1", "30"),
            ("long long", "-9223372036854775808", "(-9223372036854775807LL - 1)"),
            ("uint64", "0xffffffffffffffff", "18446744073709551615ULL"), ("short", "017", "15"),
            ("boolean", "TRUE", "1"), ("string", "\"a\\\"b\\n\"", "\"a\\\"b\\012\""),
            ("char", "'\\x41'", "65"),
            ("double", "1.5e3 / 2", "750.0"), ("float", "0.5", "0.5f"), ("long", "7 % 4 ^ 1", "2"),
        ])
    func constants(type: String, expression: String, literal: String) throws {
        let unit = try IDLCompiler.compile(text: "const \(type) c = \(expression);")
        #expect(try CHeader.generate(unit).contains("#define c \(literal)\n"))
    }

    @Test("Damaged text gives diagnostics, never a trap")
    func robustness() {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        func random(_ limit: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(limit))
        }
        var accepted = 0
        for source in [WorkedExamples.flat, WorkedExamples.nested] {
            let bytes = Array(source.utf8)
            for round in 0..<1000 {
                var damaged = round % 3 == 0 ? Array(bytes.prefix(random(bytes.count))) : bytes
                for _ in 0..<random(4) where !damaged.isEmpty {
                    let place = random(damaged.count)
                    switch random(4) {
                    case 0: damaged[place] = UInt8(random(256))
                    case 1: damaged.remove(at: place)
                    case 2:
                        damaged.insert(
                            contentsOf: Array("<>{}()[];,:#\"'*/0x9".utf8)[random(19)...].prefix(2), at: place
                        )
                    default:
                        let other = random(damaged.count)
                        damaged.swapAt(place, other)
                    }
                }
                do throws(IDLError) {
                    let unit = try IDLCompiler { $0 == "x.idl" ? damaged : nil }.compile("x.idl")
                    _ = try JSONDescription.generate(unit)
                    _ = try CHeader.generate(unit)
                    if unit.interface != nil {
                        _ = try CSkel.generate(unit)
                        _ = try CStub.generate(unit)
                        _ = try? SwiftStub.generate(unit)
                    }
                    accepted += 1
                } catch {
                    #expect(!error.diagnostics.isEmpty)
                    #expect(error.diagnostics.allSatisfy { $0.location.line > 0 && !$0.message.isEmpty })
                }
            }
        }
        // Damage inside comments and names goes unnoticed, most other damage does not.
        #expect(accepted > 50 && accepted < 1900)
    }

    @Test("Nesting without end is refused", arguments: ["(", "~", "struct s { ", "module m { ", "sequence<"])
    func nesting(piece: String) {
        let text = (piece.hasSuffix("{ ") ? "" : "const long c = ") + String(repeating: piece, count: 100_000)
        #expect(throws: IDLError.self) { try IDLCompiler.compile(text: text) }
    }
}
