import FastRPCLibrary

/// Is there a FastRPC library, and does it have what is needed? It is read, not loaded: its constructor
/// may take a DSP session.
extension Prober {
    func libraryCheck(_ found: Findings) -> Check {
        if let cause = foreign(found) { return Findings.skipped("library", cause) }
        let explicit = machine.environment[FastRPCLibrary.environmentVariable] ?? ""
        guard let file = libraryFile() else {
            let notNeeded = "programs of HexagonRPC need none"
            guard explicit.isEmpty else {
                return Check(
                    "library", .warn, "\(FastRPCLibrary.environmentVariable) names a file that is not there",
                    evidence: explicit, remedy: "unset \(FastRPCLibrary.environmentVariable)  # or correct it"
                )
            }
            return Check(
                "library", .warn,
                "no \(FastRPCLibrary.defaultNames.joined(separator: ", no ")); \(notNeeded)",
                evidence: "looked in \(libraryFolders().joined(separator: ", "))",
                remedy: "apt-cache search fastrpc  # only for other programs, such as llama.cpp: install the "
                    + "package that has libcdsprpc.so.1")
        }
        guard let bytes = machine.bytes(file, limit: 1 << 26) else {
            return Check(
                "library", .warn, "\(file) cannot be read",
                evidence: machine.refusal(file) ?? "not a regular file", remedy: "sudo chmod a+r \(file)")
        }
        do {
            return describe(file, try ELFImage(bytes: bytes))
        } catch {
            return Check(
                "library", .warn, "\(file) is no library that this machine can load",
                evidence: error.description, remedy: reinstall(file))
        }
    }

    /// What the dynamic loader takes, or what the environment names.
    func libraryFile() -> String? { libraryCandidates().first(where: machine.exists) }

    private func libraryCandidates() -> [String] {
        let explicit = machine.environment[FastRPCLibrary.environmentVariable] ?? ""
        let names = explicit.isEmpty ? FastRPCLibrary.defaultNames : [explicit]
        return names.flatMap { name in
            name.contains("/") ? [name] : libraryFolders().map { "\($0)/\(name)" }
        }
    }

    private func reinstall(_ file: String) -> String {
        """
        dpkg -S \(file)  # the package that it belongs to
        sudo apt-get install --reinstall PACKAGE  # if it is of none, remove the file and: apt-cache search fastrpc
        """
    }

    private func describe(_ file: String, _ image: ELFImage) -> Check {
        guard image.machine == Self.machineOfHost else {
            return Check(
                "library", .warn, "\(file) is for another processor",
                evidence: "ELF machine \(image.machine), this is \(Self.machineOfHost)",
                remedy: reinstall(file))
        }
        var evidence = [machine.link(file).map { "\(file) -> \($0)" } ?? file]
        guard let symbols = image.definedSymbols else {
            return Check(
                "library", .warn, "\(file) is there; which functions it has cannot be read",
                evidence: "no section with dynamic symbols", remedy: reinstall(file))
        }
        let missing = FastRPCLibrary.requiredSymbols.filter { !symbols.contains($0) }
        let lacking = FastRPCLibrary.optionalSymbols.filter { !symbols.contains($0) }
        evidence.append(
            lacking.isEmpty
                ? "all optional functions" : "without the optional \(lacking.joined(separator: ", "))")
        guard missing.isEmpty else {
            return Check(
                "library", .warn,
                "\(file) lacks \(missing.joined(separator: ", ")): too old, or another library",
                evidence: evidence.joined(separator: "\n"), remedy: reinstall(file))
        }
        let others = otherCopies(than: file)
        guard others.isEmpty else {
            return Check(
                "library", .warn,
                "there is a second FastRPC library: programs take \(file), or the other one",
                evidence: (evidence + others.map { "also \($0)" }).joined(separator: "\n"),
                remedy: """
                    dpkg -S \(([file] + others).joined(separator: " "))  # which packages they belong to
                    # remove the one that does not belong to this board's DSP package
                    """)
        }
        return Check(
            "library", .ok, "\(file) has all functions needed", evidence: evidence.joined(separator: "\n"))
    }

    /// Other files that a program could load by one of the usual names.
    private func otherCopies(than file: String) -> [String] {
        var seen = Set([machine.identity(file)].compactMap(\.self))
        let paths = libraryFolders().flatMap { folder in
            FastRPCLibrary.defaultNames.map { "\(folder)/\($0)" }
        }
        return paths.filter { path in
            guard let identity = machine.identity(path) else { return false }
            return seen.insert(identity).inserted
        }
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
