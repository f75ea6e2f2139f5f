/// Can this user allocate memory that the DSP sees?
extension Prober {
    func heapCheck(_ found: Findings) -> Check {
        if let cause = foreign(found) { return Findings.skipped("dma-heap", cause) }
        let heaps = machine.list("/dev/dma_heap").map { "/dev/dma_heap/\($0)" }
        let system = "/dev/dma_heap/system"
        let others = heaps.filter { $0 != system }
        let withoutIt = "buffers come from the DSP's own node instead"
        guard let attributes = machine.attributes(system) else {
            return Check(
                "dma-heap", .warn, "no \(system): \(withoutIt)",
                evidence: others.isEmpty ? "nothing under /dev/dma_heap" : others.joined(separator: ", "),
                remedy: """
                    # in a container, pass the device in: docker run --device \(system) …
                    zgrep -h DMABUF_HEAPS /proc/config.gz /boot/config-$(uname -r)  # CONFIG_DMABUF_HEAPS and \
                    CONFIG_DMABUF_HEAPS_SYSTEM must say =y; programs that use libcdsprpc need it
                    """)
        }
        let seen = ["\(system) \(attributes.description)"] + others + rules("dma_heap")
        let evidence = seen.joined(separator: "\n")
        guard let refusal = machine.refusal(system) else {
            return Check("dma-heap", .ok, "\(user.name) may allocate from \(system)", evidence: evidence)
        }
        return Check(
            "dma-heap", .warn, "\(user.name) may not open \(system) (\(refusal)): \(withoutIt)",
            evidence: evidence,
            remedy: accessRemedy(
                DeviceNode(system, attributes, accessible: false),
                rule: "SUBSYSTEM==\"dma_heap\", KERNEL==\"system\"", file: "60-dma-heap"))
    }
}
