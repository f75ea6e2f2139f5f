import Foundation
import TestSupport
import Testing

/// The DSP program as the shared object that a DSP loads, made by plain LLVM.
@Suite("DSP program for Hexagon", .enabled(if: HexagonToolchain.current != nil, HexagonToolchain.missing))
struct SharedObjectTests {
    /// What the program may ask of the DSP's system, and why it does.
    static let allowedImports: Set<String> = [
        // Scratch memory, aligned to vectors.
        "memalign", "free",
        // Threads: QuRT is the DSP's kernel.
        "qurt_thread_create", "qurt_thread_join", "qurt_thread_get_id", "qurt_thread_get_priority",
        "qurt_futex_wait", "qurt_futex_wake", "qurt_sleep",
        // The caches, which do not follow the host's writes.
        "qurt_mem_cache_clean",
        // How many vector contexts there are.
        "qurt_hvx_get_units",
        // The address of a buffer that the host has mapped, by its descriptor.
        "HAP_mmap_get", "HAP_mmap_put",
        // The clock.
        "HAP_perf_get_time_us",
    ]
    /// What it uses where it is there: weak symbols.
    static let allowedWeakImports: Set<String> = [
        // Tightly coupled memory.
        "compute_resource_query_VTCM", "compute_resource_attr_init", "compute_resource_attr_set_serialize",
        "compute_resource_attr_set_vtcm_param", "compute_resource_attr_set_vtcm_param_v2",
        "compute_resource_attr_get_vtcm_ptr", "compute_resource_attr_get_vtcm_ptr_v2",
        "compute_resource_acquire", "compute_resource_release",
        // The size of a mapped buffer.
        "adsp_mmap_fd_getinfo",
        // Message queues.
        "dspqueue_import", "dspqueue_close", "dspqueue_read_noblock", "dspqueue_write",
        // Clocks and vector units.
        "HAP_power_set",
    ]

    /// The versions of the processor that every LLVM with HVX knows; newer ones are made where it does.
    @Test("The DSP program is what a DSP's loader takes", arguments: ["v66", "v68", "v69", "v73"])
    func shape(arch: String) throws {
        try HexagonBuild.make()
        let library = "\(HexagonBuild.folder)/libhtp-\(arch).so"
        let exported = try symbols(["--defined-only"], library)
        #expect(exported == ["htp_skel_handle_invoke"])
        let weak = try symbols(["--undefined-only", "--no-weak"], library)
        let all = try symbols(["--undefined-only"], library)
        let unexplained = weak.subtracting(Self.allowedImports)
        #expect(
            unexplained.isEmpty,
            """
            \(unexplained.sorted()): a name like __hexagon_udivdi3 is an operation that the processor does not have, \
            for Sources/HTP/HexagonRuntime
            """)
        #expect(all.subtracting(weak).subtracting(Self.allowedWeakImports).isEmpty, "\(all.sorted())")

        let lines = try readelf(["-h", "-l", "-d", "-r"], library)
        func has(_ words: String...) -> Bool {
            lines.contains { line in words.allSatisfy(line.contains) }
        }
        #expect(has("DYN (Shared object file)"))
        #expect(has("Flags:", "0x" + arch.dropFirst()))
        #expect(has("SONAME", "[libhtp-\(arch).so]"))
        #expect(has("(HASH)") && !has("GNU_HASH") && !has("(NEEDED)") && has("SYMBOLIC"))
        let loads = lines.filter { $0.contains(" LOAD ") }
        #expect(loads.count == 2)
        #expect(loads.first?.contains("R E 0x1000") == true && loads.last?.contains("RW  0x1000") == true)
        #expect(!has("GNU_RELRO") && !has("GNU_STACK") && !has("TEXTREL"))
        let relocations = Set(lines.compactMap { $0.firstMatch(of: /R_HEX_\w+/)?.output })
        #expect(relocations.isSubset(of: ["R_HEX_RELATIVE", "R_HEX_GLOB_DAT", "R_HEX_JMP_SLOT"]))
    }

    @Test("The same sources give the same bytes, wherever they lie")
    func reproducible() throws {
        try HexagonBuild.make()
        let folder = try TemporaryFolder()
        for path in ["Sources/HTP", "Sources/VirtualDSP/HexagonProcess", "Sources/Shims/CRemote"] {
            let target = folder.path("a copy/\(path)")
            try FileManager.default.createDirectory(
                atPath: (target as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: "\(ProgramSources.package)/\(path)", toPath: target)
        }
        try succeed(folder.path("a copy/Sources/HTP/build"), ["--output", folder.path("out")])
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path("out"))
        #expect(files.count >= 5)
        for file in files {
            #expect(
                FileManager.default.contentsEqual(
                    atPath: folder.path("out/\(file)"), andPath: "\(HexagonBuild.folder)/\(file)"), "\(file)")
        }
    }

    private func symbols(_ which: [String], _ file: String) throws -> Set<String> {
        let toolchain = try #require(HexagonToolchain.current)
        let result = try run(toolchain.nm, ["-D", "--format=just-symbols"] + which + [file])
        try #require(result.status == 0, "\(result.errors)")
        return Set(result.output.split(separator: "\n").map(String.init))
    }

    private func readelf(_ what: [String], _ file: String) throws -> [Substring] {
        let toolchain = try #require(HexagonToolchain.current)
        let result = try run(toolchain.readelf, ["-W"] + what + [file])
        try #require(result.status == 0, "\(result.errors)")
        return result.output.split(separator: "\n")
    }
}
