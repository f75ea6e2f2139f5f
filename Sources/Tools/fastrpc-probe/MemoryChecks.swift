import SharedMemory

/// Can this user allocate memory that the DSP sees, and what else could share it?
extension Prober {
    func heapCheck() -> Check {
        let heaps = machine.list("/dev/dma_heap").map { "/dev/dma_heap/\($0)" }
        let system = "/dev/dma_heap/system"
        let others = heaps.filter { $0 != system }
        let withoutIt = "FastRPC then allocates through the DSP's own node, which takes a session more"
        guard let attributes = machine.attributes(system) else {
            return Check(
                "dma-heap", .warn, "no \(system): \(withoutIt)",
                evidence: others.isEmpty ? "nothing under /dev/dma_heap" : others.joined(separator: ", "),
                remedy: "zgrep DMABUF_HEAPS /proc/config.gz /boot/config-$(uname -r)  # both "
                    + "CONFIG_DMABUF_HEAPS and CONFIG_DMABUF_HEAPS_SYSTEM; a container needs the node passed in"
            )
        }
        let evidence = (["\(system) \(attributes.description)"] + others).joined(separator: "\n")
        guard let refusal = machine.refusal(system) else {
            return Check("dma-heap", .ok, "\(user.name) may allocate from \(system)", evidence: evidence)
        }
        let node = Report.Node(
            path: system, owner: attributes.owner, group: attributes.group, mode: attributes.octal,
            accessible: false)
        return Check(
            "dma-heap", .warn, "\(user.name) may not open \(system) (\(refusal)): \(withoutIt)",
            evidence: evidence,
            remedy: accessRemedy(
                node, rule: "SUBSYSTEM==\"dma_heap\", KERNEL==\"system\"", file: "60-dma-heap"))
    }

    func drmCheck() -> Check {
        let accelerators = machine.list("/dev/accel").map { "/dev/accel/\($0)" }
        if machine.isMadeUp {
            let nodes = machine.list("/dev/dri").map { "/dev/dri/\($0)" } + accelerators
            return Check(
                "drm", nodes.isEmpty ? .skip : .ok, nodes.isEmpty ? "no DRM device" : "DRM devices",
                evidence: nodes.joined(separator: "\n"))
        }
        do {
            let lines = try DRMNodes.list().map { device in
                [device.primaryNode, device.renderNode].compactMap(\.self).joined(separator: " ")
                    + " (\(device.bus.rawValue), driver \(device.driver ?? "not known to this user"))"
            }
            let all = lines + accelerators
            return Check(
                "drm", all.isEmpty ? .skip : .ok,
                all.isEmpty ? "no DRM device; none is needed" : "\(all.count) DRM device(s)",
                evidence: all.joined(separator: "\n"))
        } catch {
            return Check("drm", .warn, "\(error)")
        }
    }
}
