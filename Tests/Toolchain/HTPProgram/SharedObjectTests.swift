import Foundation
import Testing

/// The DSP program as the shared object that a DSP loads, made by plain LLVM.
@Suite("DSP program for Hexagon", .enabled(if: HexagonToolchain.current != nil, HexagonToolchain.missing))
struct SharedObjectTests {
    /// What the program may ask of the DSP's system, and why it does.
    static let allowedImports: Set<String> = [
        // Calls that clang itself makes to copy and clear memory; part of every C library.
        "memcpy", "memset", "memmove",
        // Scratch memory, aligned to vectors.
        "memalign", "free",
        // Worker threads: QuRT is the DSP's kernel.
        "qurt_thread_create", "qurt_thread_join", "qurt_thread_get_id", "qurt_thread_get_priority",
        "qurt_futex_wait", "qurt_futex_wake",
        // The caches, which do not follow the host's writes.
        "qurt_mem_cache_clean",
        // How many vector contexts there are, and how much tightly coupled memory; the latter is weak.
        "qurt_hvx_get_units", "compute_resource_query_VTCM",
        // The address of a buffer that the host has mapped, by its descriptor.
        "HAP_mmap_get", "HAP_mmap_put",
        // The clock.
        "HAP_perf_get_time_us",
    ]

    @Test("the DSP program compiles and links for Hexagon", arguments: ["v66", "v68", "v69", "v73"])
    func links(arch: String) throws {
        let toolchain = try #require(HexagonToolchain.current)
        let scratch = try ScratchDirectory()
        let sources = try ProgramSources.all()
        #expect(sources.contains { $0.hasSuffix("/platform_qurt.c") })
        let objects = try toolchain.compile(sources, for: arch, ["-fPIC"], in: scratch)
        let library = "\(scratch.path)/libhtp_skel.so"
        // 4 KiB pages, two segments and the System V hash: the form of the objects that DSPs load today.
        try succeed(
            toolchain.linker,
            [
                "-shared", "-soname", "libhtp_skel.so", "--hash-style=sysv", "-z", "max-page-size=4096",
                "-z", "norelro", "-z", "nognustack", "--no-rosegment", "--build-id=none", "-Bsymbolic",
                "-o", library,
            ] + objects)

        let exported = try symbols(toolchain, "--defined-only", library)
        #expect(exported.contains("htp_skel_handle_invoke"))
        let unexplained = try symbols(toolchain, "--undefined-only", library)
            .subtracting(Self.allowedImports)
        #expect(
            unexplained.isEmpty,
            """
            \(unexplained.sorted()): a name like __hexagon_udivdi3 is a division or another operation that \
            the processor does not have
            """)

        let header = try run(toolchain.readelf, ["-h", "-l", library])
        try #require(header.status == 0, "\(header.errors)")
        #expect(header.output.contains("DYN (Shared object file)"))
        let flags = header.output.split(separator: "\n").first { $0.contains("Flags:") }
        #expect(flags?.contains("0x" + arch.dropFirst()) == true)
        #expect(header.output.split(separator: "\n").count { $0.contains("LOAD ") } == 2)
    }

    private func symbols(_ toolchain: HexagonToolchain, _ which: String, _ file: String) throws -> Set<String>
    {
        let result = try run(toolchain.nm, ["-D", which, "--format=just-symbols", file])
        try #require(result.status == 0, "\(result.errors)")
        return Set(result.output.split(separator: "\n").map(String.init))
    }
}
