/// Which kernel is this, and has it a FastRPC driver?
extension Prober {
    func kernelCheck() -> Check {
        guard let release = machine.kernelRelease else {
            return Check(
                "kernel", .warn, "the kernel does not tell its release", evidence: "/proc/sys/kernel")
        }
        let board = machine.model.map { " on \($0)" } ?? ""
        let container = machine.container.map { "\n\($0): this is a container" } ?? ""
        return Check(
            "kernel", .ok, "Linux \(release)\(board)",
            evidence: "/proc/sys/kernel/osrelease: \(release)\(container)")
    }

    func driverCheck() -> Check {
        let misc = machine.list("/sys/class/misc").filter { $0.hasPrefix("fastrpc-") }
        let presence = ["/sys/bus/rpmsg/drivers/qcom,fastrpc", "/sys/module/fastrpc"].filter(machine.exists)
        if !misc.isEmpty || !presence.isEmpty {
            let channels = machine.list("/sys/bus/rpmsg/devices")
                .filter { $0.contains("fastrpc") && $0.contains("apps-dsp") }
            let evidence =
                presence + misc.map { "/sys/class/misc/\($0)" }
                + channels.map { "/sys/bus/rpmsg/devices/\($0)" }
            return Check(
                "driver", .ok, "the FastRPC driver is in the kernel",
                evidence: evidence.joined(separator: "\n"))
        }
        let release = machine.kernelRelease ?? "unknown"
        let folder = "/lib/modules/\(release)/kernel/drivers/misc"
        if let file = machine.list(folder).first(where: { $0.hasPrefix("fastrpc.ko") }) {
            return Check(
                "driver", .fail, "the FastRPC driver is installed but not loaded",
                evidence: "\(folder)/\(file)\nno /sys/module/fastrpc", remedy: "sudo modprobe fastrpc")
        }
        var evidence = [
            "no /sys/module/fastrpc, no /sys/bus/rpmsg/drivers/qcom,fastrpc",
            "no \(folder)/fastrpc.ko",
        ]
        guard machine.isQualcomm else {
            evidence.append(
                machine.compatible.isEmpty
                    ? "no device tree, and no Qualcomm chip in /sys/devices/soc0"
                    : "device tree compatible: \(machine.compatible.joined(separator: ", "))")
            return Check(
                "driver", .fail, "this machine has no Qualcomm chip, so there is no Hexagon DSP",
                evidence: evidence.joined(separator: "\n"),
                remedy: """
                    # run fastrpc-probe on the board with the Qualcomm chip
                    virtual-dsp run -- fastrpc-probe  # or use a virtual DSP, which needs no chip
                    """)
        }
        return Check(
            "driver", .fail, "this kernel has no FastRPC driver", evidence: evidence.joined(separator: "\n"),
            remedy: """
                sudo modprobe fastrpc  # if that finds no module, the kernel was built without it
                zgrep -h QCOM_FASTRPC /proc/config.gz /boot/config-$(uname -r)  # must say =y or =m; if not, install \
                your board vendor's kernel, or one built with CONFIG_QCOM_FASTRPC=m
                """)
    }

    /// The check that makes all others pointless: there is no chip of Qualcomm's.
    func foreign(_ found: Findings) -> Findings.Cause? {
        machine.isQualcomm ? nil : found.cause(["driver"])
    }
}
