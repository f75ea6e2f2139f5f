import FastRPCLibrary

/// Is there a FastRPC library, and does it have what is needed? It is read, not loaded: its constructor
/// may take a DSP session.
extension Prober {
    func libraryCheck() -> Check {
        let explicit = machine.environment[FastRPCLibrary.environmentVariable] ?? ""
        let names = explicit.isEmpty ? FastRPCLibrary.defaultNames : [explicit]
        let folders = libraryFolders()
        let candidates = names.flatMap { name in
            name.contains("/") ? [name] : folders.map { "\($0)/\(name)" }
        }
        guard let file = candidates.first(where: machine.exists) else {
            return Check(
                "library", .fail, "no FastRPC library: \(names.joined(separator: " or "))",
                evidence: "looked in \(folders.joined(separator: ", "))",
                remedy: "apt-cache search fastrpc  # then install the package with libcdsprpc.so.1, or name "
                    + "the file: export \(FastRPCLibrary.environmentVariable)=/path/to/libcdsprpc.so")
        }
        guard let bytes = machine.bytes(file, limit: 1 << 26) else {
            return Check(
                "library", .fail, "\(file) cannot be read",
                evidence: machine.refusal(file) ?? "not a regular file", remedy: "ls -lL \(file)")
        }
        do {
            return describe(file, try ELFImage(bytes: bytes))
        } catch {
            return Check(
                "library", .fail, "\(file) is no library this machine can load", evidence: error.description,
                remedy: "file -L \(file)  # then install the package again")
        }
    }

    private func describe(_ file: String, _ image: ELFImage) -> Check {
        let reinstall =
            "install the FastRPC package of this machine's architecture (`apt-cache search fastrpc`)"
        guard image.machine == Self.machineOfHost else {
            return Check(
                "library", .fail, "\(file) is for another processor",
                evidence: "ELF machine \(image.machine), this is \(Self.machineOfHost)", remedy: reinstall)
        }
        guard let symbols = image.definedSymbols else {
            return Check(
                "library", .warn, "\(file) is there; which functions it has cannot be read",
                evidence: "no section with dynamic symbols")
        }
        let missing = FastRPCLibrary.requiredSymbols.filter { !symbols.contains($0) }
        let lacking = FastRPCLibrary.optionalSymbols.filter { !symbols.contains($0) }
        let optional =
            lacking.isEmpty
            ? "all optional functions" : "without the optional \(lacking.joined(separator: ", "))"
        if missing.isEmpty {
            return Check("library", .ok, "\(file) has all functions needed", evidence: optional)
        }
        return Check(
            "library", .fail, "\(file) lacks \(missing.joined(separator: ", "))", evidence: optional,
            remedy: "\(reinstall): this one is too old, or no FastRPC library")
    }

    /// Where the dynamic loader looks: LD_LIBRARY_PATH, the folders configured, the built-in ones.
    private func libraryFolders() -> [String] {
        var folders = (machine.environment["LD_LIBRARY_PATH"] ?? "").split(separator: ":").map(String.init)
        let files = machine.list("/etc/ld.so.conf.d").filter { $0.hasSuffix(".conf") }
        for file in ["/etc/ld.so.conf"] + files.map({ "/etc/ld.so.conf.d/\($0)" }) {
            folders += machine.lines(file).map(String.init).filter { $0.hasPrefix("/") }
        }
        let multiarch = "\(Self.architecture)-linux-gnu"
        folders += ["/lib/\(multiarch)", "/usr/lib/\(multiarch)", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        var seen: Set<String> = []
        return folders.filter { seen.insert($0).inserted }
    }

    #if arch(arm64)
        static let architecture = "aarch64"
        private static let machineOfHost: UInt16 = 183  // EM_AARCH64
    #elseif arch(x86_64)
        static let architecture = "x86_64"
        private static let machineOfHost: UInt16 = 62  // EM_X86_64
    #elseif arch(riscv64)
        static let architecture = "riscv64"
        private static let machineOfHost: UInt16 = 243  // EM_RISCV
    #else
        static let architecture = "unknown"
        private static let machineOfHost: UInt16 = 0
    #endif
}
