/// Is the DSP's process shell where libcdsprpc looks for it? DSP_LIBRARY_PATH has no say in this search.
extension Prober {
    func shellCheck() -> Check {
        let board = boardFolders()
        let folders = shellFolders
        let name = shellNames[0]
        if let found = findShell() {
            if let refusal = machine.refusal(found) {
                return Check(
                    "shell", .fail, "\(user.name) may not read \(found)", evidence: refusal,
                    remedy: "sudo chmod a+r \(found)")
            }
            return Check(
                "shell", .ok, "\(domain.name) has a shell for unsigned code",
                evidence: ([found] + board.evidence).joined(separator: "\n"))
        }
        let evidence =
            (["no \(name) in \((folders + ["/vendor/dsp"]).joined(separator: ", "))"] + board.evidence)
        let elsewhere = Self.shellArchives.flatMap { search(for: name, in: $0, depth: 7) }
        if let first = elsewhere.first {
            let choice = elsewhere.count == 1 ? "" : "  # of these the one of this board"
            return Check(
                "shell", .fail, "the shell of \(domain.name) is installed where the library does not look",
                evidence: (evidence + elsewhere).joined(separator: "\n"),
                remedy: "sudo install -D -m 644 \(first) /usr/lib/dsp/\(domain.name)/\(name)\(choice)")
        }
        return Check(
            "shell", .fail, "the shell of \(domain.name) for unsigned code is not installed",
            evidence: evidence.joined(separator: "\n"),
            remedy: "apt-cache search hexagon-dsp-binaries  # then install the one for this board; its build "
                + "must match the DSP's firmware")
    }

    /// The first file that the search of libcdsprpc finds.
    func findShell() -> String? {
        shellNames.lazy.flatMap { name in
            (shellFolders.flatMap { ["\($0)/\(domain.name)/\(name)", "\($0)/\(name)"] }
                + ["/vendor/dsp/\(name)", "/vendor/dsp/\(domain.name)/\(name)"])
        }.first(where: machine.exists)
    }

    private var shellNames: [String] { ["fastrpc_shell_unsigned_\(domain.id)", "fastrpc_shell_unsigned"] }

    private var shellFolders: [String] { boardFolders().folders + ["/usr/lib/rfsa/adsp", "/usr/lib/dsp"] }

    /// Where distributions keep the files of all boards.
    private static let shellArchives = ["/usr/share/qcom", "/usr/share/hexagon-dsp", "/lib/firmware/qcom"]

    /// The folders that board files (`conf.d/*.yaml`) name for this model. Each distribution's library has
    /// one of two base folders built in; both are searched.
    private func boardFolders() -> (folders: [String], evidence: [String]) {
        var folders: [String] = []
        var evidence: [String] = []
        for base in Self.shellArchives.prefix(2) {
            let files = machine.list("\(base)/conf.d").filter {
                $0.hasSuffix(".yaml") || $0.hasSuffix(".yml")
            }
            guard !files.isEmpty else { continue }
            guard let model = machine.model else {
                evidence.append(
                    "\(base)/conf.d cannot be applied: neither a device tree nor MACHINE_NAME names the board"
                )
                continue
            }
            let matches = files.compactMap { file in
                BoardFile.libraryPath(of: model, in: machine.lines("\(base)/conf.d/\(file)")).map {
                    (file, $0)
                }
            }
            // The last file that knows the model wins.
            guard let (file, path) = matches.last else {
                evidence.append("\(base)/conf.d does not know \"\(model)\"")
                continue
            }
            folders += path.split(separator: ";").map { "\(base)/\($0)" }
            evidence.append("\(base)/conf.d/\(file): \"\(model)\" has \(path)")
        }
        return (folders, evidence)
    }

    /// Files of this name below a folder; at most eight of them.
    private func search(for name: String, in folder: String, depth: Int) -> [String] {
        guard depth > 0, machine.attributes(folder)?.isDirectory == true else { return [] }
        var found: [String] = []
        for entry in machine.list(folder) where found.count < 8 {
            let path = "\(folder)/\(entry)"
            found += entry == name ? [path] : search(for: name, in: path, depth: depth - 1)
        }
        return found
    }
}

/// The little of YAML that board files use: `machines`, below it models, below each `DSP_LIBRARY_PATH`.
enum BoardFile {
    /// The library path of a model, or nil.
    static func libraryPath(of model: String, in lines: [Substring]) -> String? {
        var inMachines = false
        var modelIndent: Int?
        var inModel = false
        var result: String?
        for line in lines {
            let indent = line.prefix { $0 == " " }.count
            let content = line.dropFirst(indent)
            guard !content.isEmpty, !content.hasPrefix("#"), let (key, value) = split(content) else {
                continue
            }
            if indent == 0 {
                inMachines = key == "machines"
                modelIndent = nil
                inModel = false
            } else if inMachines, indent == modelIndent ?? indent {
                modelIndent = indent
                inModel = key == model
            } else if inModel, key == "DSP_LIBRARY_PATH" {
                result = value
            }
        }
        return result
    }

    /// Key and value of a line; either may be quoted.
    private static func split(_ line: Substring) -> (key: String, value: String)? {
        let key: Substring
        var rest: Substring
        if let quote = line.first, quote == "\"" || quote == "'" {
            guard let end = line.dropFirst().firstIndex(of: quote) else { return nil }
            key = line[line.index(after: line.startIndex)..<end]
            rest = line[line.index(after: end)...]
        } else {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            key = line[..<colon]
            rest = line[colon...]
        }
        guard rest.first == ":" else { return nil }
        rest = rest.dropFirst().drop { $0 == " " }
        if let quote = rest.first, quote == "\"" || quote == "'" {
            rest = rest.dropFirst().prefix { $0 != quote }
        } else {
            if let comment = rest.firstRange(of: " #") { rest = rest[..<comment.lowerBound] }
            while rest.last == " " || rest.last == "\r" { rest = rest.dropLast() }
        }
        return (String(key), String(rest))
    }
}
