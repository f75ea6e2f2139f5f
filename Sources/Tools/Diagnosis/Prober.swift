/// Looks at one DSP of a machine, check by check.
///
/// A check whose precondition failed is skipped and names the check that failed: one cause, one failure.
package struct Prober {
    let machine: Machine
    let domain: DSPName
    var user: User { machine.user }
    /// All remote processors of the machine.
    let processors: [RemoteProcessor]
    /// The one that is this DSP.
    let processor: RemoteProcessor?
    /// The device nodes of this DSP that are there.
    let nodes: [DeviceNode]
    /// What the device tree has for the FastRPC driver of this DSP.
    let deviceTree: DeviceTree
    let fastRPC: DeviceTree.FastRPC?
    /// Tries sessions.
    private let trial: any SessionTrial

    package init(machine: Machine, domain: DSPName, trial: any SessionTrial) {
        self.machine = machine
        self.domain = domain
        self.trial = trial
        processors = RemoteProcessor.all(of: machine)
        processor = processors.first(where: domain.matches)
        nodes = DeviceNode.all(of: domain, on: machine)
        deviceTree = DeviceTree(machine: machine)
        fastRPC = deviceTree.fastRPCNodes().first { $0.label == domain.name }
    }

    /// Looks, tries, and reports.
    package func report() -> Report {
        var found = Findings()
        // In the order in which one is the precondition of another.
        found.add(kernelCheck())
        found.add(driverCheck())
        found.add(remoteprocCheck(found))
        found.add(nodesCheck(found))
        found.add(nodeAccessCheck(found))
        found.add(reservedMemoryCheck(found))
        found.add(heapCheck(found))
        found.add(libraryCheck(found))
        found.add(shellCheck(found))
        found.add(searchPathCheck(found))
        let outcome = kernelOutcome(found)
        found.add(contextBankCheck(found, outcome))
        found.add(buildCheck(found, outcome))
        found.add(capabilityCheck(found, outcome))
        found.add(kernelSessionCheck(found, outcome))
        for check in afterSession(found, outcome) { found.add(check) }
        found.add(librarySessionCheck(found))
        found.add(drmCheck())
        found.add(acceleratorCheck())
        found.add(engineCheck(found))
        return Report(
            domain: domain.name,
            host: .init(
                kernel: machine.kernelRelease, architecture: Self.architecture, model: machine.model,
                user: user.name, groups: user.groups),
            checks: found.inOrder, devices: devices())
    }

    /// What came of the kernel transport's session, or why there was none.
    private func kernelOutcome(_ found: Findings) -> SessionOutcome {
        let names = ["driver", "remoteproc", "nodes", "node-access"]
        if let cause = found.cause(names) { return .notTried(cause) }
        // Without a shell a node can still be asked what its DSP is capable of.
        let modules = [FastRPCProbeModule.file, EngineModule.file].filter { self.module($0) != nil }
        return trial.kernel(
            KernelTrialRequest(
                domain: domain.name, modules: modules, endsBeforeSession: found["shell"]?.status == .fail))
    }

    /// What came of the library's session, or why there was none.
    func libraryOutcome(_ found: Findings) -> SessionOutcome {
        // A DSP that has just died or hangs would only fail once more.
        let decisive = ["library", "session-kernel", "round-trip", "mapping", "call-time"]
        if let cause = found.cause(decisive) { return .notTried(cause) }
        guard let file = libraryFile() else {
            return .notTried(.other("there is no FastRPC library"))
        }
        let mayCall = ["module", "round-trip", "reverse-calls"].allSatisfy { found[$0]?.status == .ok }
        return trial.library(
            LibraryTrialRequest(
                domain: domain.name, file: file,
                modules: mayCall && module(FastRPCProbeModule.file) != nil ? [FastRPCProbeModule.file] : []))
    }

    /// Every DSP of which the machine shows a trace, not only the one asked for.
    private func devices() -> [Report.Device] {
        DSPName.all.compactMap { domain in
            let nodes = DeviceNode.all(of: domain, on: machine)
            let processor = processors.first(where: domain.matches)
            guard !nodes.isEmpty || processor != nil else { return nil }
            return Report.Device(name: domain.name, nodes: nodes, remoteproc: processor)
        }
    }
}

/// The checks that have been made.
struct Findings {
    private var checks: [String: Check] = [:]

    /// The order in which a session comes to life, and in which checks are reported.
    static let order = [
        "kernel", "driver", "nodes", "node-access", "remoteproc", "reserved-memory", "context-banks",
        "dma-heap",
        "library", "capabilities", "shell", "build", "modules", "session-kernel", "session-library", "module",
        "round-trip", "mapping", "largest-mapping", "queue", "call-time", "reverse-calls", "drm", "accel",
        "engine",
    ]

    /// Why a check is not made.
    enum Cause {
        /// A check that failed.
        case check(String)
        /// Anything else, in words.
        case other(String)
    }

    subscript(id: String) -> Check? { checks[id] }

    mutating func add(_ check: Check) { checks[check.id] = check }

    var inOrder: [Check] { Self.order.compactMap { checks[$0] } }

    /// The check that failed, or for whose sake one was skipped, among those of `ids`, the first one in order.
    func cause(_ ids: [String]) -> Cause? {
        for check in ids.compactMap({ checks[$0] }) {
            if check.status == .fail { return .check(check.id) }
            if check.status == .skip, let because = check.because { return .check(because) }
        }
        return nil
    }

    /// A check that is skipped for a cause.
    static func skipped(_ id: String, _ cause: Cause) -> Check {
        switch cause {
        case .check(let name): Check(id, .skip, "not tried because of `\(name)`", because: name)
        case .other(let reason): Check(id, .skip, reason)
        }
    }
}
