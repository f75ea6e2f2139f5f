/// Are the DSP's firmware and the shell of the same build? A DSP refuses the shell of another one.
extension Prober {
    func buildCheck() -> Check {
        guard let processor, let shell = findShell() else {
            return Check("build", .skip, "firmware and shell are not both there to be compared")
        }
        let firmware = firmwarePaths(processor).first(where: machine.exists)
        let builds = [firmware, shell].map { file in (file: file, build: file.flatMap(imageVersion)) }
        let evidence = builds.compactMap { entry in
            entry.file.map { "\($0): \(entry.build ?? "no QC_IMAGE_VERSION_STRING to be read")" }
        }.joined(separator: "\n")
        guard let first = builds[0].build, let second = builds[1].build else {
            return Check(
                "build", .skip, "not both of firmware and shell say which build they are of",
                evidence: evidence)
        }
        if first == second {
            return Check("build", .ok, "firmware and shell are of the same build", evidence: evidence)
        }
        return Check(
            "build", .warn, "firmware and shell are of different builds; DSPs have refused such a pair",
            evidence: evidence,
            remedy:
                "apt-cache policy firmware-qcom-soc linux-firmware 'hexagon-dsp-binaries*'  # update both "
                + "to releases that belong together")
    }

    /// The build that a Qualcomm image says it is of, after `QC_IMAGE_VERSION_STRING=`.
    private func imageVersion(_ path: String) -> String? {
        guard let bytes = machine.bytes(path, limit: 1 << 26) else { return nil }
        let mark = Array("QC_IMAGE_VERSION_STRING=".utf8)
        var rest = bytes[...]
        while let start = rest.firstIndex(of: mark[0]) {
            rest = rest[start...]
            if rest.starts(with: mark) {
                let version = rest.dropFirst(mark.count).prefix(128).prefix { $0 > 0x20 && $0 < 0x7f }
                if !version.isEmpty { return String(decoding: version, as: UTF8.self) }
            }
            rest = rest.dropFirst()
        }
        return nil
    }
}
