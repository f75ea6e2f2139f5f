import FastRPCKernel
import Glibc
import SharedMemory
import Synchronization
import VirtualChannel

/// The Linux FastRPC driver, a dma-heap and a DRM render node, for other processes, with a virtual DSP behind
/// them.
///
/// What the driver checks, in which order and with which `errno`, is in `references/fastrpc-uapi.md`.
package final class VirtualKernel: Sendable {
    package let configuration: Configuration
    /// What stands behind the descriptors that clients were given.
    package let registry = FileRegistry()
    let launcher: any ProcessLauncher
    private let counter = CPUAccessCounter()
    private let mappings = ClientMappings()
    private let state: Mutex<State>
    /// Held while an observer is told, so that the last tree it sees is the latest.
    private let announcing = Mutex(())

    private struct State: Sendable {
        var scenario: Scenario
        /// The calls of clients' own modules since the scenario began.
        var calls: Int64 = 0
        /// The DSPs that run, by name.
        var channels: [String: DSPChannel] = [:]
        /// DSPs that come back by themselves.
        var restarting: Set<String> = []
        var observer: (@Sendable (VirtualTree) -> Void)?
    }

    /// Starts the kernel; `launcher` starts processes on the DSP.
    package init(_ configuration: Configuration = Configuration(), launcher: any ProcessLauncher) {
        self.configuration = configuration
        self.launcher = launcher
        state = Mutex(State(scenario: configuration.scenario))
        reconcile()
    }

    /// What kind of machine it is.
    package struct Configuration: Sendable {
        /// The architecture's version in hexadecimal digits, `0x68` for v68.
        package var architecture: UInt32 = 0x68
        package var domains: [Domain] = [.computeDSP, .audioDSP]
        /// Sessions (context banks) of each domain; the real driver has room for 14.
        package var sessions = 4
        /// How many bytes a process on the DSP may map and allocate.
        package var memoryLimit: UInt64 = 3584 << 20
        package var scenario = Scenario(.healthy)
        /// The machine's name in the device tree.
        package var model = "HexagonRPC Virtual Machine"
        /// The build of the DSP's firmware; shells of other builds are refused.
        package var firmwareBuild = "VIRTUAL.CDSP.1.0-00001-HEXAGONRPC-1"
        /// How long the DSP is away when it restarts.
        package var restartDelay: Duration = .milliseconds(300)
        /// Whether the chip can poll for answers (`FASTRPC_POLL_MODE`).
        package var canPoll = true

        package init() {}
    }

    /// A DSP of the machine.
    package struct Domain: Hashable, Sendable {
        /// The label in the names of its nodes.
        package var name: String
        /// The number in the names of its shells.
        package var id: Int
        /// Whether it also has the node without `-secure`.
        package var hasPlainNode: Bool
        /// Whether unsigned processes may run there.
        package var takesUnsigned: Bool
        /// Whether the plain node refuses signed processes.
        package var isSecure = true

        package static let computeDSP = Domain(name: "cdsp", id: 3, hasPlainNode: true, takesUnsigned: true)
        package static let audioDSP = Domain(name: "adsp", id: 0, hasPlainNode: false, takesUnsigned: false)
    }

    /// The nodes that there may be; whether one can be seen is the tree's affair.
    package var nodes: [any VirtualNode] {
        var nodes: [any VirtualNode] = [DMAHeapNode(kernel: self), DRMRenderNode(kernel: self)]
        for domain in configuration.domains {
            for node in domain.nodes { nodes.append(FastRPCDeviceNode(kernel: self, node: node)) }
        }
        return nodes
    }

    /// What programs see in the file system now.
    package var tree: VirtualTree {
        let (scenario, running) = state.withLock { ($0.scenario, Set($0.channels.keys)) }
        return VirtualTree(configuration, scenario.kind, running: running)
    }

    /// Calls `body` whenever nodes come or go, from any thread, before whoever caused that goes on. One observer;
    /// a new one replaces it. It must not select a scenario.
    package func onTreeChange(_ body: @escaping @Sendable (VirtualTree) -> Void) {
        state.withLock { $0.observer = body }
    }

    /// How often clients announced the begin and the end of accesses to dma-bufs.
    package var cpuAccesses: CPUAccessCounts { counter.current }

    // MARK: Scenarios

    package var scenario: Scenario { state.withLock { $0.scenario } }

    /// Switches the scenario. What processes on the DSP do changes with those that start from now on; files of a
    /// DSP that went away stay dead.
    package func select(_ scenario: Scenario) {
        state.withLock { state in
            state.scenario = scenario
            state.calls = 0
            state.restarting = []
        }
        reconcile()
    }

    /// Counts a call of a client; one may be the last that its DSP sees.
    func countCall(_ handle: UInt32, _ channel: DSPChannel) {
        // Handles up to 20 are the DSP's own modules.
        guard handle > 20 else { return }
        let name = channel.domain.name
        let restarts = state.withLock { state in
            guard state.scenario.kind == .subsystemRestart else { return false }
            state.calls += 1
            guard state.calls == max(1, state.scenario.parameter ?? 1), state.channels[name] === channel
            else {
                return false
            }
            state.restarting.insert(name)
            return true
        }
        guard restarts else { return }
        reconcile()
        let delay = configuration.restartDelay
        try? DetachedThread.start { [weak self] in
            sleep(for: delay)
            guard let self else { return }
            let isAway = self.state.withLock { $0.restarting.remove(name) != nil }
            if isAway { self.reconcile() }
        }
    }

    /// Makes the DSPs run that should, and no others.
    private func reconcile() {
        let gone = state.withLock { state in
            let isDown = [.noNode, .dspOffline].contains(state.scenario.kind)
            var gone: [DSPChannel] = []
            for domain in configuration.domains {
                if isDown || state.restarting.contains(domain.name) {
                    if let channel = state.channels.removeValue(forKey: domain.name) { gone.append(channel) }
                } else if state.channels[domain.name] == nil {
                    state.channels[domain.name] = DSPChannel(domain, sessions: configuration.sessions)
                }
            }
            return gone
        }
        // Programs that see their files die find the nodes gone.
        announcing.withLock { _ in
            let observer = state.withLock { $0.observer }
            observer?(tree)
        }
        for channel in gone { channel.remove() }
    }

    // MARK: For nodes and files

    /// Refuses to open a node that is not there, or that the client may not open.
    func checkOpening(_ path: String) throws(SystemError) {
        guard let mode = tree.nodes[path] else { throw SystemError(ENOENT) }
        guard mode != 0 else { throw SystemError(EACCES) }
    }

    /// The connection for a new file.
    func channel(_ name: String) throws(SystemError) -> DSPChannel {
        let (channel, kind) = state.withLock { ($0.channels[name], $0.scenario.kind) }
        guard let channel else { throw SystemError(ENOENT) }
        guard kind != .noFreeSession else { throw SystemError(EBUSY) }
        return channel
    }

    /// What a new process is told.
    func describe(process: String, attributes: UInt32, domain: Domain) -> ProcessDescription {
        let scenario = scenario
        var description = ProcessDescription(
            name: process, attributes: attributes, domain: domain.name,
            architecture: configuration.architecture, memoryLimit: configuration.memoryLimit)
        if scenario.kind.isOfProcesses {
            description.scenario = scenario.kind.rawValue
            description.parameter = scenario.parameter ?? 0
        }
        return description
    }

    /// Gives a client a descriptor of a buffer.
    func give(
        _ buffer: VirtualDMABuffer, to caller: any Caller, flags: CInt
    ) throws(SystemError) -> CInt {
        try buffer.give(to: caller, flags: flags, registry: registry, counts: counter)
    }

    /// How far an address lies behind the start of the client's mapping that holds it; nil where none does.
    func offset(of address: UInt64, in caller: any Caller) -> UInt64? {
        guard let start = mappings.start(of: address, in: caller.process), start <= address else {
            return nil
        }
        return address - start
    }

    /// What the DSP answers when asked about itself.
    func capability(_ attribute: DSPAttribute, of domain: Domain) -> UInt32 {
        let architecture = configuration.architecture
        switch attribute {
        case .unsignedProcessSupport:
            return domain.takesUnsigned && scenario.kind != .unsignedSupportReadsZero ? 1 : 0
        case .architectureVersion: return architecture
        case .hvx128: return domain.takesUnsigned ? 4 : 0
        case .vtcmPage: return domain.takesUnsigned ? Self.vtcm(architecture) : 0
        case .vtcmCount: return domain.takesUnsigned ? 1 : 0
        case .hmxDepth, .hmxSpatial: return domain.takesUnsigned && architecture >= 0x68 ? 1 : 0
        case .asynchronousCalls: return 1
        case .statusNotification: return 3
        default: return 0
        }
    }

    /// Bytes of tightly coupled memory, of the size that chips of an architecture have.
    private static func vtcm(_ architecture: UInt32) -> UInt32 {
        switch architecture {
        case ..<0x68: 256 << 10
        case ..<0x73: 4 << 20
        default: 8 << 20
        }
    }
}

