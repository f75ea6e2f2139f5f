/// Are there device nodes, and may this user open them? Opening one takes a session of the DSP, so that is decided
/// by asking the kernel about permission only.
extension Prober {
    func nodesCheck(_ found: Findings) -> Check {
        if !nodes.isEmpty {
            return Check(
                "nodes", .ok, "\(domain.name) has \(nodes.count == 1 ? "a device node" : "two device nodes")",
                evidence: nodes.map(\.description).joined(separator: "\n"))
        }
        if let cause = found.cause(["driver", "remoteproc"]) { return Findings.skipped("nodes", cause) }
        let others = machine.list("/dev").filter { $0.hasPrefix("fastrpc-") }.map { "/dev/\($0)" }
        let accelerators = machine.list("/dev/accel").map { "/dev/accel/\($0)" }
        var evidence = ["no " + domain.nodePaths.joined(separator: ", no ")]
        if !others.isEmpty { evidence.append("but " + others.joined(separator: ", ")) }
        if !accelerators.isEmpty {
            evidence.append(
                "\(accelerators.joined(separator: ", ")): a kernel with the QDA driver has its DSPs there")
        }
        let registered = domain.nodePaths.map { "/sys/class/misc/" + $0.dropFirst(5) }.filter(machine.exists)
        guard registered.isEmpty else {
            let options = registered.map { "--device /dev/" + $0.dropFirst("/sys/class/misc/".count) }
            return Check(
                "nodes", .fail,
                "the kernel has device nodes for \(domain.name), but they are not in this /dev",
                evidence: (evidence + registered).joined(separator: "\n"),
                remedy: """
                    # in a container, pass the devices in: docker run \(options.joined(separator: " ")) --device \
                    /dev/dma_heap/system …
                    sudo udevadm trigger --subsystem-match=misc  # outside of one: lets udev make them
                    """)
        }
        return Check(
            "nodes", .fail, "the driver has made no device node for \(domain.name)",
            evidence: (evidence + fastRPCEvidence).joined(separator: "\n"),
            remedy: """
                sudo dmesg | grep -i fastrpc  # why
                fastrpc-probe --domain adsp  # whether another DSP has one
                # the board's device tree needs a node qcom,fastrpc with label "\(domain.name)" below the remote \
                processor: update the kernel, or ask the board's vendor
                """)
    }

    /// What the device tree has, in words.
    var fastRPCEvidence: [String] {
        guard deviceTree.isThere else { return [] }
        let path = DeviceTree.base
        guard let fastRPC else { return ["no qcom,fastrpc with label \(domain.name) below \(path)"] }
        return [fastRPC.path + (fastRPC.isDisabled ? ": disabled" : "")]
    }

    func nodeAccessCheck(_ found: Findings) -> Check {
        if let cause = found.cause(["nodes"]) { return Findings.skipped("node-access", cause) }
        let evidence =
            nodes.map { node in
                "\(node.description): " + (machine.refusal(node.path) ?? "\(user.name) may open it")
            } + ["\(user.name) is in \(user.groups.joined(separator: ", "))"] + rules("fastrpc")
        let seen = evidence.joined(separator: "\n")
        let closed = nodes.filter { !$0.accessible }
        guard let open = nodes.first(where: \.accessible) else {
            return Check(
                "node-access", .fail,
                "\(user.name) may not open \(nodes.map(\.path).joined(separator: " or "))",
                evidence: seen,
                remedy: accessRemedy(
                    nodes[0], rule: "SUBSYSTEM==\"misc\", KERNEL==\"fastrpc-*\"", file: "60-fastrpc"))
        }
        if let secure = closed.first(where: { $0.path.hasSuffix("-secure") }) {
            return Check(
                "node-access", .warn,
                "unsigned modules only: \(user.name) may open \(open.path), which refuses signed ones (0x72)",
                evidence: seen,
                remedy:
                    "# programs must ask for unsigned modules before they open a session, as HexagonRPC does;\n"
                    + "# only for signed modules, get access to \(secure.path):\n"
                    + accessRemedy(
                        secure, rule: "SUBSYSTEM==\"misc\", KERNEL==\"fastrpc-*\"", file: "60-fastrpc"))
        }
        return Check("node-access", .ok, "\(user.name) may open \(open.path)", evidence: seen)
    }

    /// The udev rules about a device, as evidence.
    func rules(_ word: String) -> [String] {
        let lines = UdevRules(machine: machine).lines(mentioning: word)
        return lines.isEmpty ? ["no udev rule mentions \(word)"] : lines.map { "udev: \($0)" }
    }

    /// How a user gets read access to a device: by joining its group, or by a rule that gives it one.
    func accessRemedy(_ node: DeviceNode, rule: String, file: String) -> String {
        let groupMayRead = (UInt32(node.mode, radix: 8) ?? 0) & 0o040 != 0
        if groupMayRead, node.group != "root", !user.groups.contains(node.group) {
            return user.isListed(in: node.group)
                ? "newgrp \(node.group)  # or log out and in again: you joined \(node.group) after this login"
                : "sudo usermod -aG \(node.group) $USER  # then log out and in again"
        }
        return """
            echo '\(rule), GROUP="render", MODE="0660"' | sudo tee /etc/udev/rules.d/\(file).rules
            sudo udevadm control --reload && sudo udevadm trigger
            sudo usermod -aG render $USER  # then log out and in again
            """
    }
}
