import Glibc
import Logging

/// Reaches DSPs through the kernel's FastRPC driver, without a vendor library.
///
/// ```swift
/// let session = try Session(KernelTransport())
/// ```
///
/// A session opens a node, copies the DSP's shell into shared memory, creates a process of it, and serves that
/// process's files, memory and log on a thread of its own. `references/kernel-transport.md` has each step.
public struct KernelTransport: Transport {
    /// How sessions are made.
    public var options: Options

    /// A transport; nothing is opened before a session begins.
    public init(_ options: Options = Options()) {
        self.options = options
    }

    /// `kernel`
    public var name: String { "kernel" }

    /// How sessions are made.
    public struct Options: Sendable {
        /// Where the nodes `fastrpc-<domain>` and `fastrpc-<domain>-secure` are.
        public var nodeDirectory = "/dev"
        /// Which of a DSP's two nodes is opened.
        public var nodeChoice = NodeChoice.automatic
        /// The shell's file; nil to search as libcdsprpc does.
        public var shellPath: String?
        /// Folders of modules, looked into before those of the environment. Each is tried as
        /// `folder/<domain>/name` and `folder/name`.
        public var modulePath: [String] = []
        /// Modules in memory by file name, for example `libhtp_skel.so`, looked up before all folders.
        public var modules: [String: [UInt8]] = [:]
        /// `DSP_LIBRARY_PATH` or else `ADSP_LIBRARY_PATH`, folders of modules separated by `;`, and
        /// `MACHINE_NAME`, the board's name where no device tree says it. All of it is what `getenv` finds on
        /// the DSP.
        public var environment = Options.processEnvironment
        /// Gets the DSP's log lines, and what this transport has to say.
        public var logger = Logger(label: "hexagonrpc.kernel")
        /// What the process on the DSP is called, at most 15 bytes; nil for the name of the calling thread.
        public var processName: String?
        /// Attributes of the process, besides ``FastRPCKernel/ProcessAttributes/unsignedModule``, which the
        /// session's configuration decides.
        public var attributes: ProcessAttributes = []
        /// How long the end of a session waits for the process on the DSP.
        public var endTimeout = Duration.seconds(5)
        /// How long the beginning of a session waits until the process on the DSP takes the listener.
        public var startTimeout = Duration.seconds(10)
        /// The machine's files, for the search of shell and board.
        package var files = HostFiles()
        /// Where the dma-heaps are.
        package var heapDirectory = "/dev/dma_heap"
        /// Is told what the process on the DSP wants of the host, from several threads.
        package var observe: (@Sendable (ListenerEvent) -> Void)?

        /// The usual: the nodes in `/dev`, the machine's shell, the environment's search path.
        public init() {}

        /// The variables of this process that ``environment`` is made of.
        public static var processEnvironment: [String: String] {
            var environment: [String: String] = [:]
            for name in ["DSP_LIBRARY_PATH", "ADSP_LIBRARY_PATH", "MACHINE_NAME"] {
                environment[name] = getenv(name).map { String(cString: $0) }
            }
            return environment
        }
    }

    /// Which of a DSP's nodes is opened.
    public enum NodeChoice: Hashable, Sendable {
        /// For unsigned modules the plain node and then, where it is not there or may not be opened, the one
        /// ending in `-secure`; for signed ones the other way round, as the plain node of most DSPs refuses
        /// signed processes.
        case automatic
        /// The plain node only.
        case plain
        /// The node ending in `-secure` only.
        case secure
    }

    /// Begins a session: creates a process on the DSP and starts to serve its calls.
    ///
    /// - Throws: an error for each cause, with its remedy: no node, no permission, no free session, no shell,
    ///   a shell of another build, signed modules on the plain node, no memory.
    public func connect(
        _ configuration: SessionConfiguration
    ) throws(RemoteCallError) -> any TransportSession {
        guard (0...3).contains(configuration.index) else {
            throw RemoteCallError(
                .badParameter, operation: "begin session \(configuration.index) on \(configuration.domain)",
                advice: "sessions are numbered from 0 to 3")
        }
        return try KernelSession(options, configuration)
    }

    /// Asks a DSP for the capabilities that its kernel driver knows (attributes 1 to 11). Opens a node for the
    /// time of the call, which takes one of the DSP's sessions.
    ///
    /// - Returns: nil where the firmware is too old to be asked.
    public func capabilities(of domain: Domain) throws(RemoteCallError) -> [DSPAttribute: UInt32]? {
        let device = try openNode(domain, unsignedModules: true)
        var result: [DSPAttribute: UInt32] = [:]
        for number: UInt32 in 1...11 {
            let attribute = DSPAttribute(rawValue: number)
            guard let value = try device.knownCapability(attribute) else { continue }
            result[attribute] = value
        }
        return result.isEmpty ? nil : result
    }
}

extension KernelTransport {
    /// Whether the kernel writes the answer to a question about capabilities over the domain, as kernels before
    /// July 2024 do. ``capabilities(of:)`` reads it there.
    package func answersInDomain(_ domain: Domain) throws(RemoteCallError) -> Bool {
        let device = try openNode(domain, unsignedModules: true)
        do throws(FastRPCKernelError) {
            return try device.capabilityReply(.architectureVersion).isInDomain
        } catch {
            throw RemoteCallError(error)
        }
    }
}

extension FastRPCDevice {
    /// A capability, or nil where the firmware cannot be asked.
    borrowing func knownCapability(_ attribute: DSPAttribute) throws(RemoteCallError) -> UInt32? {
        do throws(FastRPCKernelError) {
            return try capability(attribute)
        } catch {
            switch error.cause {
            // EPERM is an old firmware's -1.
            case .errno(EOPNOTSUPP), .errno(EPERM), .errno(ENOTTY), .errno(EOVERFLOW), .dsp: return nil
            default: throw RemoteCallError(error)
            }
        }
    }
}
