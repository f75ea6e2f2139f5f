/// Are the DSP's firmware and the shell of the same build? A DSP refuses the shell of another one.
extension Prober {
    /// What DSPs have answered to a shell of another build.
    static let buildMismatchCodes: Set<UInt32> = [0x8000_0416, 0x8000_054f, 0x8000_0600]

    func buildCheck(_ found: Findings, _ outcome: SessionOutcome) -> Check {
        if let cause = foreign(found) ?? found.cause(["shell", "remoteproc"]) {
            return Findings.skipped("build", cause)
        }
        guard let processor, let shell = findShell() else {
            return Check("build", .skip, "the kernel does not tell which firmware the DSP runs")
        }
        guard let firmware = processor.firmwarePaths(on: machine).first(where: machine.exists) else {
            return Check(
                "build", .skip, "the firmware's file is not there to be compared with the shell",
                evidence: processor.firmware)
        }
        let builds = [firmware, shell].map { ImageVersion.read($0, on: machine) }
        let evidence = zip([firmware, shell], builds).map { file, build in
            "\(file): " + (build ?? "no QC_IMAGE_VERSION_STRING to be read")
        }.joined(separator: "\n")
        guard let first = builds[0], let second = builds[1] else {
            return Check(
                "build", .skip, "firmware and shell do not both say of which build they are",
                evidence: evidence)
        }
        if first == second {
            return Check("build", .ok, "firmware and shell are of the same build", evidence: evidence)
        }
        let remedy = """
            apt-cache policy firmware-qcom-soc linux-firmware 'hexagon-dsp-binaries*'  # where both come from
            sudo apt update && sudo apt full-upgrade  # brings both to the newest; then: sudo reboot
            # still different? install firmware and hexagon-dsp-binaries of the same release of your board's vendor
            """
        switch outcome.ending("session") {
        case .failed(let step) where step.code.map(Self.buildMismatchCodes.contains) == true:
            return Check(
                "build", .fail, "the DSP refuses the shell: firmware and shell are of different builds",
                evidence: "\(evidence)\nthe DSP answered \(Self.describe(step.code))", remedy: remedy)
        case .done:
            return Check(
                "build", .ok, "firmware and shell are of different builds, which this DSP accepts",
                evidence: evidence)
        default:
            return Check(
                "build", .warn, "firmware and shell are of different builds; DSPs have refused such a pair",
                evidence: evidence, remedy: remedy)
        }
    }
}
