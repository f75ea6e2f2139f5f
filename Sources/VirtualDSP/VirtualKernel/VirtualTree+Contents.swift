extension VirtualTree {
    /// What there is to see of a machine in a scenario, with these DSPs running.
    init(_ machine: VirtualKernel.Configuration, _ scenario: Scenario.Kind, running: Set<String>) {
        addMachine(machine)
        for (index, domain) in machine.domains.enumerated() {
            addDSP(domain, index, machine, scenario, isRunning: running.contains(domain.name))
        }
        if scenario != .noDMAHeap { nodes[DMAHeapNode.path] = Self.everybody }
        addRenderNode()
        if scenario != .noNode { addText("/sys/module/fastrpc/initstate", "live\n") }
    }

    /// Readable and writable by all.
    private static let everybody: UInt32 = 0o666

    private mutating func addText(_ path: String, _ text: String) { files[path] = Array(text.utf8) }

    private mutating func addMachine(_ machine: VirtualKernel.Configuration) {
        let base = "/sys/firmware/devicetree/base"
        addText("\(base)/model", "\(machine.model)\0")
        addText("\(base)/compatible", "hexagonrpc,virtual\0qcom,virtual\0")
    }

    private mutating func addDSP(
        _ domain: VirtualKernel.Domain, _ index: Int, _ machine: VirtualKernel.Configuration,
        _ scenario: Scenario.Kind, isRunning: Bool
    ) {
        let processor = "/sys/class/remoteproc/remoteproc\(index)"
        let firmware = "qcom/virtual/\(domain.name).mbn"
        addText("\(processor)/name", "\(domain.name)\n")
        addText("\(processor)/firmware", "\(firmware)\n")
        // Without the driver the DSP runs all the same.
        let state =
            isRunning || scenario == .noNode ? "running" : scenario == .dspOffline ? "offline" : "crashed"
        addText("\(processor)/state", "\(state)\n")
        files["/lib/firmware/\(firmware)"] = ProcessShell.firmware(build: machine.firmwareBuild)

        if scenario != .noShell {
            let build = machine.firmwareBuild + (scenario == .shellMismatch ? "-OTHER" : "")
            let folder = "/usr/lib/dsp/\(domain.name)"
            let shell = ProcessShell.image(build: build)
            files["\(folder)/fastrpc_shell_\(domain.id)"] = shell
            if domain.takesUnsigned { files["\(folder)/fastrpc_shell_unsigned_\(domain.id)"] = shell }
        }
        addDeviceTree(domain, index, sessions: machine.sessions)
        guard isRunning else { return }
        for (number, node) in domain.nodes.enumerated() {
            let isClosed = scenario == .noPermission || scenario == .plainNodeOnly && node.isSecure
            nodes[node.path] = isClosed ? 0 : Self.everybody
            // Miscellaneous devices get minor numbers from above.
            let name = node.path.dropFirst("/dev/".count)
            addText("/sys/class/misc/\(name)/dev", "10:\(120 - 2 * index - number)\n")
        }
    }

    /// What the device tree says of a DSP: its memory, the node that the driver binds to, and its context banks.
    private mutating func addDeviceTree(_ domain: VirtualKernel.Domain, _ index: Int, sessions: Int) {
        let base = "/sys/firmware/devicetree/base"
        addText("\(base)/reserved-memory/\(domain.name)@\(index + 8)6700000/no-map", "")
        let fastRPC = "\(base)/soc@0/remoteproc@\(index + 1)000000/glink-edge/fastrpc"
        addText("\(fastRPC)/compatible", "qcom,fastrpc\0")
        addText("\(fastRPC)/label", "\(domain.name)\0")
        addText("\(fastRPC)/memory-region", "\0\0\0\u{1}")
        for session in 1...max(1, sessions) {
            addText("\(fastRPC)/compute-cb@\(session)/compatible", "qcom,fastrpc-compute-cb\0")
        }
    }

    /// A render node, and what libdrm wants to know of its device. The node is an ordinary file to `stat`, and
    /// so a device of the number 0:0.
    private mutating func addRenderNode() {
        nodes[DRMRenderNode.path] = Self.everybody
        let device = "/sys/dev/char/0:0/device"
        addText("\(device)/drm/renderD128/dev", "226:128\n")
        addText(
            "\(device)/uevent",
            """
            DRIVER=adreno
            OF_NAME=gpu
            OF_FULLNAME=/soc@0/gpu@3d00000
            OF_COMPATIBLE_0=qcom,adreno
            OF_COMPATIBLE_N=1
            MODALIAS=of:NgpuT(null)Cqcom,adreno

            """)
        links["\(device)/subsystem"] = "../../../../bus/platform"
    }
}
