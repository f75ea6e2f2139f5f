import Glibc

/// Is there a kernel driver, and is the DSP running?
extension Prober {
    func kernelCheck() -> Check {
        guard let release = machine.kernelRelease else {
            return Check(
                "kernel", .warn, "the kernel does not tell its release", evidence: "/proc/sys/kernel")
        }
        return Check("kernel", .ok, "Linux \(release)", evidence: "/proc/sys/kernel/osrelease: \(release)")
    }

    func driverCheck() -> Check {
        let misc = machine.list("/sys/class/misc").filter { $0.hasPrefix("fastrpc-") }
        let channels = machine.list("/sys/bus/rpmsg/devices")
            .filter { $0.contains("fastrpc") && $0.contains("apps-dsp") }
        var evidence = misc.map { "/sys/class/misc/\($0)" } + channels.map { "/sys/bus/rpmsg/devices/\($0)" }
        let presence = ["/sys/bus/rpmsg/drivers/qcom,fastrpc", "/sys/module/fastrpc"].filter(machine.exists)
        evidence += presence
        if !misc.isEmpty || !presence.isEmpty {
            return Check(
                "driver", .ok, "the FastRPC driver is in the kernel",
                evidence: evidence.joined(separator: "\n"))
        }
        let release = machine.kernelRelease ?? "unknown"
        let folder = "/lib/modules/\(release)"
        let files = machine.list("\(folder)/kernel/drivers/misc").filter { $0.hasPrefix("fastrpc.ko") }
        if let file = files.first {
            return Check(
                "driver", .fail, "the FastRPC driver is installed but not loaded",
                evidence: "\(folder)/kernel/drivers/misc/\(file)\nno /sys/module/fastrpc",
                remedy: "sudo modprobe fastrpc")
        }
        evidence.append(
            "no /sys/bus/rpmsg/drivers/qcom,fastrpc, no /sys/module/fastrpc, no \(folder)/…/fastrpc.ko")
        guard machine.compatible.contains(where: { $0.hasPrefix("qcom,") }) else {
            evidence.append(
                machine.compatible.isEmpty
                    ? "no device tree"
                    : "device tree compatible: \(machine.compatible.joined(separator: ", "))")
            return Check(
                "driver", .fail, "no FastRPC driver, and this does not look like a Qualcomm machine",
                evidence: evidence.joined(separator: "\n"),
                remedy:
                    "run this on the board; elsewhere the simulator works: engine generate --device sim0 …")
        }
        return Check(
            "driver", .fail, "this kernel has no FastRPC driver", evidence: evidence.joined(separator: "\n"),
            remedy: "zgrep QCOM_FASTRPC /proc/config.gz /boot/config-$(uname -r)  # must be y or m; if not, "
                + "install a kernel with CONFIG_QCOM_FASTRPC")
    }

    /// All remote processors of the machine.
    static func remoteprocs(of machine: Machine) -> [Report.Remoteproc] {
        machine.list("/sys/class/remoteproc").map { entry in
            let path = "/sys/class/remoteproc/\(entry)"
            return Report.Remoteproc(
                path: path, name: machine.text("\(path)/name") ?? "?",
                state: machine.text("\(path)/state") ?? "?",
                firmware: machine.text("\(path)/firmware") ?? "?")
        }
    }

    func remoteprocCheck() -> Check {
        guard let processor else {
            let seen = processors.map { "\($0.path): \($0.name), \($0.state)" }
            let status: Check.Status = nodes.isEmpty ? .fail : .warn
            return Check(
                "remoteproc", status, "the kernel knows no remote processor for \(domain.name)",
                evidence: seen.isEmpty ? "nothing under /sys/class/remoteproc" : seen.joined(separator: "\n"),
                remedy: status == .warn
                    ? "" : "sudo dmesg | grep -i remoteproc  # the device tree must enable this DSP")
        }
        let evidence =
            "\(processor.path): name \(processor.name), state \(processor.state), firmware \(processor.firmware)"
        switch processor.state {
        case "running", "attached":
            return Check("remoteproc", .ok, "\(domain.name) is \(processor.state)", evidence: evidence)
        case "crashed":
            return Check(
                "remoteproc", .fail, "\(domain.name) has crashed", evidence: evidence,
                remedy: "sudo dmesg | grep -i \(processor.name)  # then restart the board")
        default:
            return notRunning(processor, evidence)
        }
    }

    private func notRunning(_ processor: Report.Remoteproc, _ evidence: String) -> Check {
        let start = "echo start | sudo tee \(processor.path)/state"
        if let file = firmwarePaths(processor).first(where: machine.exists) {
            return Check(
                "remoteproc", .fail, "\(domain.name) is \(processor.state)",
                evidence: "\(evidence)\n\(file)", remedy: start)
        }
        return Check(
            "remoteproc", .fail, "\(domain.name) is \(processor.state), and its firmware is not installed",
            evidence: "\(evidence)\nno /lib/firmware/\(processor.firmware)",
            remedy: "apt-cache search firmware | grep -i -e qcom -e qualcomm  # install the one with "
                + "\(processor.firmware)\n\(start)")
    }

    /// Where the kernel looks for a firmware file, compressed or not.
    func firmwarePaths(_ processor: Report.Remoteproc) -> [String] {
        ["/lib/firmware/updates", "/lib/firmware"].flatMap { folder in
            ["", ".zst", ".xz"].map { "\(folder)/\(processor.firmware)\($0)" }
        }
    }
}
