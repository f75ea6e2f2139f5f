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
            ("union u { long a; };", 1, 7, "union is not supported"),
            ("struct s {};", 1, 8, "no members"),
            ("enum e { A, };", 1, 13, "an enum's case"),
            ("enum e { A = 1 };", 1, 12, "no values"),
            ("interface i { long m(); long m(); };", 1, 30, "declared twice"),
            (handle + "interface i : remote_handle64 { long open(); };", 2, 38, "declared twice"),
            ("interface i; interface i { long m(); };", 1, 24, "forward"),
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
            ("interface a { long m(); }; interface b { long m(); };", 1, 38, "second interface"),
            ("const octet c = 300;", 1, 17, "does not fit"),
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
            ("#define F(x) x\n", 1, 1, "parameters"),
            ("#frobnicate", 1, 1, "not supported"),
            ("struct s { long a; } /* open", 1, 22, "never closed"),
            ("const string s = \"abc", 1, 18, "not closed"),
            ("struct s { long a'b; };", 1, 17, "apostrophe"),
            ("struct s { long @; };", 1, 17, "'@'"),
            ("native n;", 1, 8, "native"),
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

    @Test(
        "A result-like name that is declared in is worth a warning", arguments: ["dst", "output", "Result"])
    func lint(name: String) throws {
        let idl = "interface i { long m(in sequence<octet> \(name)); };"
        let warning = try #require(try IDLCompiler.compile(text: idl).warnings.first)
        #expect(warning.severity == .warning && warning.location.column == 41)
        let fixed = try IDLCompiler.compile(text: idl.replacing("(in", with: "(rout"))
        #expect(fixed.warnings.isEmpty)
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
