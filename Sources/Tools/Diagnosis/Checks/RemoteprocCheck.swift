/// Does the DSP run, with which firmware?
extension Prober {
    func remoteprocCheck(_ found: Findings) -> Check {
        if let cause = foreign(found) { return Findings.skipped("remoteproc", cause) }
        guard let processor else {
            if let cause = found.cause(["driver"]) { return Findings.skipped("remoteproc", cause) }
            let seen = processors.map { "\($0.path): \($0.name), \($0.state)" }
            let evidence =
                seen.isEmpty ? "nothing under /sys/class/remoteproc" : seen.joined(separator: "\n")
            guard nodes.isEmpty else {
                return Check(
                    "remoteproc", .warn,
                    "the kernel names no remote processor for \(domain.name), though there is a node",
                    evidence: evidence)
            }
            return Check(
                "remoteproc", .fail, "this kernel knows no processor \(domain.name)", evidence: evidence,
                remedy: """
                    sudo dmesg | grep -i remoteproc  # what the kernel found
                    ls /proc/device-tree/soc*/ | grep remoteproc  # if none is for \(domain.name), this board's \
                    device tree lacks it: update the kernel, or ask the board's vendor
                    """)
        }
        var evidence = [
            "\(processor.path): name \(processor.name), state \(processor.state), firmware \(processor.firmware)"
        ]
        let file = processor.firmwarePaths(on: machine).first(where: machine.exists)
        if let file {
            let build = ImageVersion.read(file, on: machine)
            evidence.append(file + (build.map { ": \($0)" } ?? ""))
        }
        let seen = evidence.joined(separator: "\n")
        switch processor.state {
        case "running", "attached":
            return Check("remoteproc", .ok, "\(domain.name) is \(processor.state)", evidence: seen)
        case "crashed":
            return Check(
                "remoteproc", .fail, "\(domain.name) has crashed", evidence: seen,
                remedy: """
                    sudo dmesg | grep -i -A3 -e 'crash' -e \(processor.name)  # why
                    sudo reboot  # brings it back
                    """)
        default:
            return notRunning(processor, file, seen)
        }
    }

    private func notRunning(_ processor: RemoteProcessor, _ file: String?, _ evidence: String) -> Check {
        let start = "echo start | sudo tee \(processor.path)/state"
        if file != nil {
            return Check(
                "remoteproc", .fail, "\(domain.name) is switched off (\(processor.state))",
                evidence: evidence,
                remedy: """
                    \(start)  # starts it
                    sudo dmesg | tail -20  # if it does not start, this says why
                    """)
        }
        return Check(
            "remoteproc", .fail,
            "\(domain.name) is switched off (\(processor.state)), as its firmware is not installed",
            evidence: "\(evidence)\nno /lib/firmware/\(processor.firmware)",
            remedy: """
                apt-cache search firmware | grep -i -e qcom -e qualcomm  # install the one that has \
                \(processor.firmware)
                \(start)
                """)
    }
}
