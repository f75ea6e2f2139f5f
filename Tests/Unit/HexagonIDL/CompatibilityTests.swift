import HexagonIDL
import Testing

@Suite("Compatibility")
struct CompatibilityTests {
    static let base = """
        const long LIMIT = 4;
        enum color { RED, GREEN };
        struct point { long x; long y; };
        interface i {
          long a(in long v);
          long b(in point p, rout sequence<octet> r);
          long c(in color k, in string s);
        };
        """

    /// A change to the base, and what must be said about it.
    @Test(
        "What breaks a deployed skel is an error",
        arguments: [
            (
                "  long b(in", "  long n();\n  long b(in",
                ["index 1 of 'b'", "'b' had the index 1", "'c' had the index 2"]
            ),
            (
                "  long a(in long v);\n", "",
                ["'a', index 0, is gone", "'b' had the index 1", "'c' had the index 2"]
            ),
            (
                "  long c(in color k, in string s);\n", "", ["'c', index 2, is gone"]
            ),
            ("in long v", "in long long v", ["was int32 and is int64"]),
            ("in long v", "in float v", ["was int32 and is float"]),
            ("in long v", "rout long v", ["was in and is rout"]),
            ("in long v", "in long v, in long w", ["had 1 parameters and has 2"]),
            (
                "in color k, in string s", "in string s, in color k",
                ["was color and is string", "was string and is color"]
            ),
            ("rout sequence<octet>", "rout sequence<short>", ["sequence"]),
            ("long x; long y;", "long y; long x;", ["'x' was member 1 and is 2"]),
            ("long x; long y;", "long x; long y; long z;", ["'z' is new"]),
            ("long x; long y;", "long x;", ["'y' is gone"]),
            ("long x; long y;", "long x; short y;", ["'y' was int32 and is int16"]),
            ("RED, GREEN", "BLUE, RED, GREEN", ["'RED'", "'GREEN'"]),
            ("LIMIT = 4", "LIMIT = 5", ["another value"]),
            ("interface i", "interface j", ["'i' is gone"]),
            (
                "interface i {", "interface remote_handle64 { long o(); };\ninterface i : remote_handle64 {",
                ["moves every method"]
            ),
            ("const long", "const string IDL_VERSION = \"1.0.0\";\nconst long", ["IDL_VERSION 1.0.0 is new"]),
        ])
    func breaks(before: String, after: String, messages: [String]) throws {
        let old = try IDLCompiler.compile(text: Self.base, path: "old.idl")
        let new = try IDLCompiler.compile(text: Self.base.replacing(before, with: after), path: "new.idl")
        let found = Compatibility.check(old: old, new: new)
        #expect(found.allSatisfy { $0.severity == .error && $0.location.file == "new.idl" })
        #expect(found.allSatisfy { $0.related?.file == "old.idl" && $0.hint.contains("before: old.idl:") })
        for message in messages {
            #expect(found.contains { $0.message.contains(message) }, "\(message) in \(found)")
        }
        #expect(found.count == messages.count, "\(found)")
    }

    @Test(
        "What a deployed skel does not notice is fine",
        arguments: [
            ("in string s);\n", "in string s);\n  long d(in long long v);\n"),
            ("in long v", "in int32_t value"), ("RED, GREEN", "RED, GREEN, BLUE"),
            ("sequence<octet> r", "sequence<uint8> bytes"), ("in color k", "in long k"),
            ("const long LIMIT = 4;", "const long OTHER = 5; const long LIMIT = 4;"),
            ("struct point", "typedef long number;\nstruct point"),
            ("long x; long y;", "int32 x; long height;"),
            ("interface i", "interface other { long m(); };\ninterface i"),
            ("long a(in", "[oneway] void a(in"),
        ])
    func keeps(before: String, after: String) throws {
        let old = try IDLCompiler.compile(text: Self.base)
        let new = try IDLCompiler.compile(text: Self.base.replacing(before, with: after))
        #expect(Compatibility.check(old: old, new: new) == [])
        #expect(Compatibility.check(old: old, new: old) == [])
    }

    @Test("A method that is called otherwise is a warning if its call looks the same, else an error")
    func renamed() throws {
        let old = try IDLCompiler.compile(text: Self.base)
        let renamed = try IDLCompiler.compile(text: Self.base.replacing("long a(", with: "long first("))
        #expect(Compatibility.check(old: old, new: renamed).map(\.severity) == [.warning])
        let replaced = try IDLCompiler.compile(
            text: Self.base.replacing("long a(in long v", with: "long first(in short v"))
        #expect(Compatibility.check(old: old, new: replaced).map(\.severity) == [.error])
    }

    @Test("A version that is raised shuts out deployed skels; one that is lowered does not")
    func versions() throws {
        let text = "const string IDL_VERSION = \"1.2.0\"; interface i { long m(); };"
        let old = try IDLCompiler.compile(text: text)
        let newer = try IDLCompiler.compile(text: text.replacing("1.2.0", with: "1.10.0"))
        #expect(Compatibility.check(old: old, new: newer).map(\.severity) == [.error])
        #expect(Compatibility.check(old: newer, new: old) == [])
    }
}
