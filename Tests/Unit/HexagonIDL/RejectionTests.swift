import HexagonIDL
import Testing

@Suite("Diagnostics")
struct RejectionTests {
    static let handle = "#include \"remote.idl\"\n"

    /// Text that must be refused, where, and a piece of the reason.
    @Test(
        "What the language does not allow is refused at its place",
        arguments: [
            ("interface i { long m(out long a); };", 1, 22, "direction"),
            ("interface i { long m(inout long a); };", 1, 22, "direction"),
            ("union u { long a; };", 1, 9, "'switch'"),
            ("union u switch(long) { case 1: long a; }; struct s { u x; };", 1, 54, "a union"),
            ("native n; typedef n t;", 1, 19, "a native type"),
            ("typedef notnil long t;", 1, 9, "notnil"),
            ("local interface i { long m(); };", 1, 17, "local"),
            ("module m { };", 1, 12, "is empty"),
            ("interface i { struct s { long a; } m(); };", 1, 36, "expected ';'"),
            ("interface i { long m();", 1, 24, "never closed"),
            ("struct s {};", 1, 8, "no members"),
            ("enum e { A, };", 1, 13, "an enum's case"),
            ("enum e { A = 1 };", 1, 12, "no values"),
            ("interface i { long m(); long m(); };", 1, 30, "declared twice"),
            (handle + "interface i : remote_handle64 { long open(); };", 2, 38, "declared twice"),
            ("interface i; interface i { long m(); };", 1, 24, "forward"),
            ("interface i { interface m(); };", 1, 15, "handles"),
            ("interface i { [fast] long m(); };", 1, 16, "no attribute"),
            ("interface i { [oneway] long m(rout long a); };", 1, 16, "return nothing"),
            ("interface i { struct s { long a; }; long s(); };", 1, 42, "declared twice"),
            ("interface i { long s(); struct s { long a; }; };", 1, 32, "declared twice"),
            ("interface i { const long s = 3; long s(); };", 1, 38, "declared twice"),
            ("struct s { long a; }; interface i { long s(); long m(in s p); };", 1, 57, "is a method"),
            ("struct s { long a; }; interface i { long s(); s m(); };", 1, 47, "is a method"),
            ("struct s { long a; }; interface i { long s(in sequence<s> p); };", 1, 56, "is a method"),
            (
                "struct s { long a; }; interface b { long s(); }; interface i : b { struct t { s m; }; long m(); };",
                1, 79, "is a method"
            ),
            ("interface i { long m(in sequence<sequence<octet>> a); };", 1, 34, "directly inside"),
            ("struct s { sequence<long> a[3]; };", 1, 27, "array of elements"),
            ("typedef string names[3];", 1, 16, "array of elements"),
            ("struct s { long b[2][3]; };", 1, 17, "array of arrays"),
            ("struct s { long a; }; struct s { long b; };", 1, 30, "declared twice"),
            ("struct s { string n; };\ninterface i { long m(inrout s a); };", 2, 31, "inrout"),
            ("typedef sequence<octet> b; interface i { long m(inrout sequence<b> a); };", 1, 68, "inrout"),
            ("interface i { long m(inrout dmahandle a); };", 1, 39, "inrout"),
            ("interface i { async long m(rout long a); };", 1, 38, "async"),
            ("interface i { async long m(rout string a); };", 1, 40, "async"),
            ("interface i { async long m(inrout long a); };", 1, 40, "async"),
            ("interface i { async long m(rout sequence<string> a); };", 1, 50, "async"),
            ("ext_params interface i { long m(); };", 1, 22, "ext_params"),
            ("interface i { attribute long x; };", 1, 30, "AEEResult"),
            ("interface i { AEEResult m(); };", 1, 15, "'AEEResult' is not declared"),
            ("interface i { long m(in nothing a); };", 1, 25, "not declared"),
            ("interface i { long m(in unsigned char a); };", 1, 25, "unsigned"),
            ("interface i : remote_handle64 { long m(); };", 1, 15, "no interface that is known"),
            (handle + "interface i { long m(in remote_handle64 h); };", 2, 25, "handles"),
            ("interface i { long m(in long a, in long a); };", 1, 41, "two parameters"),
            ("interface i { long m(in sequence<long> a, in long aLen); };", 1, 51, "aLen"),
            ("interface i { long m(in long _h); };", 1, 30, "underscore"),
            ("struct _s { long a; };", 1, 8, "underscore"),
            (
                "struct s { long a; }; interface i { long m(in sequence<s> s); };", 1, 59,
                "named like its type"
            ),
            ("interface i { long m() };", 1, 24, "expected ';'"),
            ("interface i { long m(in long long); };", 1, 34, "parameter's name"),
            ("const octet c = 300;", 1, 17, "does not fit"),
            ("const octet c = -1;", 1, 17, "does not fit"),
            ("const unsigned long c = ~0;", 1, 25, "does not fit"),
            ("const long c = 4294967295;", 1, 16, "does not fit"),
            ("const long c = 1 << 31;", 1, 18, "does not fit"),
            ("const double c = 1;", 1, 18, "does not go with"),
            ("const double c = 1.5 / 2;", 1, 22, "do"),
            ("const long c = 'a';", 1, 16, "does not go with"),
            ("const char c = 65;", 1, 16, "does not go with"),
            ("enum e { A, B }; const long c = B;", 1, 33, "does not go with"),
            ("enum e { A, B }; const e c = 1;", 1, 30, "does not go with"),
            ("enum e { A }; enum f { B }; const e c = B;", 1, 41, "does not go with"),
            ("enum e { A, B }; typedef long t[B];", 1, 33, "array's length"),
            ("const long c = +1;", 1, 16, "expected a value"),
            ("const double c = 5.;", 1, 18, "no number"),
            ("const float c = 1e39;", 1, 17, "too large"),
            ("const sequence<long> c = 3;", 1, 26, "no constants"),
            ("const long c = 1 / 0;", 1, 18, "division by zero"),
            ("const long c = 1 << 64;", 1, 18, "shift"),
            ("const long c = d;", 1, 16, "not declared"),
            ("const long c = \"x\";", 1, 16, "does not go with"),
            ("typedef long t[0];", 1, 16, "array's length"),
            ("typedef octet t[0x7fffffff]; struct s { t a; t b; };", 1, 37, "takes more than"),
            ("const string IDL_VERSION = \"1.2\";", 1, 28, "three numbers"),
            ("#include \"missing.idl\"", 1, 1, "not found"),
            ("#ifdef X\nstruct s { long a; };", 1, 1, "#endif"),
            ("#endif", 1, 1, "#endif without"),
            ("interface i {\n#line 1", 1, 8, "never closed"),
            ("#define F(x) x\ninterface i { long m(in F a); };", 2, 25, "parameters"),
            ("#frobnicate", 1, 1, "not supported"),
            ("struct s { long a; } /* open", 1, 22, "never closed"),
            ("const string s = \"abc", 1, 18, "not closed"),
            ("struct s { long a'b; };", 1, 17, "apostrophe"),
            ("struct s { long @; };", 1, 17, "'@'"),
            ("const long c = 99999999999999999999;", 1, 16, "64 bits"),
            ("long m();", 1, 1, "expected a declaration"),
        ])
    func refused(text: String, line: Int, column: Int, reason: String) throws {
        let error = #expect(throws: IDLError.self) { try IDLCompiler.compile(text: text) }
        let diagnostic = try #require(error?.diagnostics.first)
        #expect(diagnostic.severity == .error)
        #expect(diagnostic.location == Location(file: "input.idl", line: line, column: column))
        #expect(diagnostic.message.contains(reason), "\(diagnostic)")
        #expect(diagnostic.description.hasPrefix("input.idl:\(line):\(column): error: "))
    }

