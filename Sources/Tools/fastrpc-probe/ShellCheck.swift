import HexagonRPC

/// Is the DSP's process shell where libcdsprpc looks for it? DSP_LIBRARY_PATH has no say in this search.
extension Prober {
    func shellCheck() -> Check {
        let places = shellSearch
        let board = places.boards
        let name = places.names[0]
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
            (["no \(name) in \((places.folders + ["/vendor/dsp"]).joined(separator: ", "))"] + board.evidence)
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
        guard depth > 0, machine.attributes(folder)?.isDirectory == true else { return [] }
        var found: [String] = []
        for entry in machine.list(folder) where found.count < 8 {
            let path = "\(folder)/\(entry)"
            found += entry == name ? [path] : search(for: name, in: path, depth: depth - 1)
        }
        return found
    }
}
