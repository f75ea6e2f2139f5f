import HexagonIDL
import Testing

@Suite("Lint")
struct LintTests {
    /// For every rule: text that it finds something in, where, and text that it leaves alone.
    struct Case: Sendable {
        var rule: String
        var bad: String
        var line = 1
        var column: Int
        var good: String
    }

    static let cases = [
        Case(
            rule: "in-result", bad: "interface i { long m(in sequence<octet> dst); };", column: 41,
            good: "interface i { long m(rout sequence<octet> dst); };"),
        Case(
            rule: "in-result", bad: "interface i { long m(in sequence<octet> outBuffer); };", column: 41,
            good: "interface i { long m(in sequence<octet> output_shape, in sequence<octet> outgoing); };"),
        Case(
            rule: "in-result", bad: "interface i { long m(in sequence<float> x, in sequence<float> y); };",
            column: 63,
            good:
                "interface i { long m(in sequence<float> x, in sequence<float> y, rout sequence<float> z); };"
        ),
        Case(
            rule: "in-scalar-result", bad: "interface i { long m(in long retval); };", column: 30,
            good: "interface i { long m(rout long retval, in long result, in long output_width); };"),
        Case(
            rule: "rout-input", bad: "interface i { long m(rout sequence<octet> src_data); };", column: 43,
            good: "interface i { long m(inrout sequence<octet> src_data, rout sequence<octet> in_bufs); };"),
        Case(
            rule: "string-room", bad: "interface i { long m(rout string<16> name); };", column: 38,
            good: "interface i { long m(in string<16> key, rout string name, rout long needed); };"),
        Case(
            rule: "address", bad: "interface i { long m(in sequence<uint64> ptrs); };", column: 42,
            good:
                "interface i { long m(in sequence<uint64> sizes, rout sequence<uint64> addresses, in uint64 address); };"
        ),
        Case(
            rule: "long-width", bad: "interface i { long m(in unsigned long buffer_ptr); };", column: 39,
            good: "interface i { long m(in unsigned long long buffer_ptr, in long count); };"),
        Case(
            rule: "long-width", bad: "struct s { long offset64; };", column: 8,
            good: "struct s { long long offset64; };"),
        Case(
            rule: "missing-base", bad: "#include \"remote.idl\"\ninterface i { long m(); };", line: 2,
            column: 11,
            good: "#include \"remote.idl\"\ninterface i : remote_handle64 { long m(); };"),
        Case(
            rule: "plain-interface", bad: "interface i { long m(); };", column: 11,
            good: "#include \"remote.idl\"\ninterface i : remote_handle64 { long m(); };"),
        Case(
            rule: "buffer-limit",
            bad: "interface i { long m(\((0..<220).map { "in string a\($0)" }.joined(separator: ","))); };",
            column: 20,
            good: "interface i { long m(\((0..<100).map { "in string a\($0)" }.joined(separator: ","))); };"),
        Case(
            rule: "target-name", bad: "interface i { long m(in long register); };", column: 30,
            good: "interface i { long m(in long registered); };"),
        Case(
            rule: "target-name", bad: "enum os { linux, qurt };", column: 6,
            good: "enum os { os_linux, os_qurt };"),
        Case(
            rule: "unused-type", bad: "struct s { long a; }; interface i { long m(); };", column: 8,
            good: "struct s { long a; }; interface i { long m(in sequence<s> v); };"),
        Case(
            rule: "unused-type", bad: "interface i { typedef long AEEResult; long m(); };", column: 28,
            good: "interface i { typedef long AEEResult; AEEResult m(); };"),
        Case(
            rule: "version", bad: "const long IDL_VERSION = 3;", column: 12,
            good: "const string IDL_VERSION = \"1.2.3\";"),
    ]

    @Test("Every rule finds what it is for, and leaves alone what it is not for", arguments: LintTests.cases)
    func rule(_ item: Case) throws {
        let bad = Lint.check(try IDLCompiler.compile(text: item.bad), enabled: [item.rule])
        let found = try #require(bad.first { $0.rule == item.rule })
        #expect(found.severity == .warning && !found.hint.isEmpty)
        #expect(found.location.line == item.line && found.location.column == item.column)
        #expect(found.description.contains("[\(item.rule)]"))
        let unit = try IDLCompiler.compile(text: item.bad)
        #expect(!Lint.check(unit, disabled: [item.rule]).contains { $0.rule == item.rule })
        let good = Lint.check(try IDLCompiler.compile(text: item.good), enabled: [item.rule])
        #expect(!good.contains { $0.rule == item.rule }, "\(good)")
    }

    @Test("Every rule has a case, and every case a rule")
    func complete() {
        #expect(Set(Self.cases.map(\.rule)) == Set(Lint.rules.map { $0.name }))
    }

    @Test(
        "Nothing is wrong with the worked examples and the system interfaces", arguments: SystemInterfaces.all
    )
    func silent(text: String) throws {
        #expect(try IDLCompiler.compile(text: text).warnings.isEmpty)
    }

    @Test("The lost result of a published interface is found")
    func lostResult() throws {
        let unit = try IDLCompiler.compile(
            text: """
                #include "AEEStdDef.idl"
                #include "remote.idl"
                interface htp_iface : remote_handle64 {
                  AEEResult mul_mat(in sequence<octet> src0, in sequence<octet> src1, in sequence<octet> dst, in long rows);
                };
                """)
        let warning = try #require(unit.warnings.first)
        #expect(unit.warnings.count == 1 && warning.rule == "in-result" && warning.message.contains("'dst'"))
    }
}
