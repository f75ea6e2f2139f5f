import SharedMemory

/// What else could share memory with the DSP, or be the DSP: DRM nodes.
extension Prober {
    func drmCheck() -> Check {
        if machine.isMadeUp {
            let nodes = machine.list("/dev/dri").map { "/dev/dri/\($0)" }
            return drm(nodes)
        }
        do {
            return drm(
                try DRMNodes.list().map { device in
                    [device.primaryNode, device.renderNode].compactMap(\.self).joined(separator: " ")
                        + " (\(device.bus.rawValue), driver \(device.driver ?? "not known to this user"))"
                })
        } catch {
            return Check("drm", .skip, "libdrm cannot list the graphics devices", evidence: "\(error)")
        }
    }

    private func drm(_ lines: [String]) -> Check {
        guard !lines.isEmpty else { return Check("drm", .skip, "no graphics device; none is needed") }
        return Check(
            "drm", .ok, "\(lines.count) graphics device\(lines.count == 1 ? "" : "s"), could share buffers",
            evidence: lines.joined(separator: "\n"))
    }

    /// Nodes of compute accelerators: kernels with the QDA driver have their DSPs there.
    func acceleratorCheck() -> Check {
        let nodes = machine.list("/dev/accel").filter { $0.hasPrefix("accel") }
        guard !nodes.isEmpty else { return Check("accel", .skip, "no accelerator node; none is needed") }
        let lines = nodes.map { name -> String in
            let lines = machine.lines("/sys/class/accel/\(name)/device/uevent")
            let driver = lines.first { $0.hasPrefix("DRIVER=") }?.dropFirst("DRIVER=".count)
            return "/dev/accel/\(name)" + (driver.map { ": driver \($0)" } ?? "")
        }
        let isQDA = lines.contains { $0.contains("qda") }
        let evidence = lines.joined(separator: "\n")
        if isQDA, self.nodes.isEmpty {
            return Check(
                "accel", .warn,
                "the DSP is driven by QDA, which neither this package nor libcdsprpc can use yet",
                evidence: evidence,
                remedy:
                    "# boot a kernel whose DSPs have nodes /dev/fastrpc-* (CONFIG_QCOM_FASTRPC, without QDA)")
        }
        return Check(
            "accel", .ok, isQDA ? "a DSP is also there as an accelerator (QDA)" : "accelerators, not DSPs",
            evidence: evidence)
    }
}