    @Test("Struct members and methods that need too many buffers are refused, and soon")
    func fanOut() {
        var text = "struct s0 { sequence<octet> a; };\n"
        for level in 1...30 { text += "struct s\(level) { s\(level - 1) a; s\(level - 1) b; };\n" }
        #expect(throws: IDLError.self) {
            try IDLCompiler.compile(text: text + "interface i { long m(in s30 a); };")
        }
        text = text.replacing("sequence<octet> a", with: "sequence<dmahandle> a")
        #expect(throws: IDLError.self) {
            try IDLCompiler.compile(text: text + "interface i { long m(in s30 a); };")
        }
    }

    @Test("All errors of a file are reported, each once, and what follows from one is not")
    func several() throws {
        let text = """
            interface i : nothing { long m(); };
            struct s { unknown a; };
            interface j {
              long a(in s x);
              long b(in missing x, out long y);
              long c(in int x, in bool y, in s z);
              struct t { };
            };
            """
        let error = #expect(throws: IDLError.self) { try IDLCompiler.compile(text: text) }
        // The grammar comes first; names are looked up when it is right.
        #expect(error?.diagnostics.map(\.location.line) == [5, 7])
        let fixed = text.replacing("out long y", with: "in long y").replacing("struct t { };", with: "")
        let rest = #expect(throws: IDLError.self) { try IDLCompiler.compile(text: fixed) }
        #expect(rest?.diagnostics.map(\.location.line) == [1, 2, 5, 6, 6])
        #expect(rest?.diagnostics.map(\.location.column) == [15, 12, 13, 13, 23])
    }

    @Test("So many errors and no more")
    func bounded() throws {
        let text = String(repeating: "struct s { };\n", count: 100)
        let error = #expect(throws: IDLError.self) { try IDLCompiler.compile(text: text) }
        #expect(error?.diagnostics.count == 21)
        #expect(error?.diagnostics.last?.message.contains("too many") == true)
    }

    @Test("An error shows its line with a caret below the place")
    func excerpt() throws {
        let text = "\nstruct s {\tint a; };\r\n"
        let error = #expect(throws: IDLError.self) { try IDLCompiler.compile(text: text) }
        let diagnostic = try #require(error?.diagnostics.first)
        #expect(
            diagnostic.text(withExcerptFrom: Array(text.utf8)) == """
                input.idl:2:12: error: the type 'int' is not declared
                    struct s {\tint a; };
                              \t^
                    write long or int32_t
                """)
        #expect(diagnostic.text(withExcerptFrom: nil) == diagnostic.description)
        #expect(diagnostic.text(withExcerptFrom: []) == diagnostic.description)
        let long = String(repeating: " ", count: 5000) + "struct s { int a; };"
        let far = #expect(throws: IDLError.self) { try IDLCompiler.compile(text: long) }
        let shown = try #require(far?.diagnostics.first).text(withExcerptFrom: Array(long.utf8))
        #expect(shown.utf8.count < 600 && shown.contains("struct s { int a; };"))
    }

    @Test("Generators refuse what they do not support")
    func generators() throws {
        let types = try IDLCompiler.compile(text: "struct s { long a; };")
        #expect(throws: IDLError.self) { try SwiftStub.generate(types) }
        #expect(throws: IDLError.self) { try CSkel.generate(types) }
        #expect(try CHeader.generate(types).contains("} s;"))
        let clash = try IDLCompiler.compile(text: "interface i { long a_b(); long aB(); };")
        let error = #expect(throws: IDLError.self) { try SwiftStub.generate(clash) }
        #expect(error?.diagnostics.first?.location.column == 32)
    }
}
