import HexagonRPC

/// Where the DSP gets its modules from.
extension Prober {
    /// The variable that is in force, and its value.
    private var pathVariable: (name: String, value: String)? {
        for name in ["DSP_LIBRARY_PATH", "ADSP_LIBRARY_PATH"] {
            if let value = machine.environment[name] { return (name, value) }
        }
        return nil
    }

    /// Every folder that is searched, in order.
    private var moduleFolders: [String] {
        ModuleFiles.variableFolders(machine.environment)
            + ModuleFiles.systemFolders(machine.files, machine.environment)
    }

    /// Where a module is found.
    func module(_ name: String) -> String? {
        moduleFolders.flatMap { ["\($0)/\(domain.name)/\(name)", "\($0)/\(name)"] }.first(
            where: machine.exists)
    }

    func searchPathCheck(_ found: Findings) -> Check {
        if let cause = foreign(found) { return Findings.skipped("modules", cause) }
        let modules = allModules()
        var evidence = [
            pathVariable.map { "\($0.name)=\($0.value)" }
                ?? "DSP_LIBRARY_PATH is not set (folders separated by ';')",
            "searched: " + moduleFolders.joined(separator: ", "),
        ]
        evidence += modules.prefix(16).map { "\($0.path)\($0.architecture)" }
        if modules.count > 16 { evidence.append("and \(modules.count - 16) more modules") }
        let seen = evidence.joined(separator: "\n")
        if let variable = pathVariable, let problem = self.problem(variable.name, variable.value) {
            return Check("modules", problem.status, problem.summary, evidence: seen, remedy: problem.remedy)
        }
        for module in modules {
            guard let image = machine.bytes(module.path, limit: 1 << 26).flatMap(HexagonImage.init) else {
                continue
            }
            let missing = image.needed.filter { $0.hasPrefix("libc++") && self.module($0) == nil }
            guard let first = missing.first else { continue }
            return Check(
                "modules", .warn,
                "\(module.path) needs \(missing.joined(separator: ", ")), which is not found",
                evidence: seen,
                remedy: """
                    find / -name \(first) -path '*dsp*' 2>/dev/null  # it comes with the board's DSP package
                    sudo cp FILE-FOUND \(Self.folder(of: module.path))/  # beside the module that needs it
                    """)
        }
        let count = modules.count
        return Check(
            "modules", .ok,
            count == 0
                ? "the search path is in order; no module is on it"
                : "\(count) module\(count == 1 ? "" : "s") on the search path",
            evidence: seen)
    }

    /// What is wrong with the variable.
    private func problem(
        _ name: String, _ value: String
    ) -> (status: Check.Status, summary: String, remedy: String)? {
        let folders = value.split(separator: ";").map(String.init)
        for folder in folders where !machine.isDirectory(folder) {
            let parts = folder.split(separator: ":").map(String.init)
            if parts.count > 1, parts.contains(where: machine.isDirectory) {
                let corrected = folders.flatMap { $0.split(separator: ":") }.joined(separator: ";")
                return (
                    .fail, "\(name) separates folders by ':', but the DSP wants ';': none is searched",
                    "export \(name)='\(corrected)'"
                )
            }
        }
        if let relative = folders.first(where: { !$0.hasPrefix("/") }) {
            return (
                .warn,
                "\(name) has the relative folder '\(relative)', which holds in one working folder only",
                "export \(name)=\"$(realpath '\(relative)')\""
            )
        }
        if let missing = folders.first(where: { !machine.isDirectory($0) }) {
            return (
                .warn, "\(name) names \(missing), which is no folder",
                "ls -ld '\(missing)'  # correct the name, or: unset \(name)"
            )
        }
        return nil
    }

    private struct Module {
        var path: String
        /// What is known of its architecture, in words.
        var architecture: String
    }

    /// The modules, `lib*_skel.so`, that would be found.
    private func allModules() -> [Module] {
        var names: Set<String> = []
        return moduleFolders.flatMap { ["\($0)/\(domain.name)", $0] }.flatMap { folder in
            machine.list(folder).filter { $0.hasPrefix("lib") && $0.hasSuffix("_skel.so") }
                .filter { names.insert($0).inserted }.map { name in
                    let path = "\(folder)/\(name)"
                    let image = machine.bytes(path, limit: 1 << 26).flatMap(HexagonImage.init)
                    return Module(
                        path: path,
                        architecture: image.map { ": v\(String($0.architecture, radix: 16))" } ?? "")
                }
        }
    }

    static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}