extension VirtualKernel.Domain {
    /// The nodes that the driver makes for it.
    var nodes: [FastRPCNode] {
        [FastRPCNode(label: name, isSecure: true)] + (hasPlainNode ? [FastRPCNode(label: name)] : [])
    }
}

extension Scenario.Kind {
    /// Whether the process on the DSP plays it, not the kernel.
    var isOfProcesses: Bool {
        switch self {
        case .skelNotFound, .wrongSymbol, .missingDependency, .processDeath, .outOfMemory, .queueHang,
            .hungCall, .slowDSP, .malformedReverseCalls:
            true
        case .healthy, .noNode, .noPermission, .dspOffline, .noFreeSession, .plainNodeOnly, .noDMAHeap,
            .noShell, .shellMismatch, .oldCapabilityReply, .unsignedSupportReadsZero, .subsystemRestart:
            false
        }
    }
}

/// Lets the calling thread sleep.
private func sleep(for duration: Duration) {
    let end = ContinuousClock.now + duration
    while true {
        let left = ContinuousClock.now.duration(to: end).components
        guard left.seconds > 0 || left.seconds == 0 && left.attoseconds > 0 else { return }
        var time = timespec(tv_sec: Int(left.seconds), tv_nsec: Int(left.attoseconds / 1_000_000_000))
        nanosleep(&time, nil)
    }
}
