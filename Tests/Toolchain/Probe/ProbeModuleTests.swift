import Diagnosis
import Foundation
import Testing

/// The probe's own module, for Hexagon, and what the probe reads off such files.
@Suite("Module of fastrpc-probe", .enabled(if: HexagonToolchain.current != nil, HexagonToolchain.missing))
struct ProbeModuleTests {
    @Test(arguments: ["v66", "v68", "v73"])
    func compilesForHexagon(arch: String) throws {
        let toolchain = try #require(HexagonToolchain.current)
        let scratch = try ScratchDirectory()
        let program = ProgramSources.package + "/Sources/HTP/ProbeProgram"
        let objects = try toolchain.compile(
            ["\(program)/probe.c", "\(program)/fastrpc_probe_skel.c"], for: arch,
            ["-fPIC", "-I\(program)/include"], in: scratch)
        let library = "\(scratch.path)/libfastrpc_probe_skel.so"
        // A library that it needs, to be found again.
        let other = "\(scratch.path)/libc++.so.1"
        try succeed(toolchain.linker, ["-shared", "-soname", "libc++.so.1", "-o", other] + objects.prefix(1))
        try succeed(
            toolchain.linker,
            ["-shared", "-soname", "libfastrpc_probe_skel.so", "--hash-style=sysv", "-o", library] + objects
                + ["--no-as-needed", other])
        let imports = try run(toolchain.nm, ["-D", "--undefined-only", "--format=just-symbols", library])
        #expect(
            Set(imports.output.split(separator: "\n").map(String.init)).isSubset(of: [
                "calloc", "free", "memcpy", "memset", "HAP_mmap_get", "HAP_mmap_put", "dspqueue_import",
                "dspqueue_close", "dspqueue_read_noblock", "dspqueue_write",
            ]))
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: library)))
        let image = try #require(HexagonImage(bytes: bytes))
        #expect("v" + String(image.architecture, radix: 16) == arch)
        #expect(image.needed == ["libc++.so.1"])
        // Cut off anywhere, or damaged, it is refused or read, never a trap.
        for length in stride(from: 0, to: bytes.count, by: 61) {
            _ = HexagonImage(bytes: Array(bytes[..<length]))
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var damaged = bytes
            for _ in 0..<4 {
                damaged[Int.random(in: 4..<min(512, bytes.count), using: &random)] = .random(in: 0...255)
            }
            _ = HexagonImage(bytes: damaged)
        }
    }
}
