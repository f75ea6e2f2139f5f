/// What the device tree gives the DSP: memory, and context banks, each of which is a session.
extension Prober {
    func reservedMemoryCheck(_ found: Findings) -> Check {
        let id = "reserved-memory"
        if let cause = foreign(found) { return Findings.skipped(id, cause) }
        guard deviceTree.isThere else {
            return Check(id, .skip, "this machine boots without a device tree")
        }
        let words = [domain.name] + domain.remoteprocNames + ["fastrpc", "remote-heap"]
        let regions = deviceTree.reservedRegions().filter { region in words.contains { region.contains($0) } }
        var evidence = regions.map { "\(DeviceTree.base)/reserved-memory/\($0)" }
        if let fastRPC {
            evidence.append(
                fastRPC.path + (fastRPC.hasMemoryRegion ? ": has a memory-region" : ": no memory-region"))
        }
        // The audio and sensor DSPs run static processes, which need a heap of the host's.
        if let fastRPC, !fastRPC.hasMemoryRegion, ["adsp", "sdsp"].contains(domain.name) {
            return Check(
                id, .warn, "\(domain.name) has no memory for its static processes (audio, sensors)",
                evidence: evidence.joined(separator: "\n"),
                remedy:
                    "# only audio and sensor processes need it: the device tree's node \(fastRPC.path) then "
                    + "needs a memory-region; ask the board's vendor")
        }
        let none = "the device tree reserves no memory by the name of \(domain.name)"
        return Check(
            id, regions.isEmpty ? .skip : .ok,
            regions.isEmpty ? none : "the device tree reserves memory for \(domain.name)",
            evidence: evidence.joined(separator: "\n"))
    }

    func contextBankCheck(_ found: Findings, _ outcome: SessionOutcome) -> Check {
        let id = "context-banks"
        if let cause = foreign(found) { return Findings.skipped(id, cause) }
        if let cause = found.cause(["nodes"]) { return Findings.skipped(id, cause) }
        let users = nodeUsers()
        let inUse = users.reduce(0) { $0 + $1.count }
        let seen = users.map(\.description)
        guard let fastRPC else {
            return Check(
                id, .skip, "the device tree does not tell how many sessions \(domain.name) has",
                evidence: seen.joined(separator: "\n"))
        }
        let evidence = (["\(fastRPC.path): \(fastRPC.contextBanks) context banks"] + seen).joined(
            separator: "\n")
        guard fastRPC.sessions > 0 else {
            return Check(
                id, .warn, "the device tree gives \(domain.name) no context bank, so no session",
                evidence: evidence,
                remedy:
                    "# the node \(fastRPC.path) needs children qcom,fastrpc-compute-cb: update the kernel, or "
                    + "ask the board's vendor")
        }
        let sessions = "\(fastRPC.sessions) session\(fastRPC.sessions == 1 ? "" : "s")"
        // Where a session is tried, that says whether one was left.
        if inUse >= fastRPC.sessions, outcome.reason != nil {
            return Check(
                id, .warn, "\(domain.name) has \(sessions), and all seem to be in use", evidence: evidence,
                remedy: Self.freeSessionRemedy)
        }
        return Check(
            id, .ok, "\(domain.name) has \(sessions), \(inUse) seen in use", evidence: evidence)
    }

    static let freeSessionRemedy = """
        sudo fuser -v /dev/fastrpc-*  # lists the programs that use a DSP
        sudo kill PID  # end those that you do not need; services: sudo systemctl stop NAME
        """

    /// A process that has nodes of this DSP open. Other users' cannot be seen.
    struct NodeUser {
        var process: String
        var name: String
        var count: Int

        var description: String { "\(name) (process \(process)) has \(count) open" }
    }

    func nodeUsers() -> [NodeUser] {
        let paths = Set(domain.nodePaths)
        return machine.list("/proc").filter { $0.allSatisfy(\.isNumber) }.compactMap { process in
            let folder = "/proc/\(process)/fd"
            let count = machine.list(folder).count {
                machine.link("\(folder)/\($0)").map(paths.contains) == true
            }
            guard count > 0 else { return nil }
            return NodeUser(
                process: process, name: machine.text("/proc/\(process)/comm") ?? "?", count: count)
        }
    }
}
