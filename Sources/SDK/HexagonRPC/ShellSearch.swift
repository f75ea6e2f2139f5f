/// Where the program lies that becomes a process on a DSP, its shell: the search of libcdsprpc.
///
/// `DSP_LIBRARY_PATH` and `ADSP_LIBRARY_PATH` have no say in it; they are for the modules that the process
/// loads.
package struct ShellSearch {
    /// The DSP's name, also that of a folder: `cdsp`.
    package let domain: String
    /// File names, the usual one first; newer packages leave out the domain's number.
    package let names: [String]
    /// What the board files of this machine say.
    package let boards: BoardFolders
    private let files: HostFiles

    package init(
        domain: String, number: Int, unsignedModules: Bool, files: HostFiles, environment: [String: String]
    ) {
        self.domain = domain
        self.files = files
        let name = unsignedModules ? "fastrpc_shell_unsigned" : "fastrpc_shell"
        names = ["\(name)_\(number)", name]
        boards = BoardFolders(files: files, environment: environment)
    }

    /// The folders in order, without `/vendor/dsp`, which comes last and is looked into the other way round.
    package var folders: [String] { boards.folders + ["/usr/lib/rfsa/adsp", "/usr/lib/dsp"] }

    /// Every place in order.
    package var candidates: [String] {
        names.flatMap { name in
            folders.flatMap { ["\($0)/\(domain)/\(name)", "\($0)/\(name)"] }
                + ["/vendor/dsp/\(name)", "/vendor/dsp/\(domain)/\(name)"]
        }
    }

    /// The first place that has a file.
    package func find() -> String? { candidates.first(where: files.exists) }
}

/// The folders that board files (`<base>/conf.d/*.yaml`) name for this machine's model.
package struct BoardFolders {
    /// Each distribution's library has one of these base folders built in; both are searched.
    package static let bases = ["/usr/share/qcom", "/usr/share/hexagon-dsp"]

    /// The folders, of the first base first.
    package private(set) var folders: [String] = []
    /// Where they come from, or why there are none.
    package private(set) var evidence: [String] = []

    package init(files: HostFiles, environment: [String: String]) {
        for base in Self.bases {
            let names = files.list("\(base)/conf.d").filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }
            guard !names.isEmpty else { continue }
            guard let model = Self.model(files, environment) else {
                evidence.append(
                    "\(base)/conf.d cannot be applied: neither a device tree nor MACHINE_NAME names the board"
                )
                continue
            }
            let matches = names.compactMap { name in
                BoardFile.libraryPath(of: model, in: files.lines("\(base)/conf.d/\(name)")).map { (name, $0) }
            }
            // The last file that knows the model wins.
            guard let (name, path) = matches.last else {
                evidence.append("\(base)/conf.d does not know \"\(model)\"")
                continue
            }
            folders += path.split(separator: ";").map { "\(base)/\($0)" }
            evidence.append("\(base)/conf.d/\(name): \"\(model)\" has \(path)")
        }
    }

    /// What the board is called: the device tree's model, or the environment variable `MACHINE_NAME`,
    /// which libcdsprpc reads in its place.
    package static func model(_ files: HostFiles, _ environment: [String: String]) -> String? {
        files.text("/sys/firmware/devicetree/base/model") ?? environment["MACHINE_NAME"]
    }
}
