import FastRPCKernel
import Testing

/// The header of this system is the witness for every number that Swift computes.
@Suite(.enabled(if: systemCompiler != nil, "needs a C compiler as cc"))
struct FastRPCHeaderTests {
    @Test func numbersSizesOffsetsAndConstants() throws {
        let compiler = try #require(systemCompiler)
        let scratch = try ScratchDirectory()
        let source = try scratch.write(Self.program, to: "uapi.c")
        let program = "\(scratch.path)/uapi"
        // Newer headers call the first field of the capability `unused`.
        var compiled = try run(compiler, ["-DDOMAIN_FIELD=domain", "-o", program, source])
        if compiled.errors.contains("domain") {
            compiled = try run(compiler, ["-DDOMAIN_FIELD=unused", "-o", program, source])
        }
        try #require(compiled.status == 0, "\(compiled.errors)")
        let output = try run(program, []).output
        guard output != "no header\n" else {
            print("skipped: this system has no <misc/fastrpc.h>")
            return
        }

        var values: [String: Int] = [:]
        for line in output.split(separator: "\n") {
            let words = line.split(separator: " ")
            try #require(words.count == 2)
            #expect(values.updateValue(try #require(Int(words[1])), forKey: String(words[0])) == nil)
        }
        var missing: [String] = []
        for (name, value) in Self.expected {
            if let witness = values.removeValue(forKey: name) {
                #expect(witness == value, "\(name)")
            } else {
                missing.append(name)
            }
        }
        #expect(values.isEmpty, "the program printed what Swift does not know")
        // Only what is younger than the header's first version may be missing, and what came with that.
        let excused = Self.guarded.filter { missing.contains($0.key) }.flatMap { [$0.key] + $0.value }
        #expect(Set(missing).subtracting(excused + ["FASTRPC_POLL_MODE"]).isEmpty, "missing without a reason")
        let names = missing.filter { !$0.contains(".") && !$0.contains(":") }
        if !names.isEmpty { print("this system's <misc/fastrpc.h> lacks: \(names.joined(separator: ", "))") }
    }

    /// Name and value, as the C program prints them.
    private static let expected: [(String, Int)] =
        FastRPCRequest.all.map { ($0.name, Int($0.number.rawValue)) }
        + KernelStructure.all.flatMap { structure in
            [("\(structure.name)", structure.byteCount), ("\(structure.name):align", structure.alignment)]
                + structure.fields.flatMap { field in
                    [
                        ("\(structure.name).\(field.name)", field.offset),
                        ("\(structure.name).\(field.name):size", field.byteCount),
                    ]
                }
        }
        + (KernelConstants.mapFlags + KernelConstants.processAttributes + KernelConstants.macros)
        .map { ($0.name, Int($0.value)) }

    /// What came into the header together with a request that not every header has.
    private static let guarded: [String: [String]] = {
        let structures = [
            "FASTRPC_IOCTL_MMAP": "fastrpc_req_mmap", "FASTRPC_IOCTL_MUNMAP": "fastrpc_req_munmap",
            "FASTRPC_IOCTL_INIT_CREATE_STATIC": "fastrpc_init_create_static",
            "FASTRPC_IOCTL_MEM_MAP": "fastrpc_mem_map", "FASTRPC_IOCTL_MEM_UNMAP": "fastrpc_mem_unmap",
            "FASTRPC_IOCTL_SET_OPTION": "fastrpc_ioctl_set_option",
            "FASTRPC_IOCTL_GET_DSP_INFO": "fastrpc_ioctl_capability",
        ]
        var names = structures.mapValues { name in
            expected.map(\.0).filter {
                $0 == name || $0.hasPrefix("\(name).") || $0.hasPrefix("\(name):")
            }
        }
        names["FASTRPC_IOCTL_INIT_ATTACH_SNS"] = []
        names["FASTRPC_IOCTL_MEM_MAP", default: []] += KernelConstants.mapFlags.map(\.name)
        names["FASTRPC_IOCTL_GET_DSP_INFO", default: []] += KernelConstants.processAttributes.map(\.name)
        names["FASTRPC_ATTR_SECUREMAP"] = ["fastrpc_invoke_args.attr", "fastrpc_invoke_args.attr:size"]
        return names
    }()

    /// A C program that prints what its header knows.
    private static let program: String = {
        var lines: [String] = []
        func add(_ name: String, _ expression: String) {
            let guardian = guarded.first { $0.key == name || $0.value.contains(name) }?.key
            let isMacro =
                name.hasPrefix("FASTRPC_IOCTL_") || KernelConstants.macros.contains { $0.name == name }
            let condition = guardian ?? (isMacro ? name : nil)
            let line = "printf(\"\(name) %lu\\n\", (unsigned long)(\(expression)));"
            lines.append(condition.map { "#ifdef \($0)\n\(line)\n#endif" } ?? line)
        }
        for request in FastRPCRequest.all { add(request.name, "(unsigned)\(request.name)") }
        for structure in KernelStructure.all {
            let type = "struct \(structure.name)"
            add(structure.name, "sizeof(\(type))")
            add("\(structure.name):align", "_Alignof(\(type))")
            for field in structure.fields {
                let name = field.name == "domain" ? "DOMAIN_FIELD" : field.name
                add("\(structure.name).\(field.name)", "offsetof(\(type), \(name))")
                add("\(structure.name).\(field.name):size", "sizeof(((\(type) *)0)->\(name))")
            }
        }
        for (name, _) in KernelConstants.mapFlags + KernelConstants.processAttributes + KernelConstants.macros
        {
            add(name, name)
        }
        return """
            #include <stddef.h>
            #include <stdio.h>
            #include <sys/ioctl.h>
            #if !__has_include(<misc/fastrpc.h>)
            int main(void) { puts("no header"); return 0; }
            #else
            #include <misc/fastrpc.h>
            int main(void) {
            \(lines.joined(separator: "\n"))
            return 0;
            }
            #endif

            """
    }()
}
