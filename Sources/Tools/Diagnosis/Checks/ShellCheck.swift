import HexagonRPC

/// Is the DSP's process shell where it is looked for? DSP_LIBRARY_PATH has no say in this search.
extension Prober {
    func shellCheck(_ found: Findings) -> Check {
        if let cause = foreign(found) { return Findings.skipped("shell", cause) }
        let places = shellSearch
        let board = places.boards
        let name = places.names[0]
        if let file = findShell() {
            if let refusal = machine.refusal(file) {
                return Check(
                    "shell", .fail, "\(user.name) may not read \(file)", evidence: refusal,
                    remedy: "sudo chmod a+r \(file)")
            }
            let build = ImageVersion.read(file, on: machine)
            return Check(
                "shell", .ok, "\(domain.name) has a shell for unsigned modules",
                evidence: ([file + (build.map { ": \($0)" } ?? "")] + board.evidence).joined(separator: "\n"))
        }
        let evidence =
            (["no \(name) in \((places.folders + ["/vendor/dsp"]).joined(separator: ", "))"] + board.evidence)
        let elsewhere = Self.shellArchives.flatMap { search(for: name, in: $0, depth: 7) }
        if let first = elsewhere.first {
            let choice = elsewhere.count == 1 ? "" : "  # of those seen, take the one of this board"
            return Check(
                "shell", .fail, "the shell of \(domain.name) is installed, but not where it is looked for",
                evidence: (evidence + elsewhere).joined(separator: "\n"),
                remedy: "sudo install -D -m 644 \(first) /usr/lib/dsp/\(domain.name)/\(name)\(choice)")
        }
        return Check(
            "shell", .fail,
            "the DSP's shell, the program that starts a process on \(domain.name), is missing",
            evidence: evidence.joined(separator: "\n"),
            remedy: """
                apt-cache search hexagon-dsp-binaries  # lists packages by board: sudo apt install the one of yours
                # none there? copy \(name) from the board vendor's image to /usr/lib/dsp/\(domain.name)/
                """)
    }

    /// The first file that the search of libcdsprpc finds.
    func findShell() -> String? { shellSearch.find() }

    private var shellSearch: ShellSearch {
        ShellSearch(
            domain: domain.name, number: domain.id, unsignedModules: true, files: machine.files,
            environment: machine.environment)
    }

    /// Where distributions keep the files of all boards.
    private static let shellArchives = BoardFolders.bases + ["/lib/firmware/qcom"]

    /// Files of this name below a folder; at most eight of them.
    private func search(for name: String, in folder: String, depth: Int) -> [String] {
        guard depth > 0, machine.isDirectory(folder) else { return [] }
        var found: [String] = []
        for entry in machine.list(folder) where found.count < 8 {
            let path = "\(folder)/\(entry)"
            found += entry == name ? [path] : search(for: name, in: path, depth: depth - 1)
        }
        return found
    }
}
