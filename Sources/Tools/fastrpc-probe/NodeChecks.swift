/// Are there device nodes, and may this user open them? Opening one would take a DSP session, so that is
/// decided by asking the kernel about permission only.
extension Prober {
    static func nodes(of domain: Domain, on machine: Machine) -> [Report.Node] {
        domain.nodePaths.compactMap { path in
            machine.attributes(path).map { attributes in
                Report.Node(
                    path: path, owner: attributes.owner, group: attributes.group, mode: attributes.octal,
                    accessible: machine.refusal(path) == nil)
            }
        }
    }

    func nodesCheck(driver: Check, remoteproc: Check) -> Check {
        if !nodes.isEmpty {
            return Check(
                "nodes", .ok, "\(domain.name) has \(nodes.count == 1 ? "a device node" : "two device nodes")",
                evidence: nodes.map(describe).joined(separator: "\n"))
        }
        let others = machine.list("/dev").filter { $0.hasPrefix("fastrpc-") }.map { "/dev/\($0)" }
        let accelerators = machine.list("/dev/accel").map { "/dev/accel/\($0)" }
        var evidence = "no " + domain.nodePaths.joined(separator: ", no ")
        if !others.isEmpty { evidence += "\nbut " + others.joined(separator: ", ") }
        if !accelerators.isEmpty {
            evidence += "\n\(accelerators.joined(separator: ", ")): with the QDA driver a DSP is there"
        }
        let registered = domain.nodePaths.map { "/sys/class/misc/" + $0.dropFirst(5) }.filter(machine.exists)
        if !registered.isEmpty {
            return Check(
                "nodes", .fail, "the driver has registered \(domain.name), but /dev lacks its nodes",
                evidence: "\(evidence)\n\(registered.joined(separator: "\n"))",
                remedy: "ls -l /dev/fastrpc-*  # in a container: pass the nodes in, as with "
                    + "`docker run --device \(domain.nodePaths[0])`")
        }
        let remedy =
            if driver.status == .fail {
                "see the check `driver` first"
            } else if remoteproc.status == .fail {
                "see the check `remoteproc` first"
            } else {
                "sudo dmesg | grep -i fastrpc  # the device tree needs a qcom,fastrpc node with the label "
                    + "\"\(domain.name)\""
            }
        return Check(
            "nodes", .fail, "\(domain.name) has no device node", evidence: evidence, remedy: remedy)
    }

    func nodeAccessCheck() -> Check {
        guard !nodes.isEmpty else { return Check("node-access", .skip, "there is no node to open") }
        let evidence = nodes.map { node in
            "\(describe(node)): "
                + (node.accessible ? "permitted" : machine.refusal(node.path) ?? "permitted")
        }.joined(separator: "\n")
        if let node = nodes.first(where: \.accessible) {
            return Check("node-access", .ok, "\(user.name) may open \(node.path)", evidence: evidence)
        }
        return Check(
            "node-access", .fail, "\(user.name) may not open \(nodes.map(\.path).joined(separator: " or "))",
            evidence: "\(evidence)\n\(user.name) is in \(user.groups.joined(separator: ", "))",
            remedy: accessRemedy(
                nodes[0], rule: "SUBSYSTEM==\"misc\", KERNEL==\"fastrpc-*\"", file: "60-fastrpc"))
    }

    /// How a user gets read access to a device: by joining its group, or by a rule that gives it one.
    func accessRemedy(_ node: Report.Node, rule: String, file: String) -> String {
        let groupMayRead = (UInt32(node.mode, radix: 8) ?? 0) & 0o040 != 0
        if groupMayRead, node.group != "root", !user.groups.contains(node.group) {
            return user.isListed(in: node.group)
                ? "log out and in again  # \(user.name) has joined \(node.group) since this login"
                : "sudo usermod -aG \(node.group) \(user.name)  # then log out and in again"
        }
        return """
            echo '\(rule), GROUP="render", MODE="0660"' | sudo tee /etc/udev/rules.d/\(file).rules
            sudo udevadm control --reload && sudo udevadm trigger
            sudo usermod -aG render \(user.name)  # then log out and in again
            """
    }

    private func describe(_ node: Report.Node) -> String {
        "\(node.path) \(node.owner):\(node.group) \(node.mode)"
    }
}
