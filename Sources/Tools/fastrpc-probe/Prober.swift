/// Looks at one DSP of a machine, check by check.
struct Prober {
    let machine: Machine
    let domain: Domain
    let user: User
    /// All remote processors of the machine.
    let processors: [Report.Remoteproc]
    /// The one that is this DSP.
    let processor: Report.Remoteproc?
    /// The device nodes of this DSP that are there.
    let nodes: [Report.Node]

    init(machine: Machine, domain: Domain) {
        self.machine = machine
        self.domain = domain
        user = User()
        processors = Self.remoteprocs(of: machine)
        processor = processors.first(where: domain.matches)
        nodes = Self.nodes(of: domain, on: machine)
    }

    func report() -> Report {
        let driver = driverCheck()
        let remoteproc = remoteprocCheck()
        let checks = [
            kernelCheck(), driver, remoteproc, nodesCheck(driver: driver, remoteproc: remoteproc),
            nodeAccessCheck(), heapCheck(), libraryCheck(), shellCheck(), buildCheck(), drmCheck(),
            sessionCheck(),
        ]
        return Report(
            domain: domain.name,
            host: .init(
                kernel: machine.kernelRelease, architecture: Self.architecture, model: machine.model,
                user: user.name, groups: user.groups),
            checks: checks, devices: devices())
    }

    private func sessionCheck() -> Check {
        Check(
            "session", .skip, "no session was tried: this version only looks",
            evidence: "whether the DSP accepts this machine's firmware and shell, only a session shows")
    }

    /// Every DSP of which the machine shows a trace, not only the one asked for.
    private func devices() -> [Report.Device] {
        Domain.all.compactMap { domain in
            let nodes = Self.nodes(of: domain, on: machine)
            let processor = processors.first(where: domain.matches)
            guard !nodes.isEmpty || processor != nil else { return nil }
            return Report.Device(name: domain.name, nodes: nodes, remoteproc: processor)
        }
    }
}
