import Testing
import VirtualMachine

@Suite("Paths of the virtual machine")
struct PathNormalizationTests {
    @Test(
        "Paths lose what says nothing",
        arguments: [
            ("/dev/fastrpc-cdsp", nil, "/dev/fastrpc-cdsp"),
            ("//dev///fastrpc-cdsp/", nil, "/dev/fastrpc-cdsp"),
            ("/dev/./a/../b", nil, "/dev/b"), ("/../../a", nil, "/a"), ("/", nil, "/"), ("/..", "/x", "/"),
            ("a", "/dev", "/dev/a"), ("./a", "/dev/", "/dev/a"), ("../a", "/dev", "/a"), ("a", "/", "/a"),
            ("", "/dev", "/dev"), ("...", "/dev", "/dev/..."), ("a", nil, nil), ("a", "socket:[1]", nil),
        ] as [(String, String?, String?)])
    func normalized(path: String, base: String?, expected: String?) {
        #expect(PathNormalization.normalized(path, relativeTo: base) == expected)
    }

    @Test("The last part, as bytes")
    func lastPart() {
        for (path, last) in [("/dev/a", "a"), ("a", "a"), ("/dev/", ""), ("", ""), ("/", "")] {
            #expect(Array(PathNormalization.lastPart(of: Array(path.utf8))) == Array(last.utf8))
        }
    }

    @Test("Links are followed, in circles not for ever")
    func links() {
        let links = ["/dev/a": "b", "/dev/b": "/dev/c/d", "/dev/up": "../x", "/dev/o": "p", "/dev/p": "o"]
        #expect(PathNormalization.resolved("/dev/a", through: links) == "/dev/c/d")
        #expect(PathNormalization.resolved("/dev/up/y", through: links) == "/x/y")
        #expect(PathNormalization.resolved("/dev/ab", through: links) == "/dev/ab")
        #expect(["/dev/o", "/dev/p"].contains(PathNormalization.resolved("/dev/o", through: links)))
    }
}
