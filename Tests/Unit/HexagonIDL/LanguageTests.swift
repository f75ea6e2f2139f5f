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
            ("long", "~0", "(-1)"), ("unsigned long", "0xffffffff", "4294967295U"),
            ("long", "0xffffffff", "(-1)"), ("octet", "0x1f & ~1", "30"), ("int8", "128", "(-128)"),
            ("long long", "-9223372036854775808", "(-9223372036854775807LL - 1)"),
            ("uint64", "0xffffffffffffffff", "18446744073709551615ULL"), ("short", "017", "15"),
            ("boolean", "TRUE", "1"), ("string", "\"a\\\"b\\n\"", "\"a\\\"b\\012\""),
            ("char", "'\\x41'", "65"),
            ("double", "1.5e3 / 2.0", "750.0"), ("float", "0.5", "0.5f"), ("long", "7 % 4 ^ 1", "2"),
        ])
    func constants(type: String, expression: String, literal: String) throws {
        let unit = try IDLCompiler.compile(text: "const \(type) c = \(expression);")
        #expect(try CHeader.generate(unit).contains("#define c \(literal)\n"))
    }

    @Test("Several interfaces in a file, and from one another")
    func severalInterfaces() throws {
        let unit = try IDLCompiler.compile(
            text: """
                #include "remote.idl"
                interface first : remote_handle64 { struct s { long x; }; long a(in s v); };
                module m { interface second : ::first { long b(in s v); }; };
                interface third : remote_handle { long c(); };
                """)
        #expect(unit.interfaces.map(\.name) == ["first", "m_second", "third"])
        #expect(unit.interfaces.map(\.hasHandle) == [true, true, false])
        #expect(unit.interfaces.map { $0.methods.map(\.name) } == [["a"], ["a", "b"], ["c"]])
        #expect(unit.interfaces.map { $0.methods.map(\.index) } == [[2], [2, 3], [0]])
        let second = try #require(unit.selecting(interface: "m_second"))
        #expect(second.interface?.name == "m_second" && second.items.count == unit.items.count)
        #expect(unit.selecting(interface: "fourth") == nil)
        #expect(try CSkel.generate(second).contains("m_second_skel_handle_invoke"))
    }

    @Test("What real files declare without using it is accepted")
    func unused() throws {
        let unit = try IDLCompiler.compile(
            text: """
                #define SQUARE(x) ((x) * (x))
                #ifdef SQUARE
                interface later;
                native opaque;
                union either switch (long) { case 1: case 2: long a; default: short b; };
                interface i { [oneway] long m(); async long n(inrout sequence<octet> b); };
                #endif
                """)
        #expect(unit.interface?.methods.map(\.name) == ["m", "n"])
        #expect(unit.warnings.isEmpty)
    }

    @Test("A method hides types of its name from there on, and nothing else")
    func hiding() throws {
        let unit = try IDLCompiler.compile(
            text: """
                struct s { long a; }; const long n = 2; enum e { c };
                interface i {
                    void before(in s p); s s(); void n(); void c();
                    void after(in sequence<long, n> p); struct t { long a[n]; }; [signal] void last(in t p);
                };
                """)
        #expect(unit.interface?.methods.map(\.name) == ["before", "s", "n", "c", "after", "last"])
    }

    @Test("Nesting without end is refused", arguments: ["(", "~", "struct s { ", "module m { ", "sequence<"])
    func nesting(piece: String) {
        let text = (piece.hasSuffix("{ ") ? "" : "const long c = ") + String(repeating: piece, count: 100_000)
        #expect(throws: IDLError.self) { try IDLCompiler.compile(text: text) }
    }
}
