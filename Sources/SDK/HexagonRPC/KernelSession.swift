import DSPQueue
import Glibc
import Logging
import RemoteCalls
import ReverseTunnel
import SharedMemory
import Synchronization
import SystemInterfaces

/// A process on the DSP that was created through an open node, and the thread that serves it.
final class KernelSession: TransportSession {
    /// The open node; its descriptor is retired at the end, but its number stays taken as long as anybody may
    /// still use it.
    let node: FastRPCAllocator
    let configuration: SessionConfiguration
    let state = SessionState()
    /// Threads that wait for the DSP.
    let callsUnderWay = CallsUnderWay()
    /// Shared buffers that calls pass by descriptor.
    let table = BufferTable()
    /// Buffers that packets of message queues may name.
    let queueBuffers = MappedBuffers()
    let memory: KernelMemory
    let mappings = Mutex<[CInt: KernelMapping]>([:])
    let moduleFiles: ModuleFiles
    /// The queues of this process, from the first one on. They hold the session, which lets go of them at its end.
    private let queues = Mutex<QueueDomain?>(nil)
    private let listener: Listener
    private let options: KernelTransport.Options

    /// Opens a node, creates the process and starts to serve it.
    init(
        _ options: KernelTransport.Options, _ configuration: SessionConfiguration
    ) throws(RemoteCallError) {
        self.options = options
        self.configuration = configuration
        let domain = configuration.domain
        // Before the node, which is precious.
        let shell = try Shell(options, configuration)
        Signals.startReceiver()
        node = FastRPCAllocator(
            owning: try KernelTransport(options).openNode(
                domain, unsignedModules: configuration.unsignedModules))
        memory = KernelMemory(node: node, heapDirectory: options.heapDirectory)
        // The kernel remembers the answers; while there is no process the DSP gives them even where it would
        // refuse them to a process.
        _ = try node.device.knownCapability(.architectureVersion)
        try shell.createProcess(
            on: node.device, memory: memory, options: options,
            unsignedModules: configuration.unsignedModules)

        moduleFiles = ModuleFiles(options)
        var logger = options.logger
        logger[metadataKey: "dsp"] = "\(domain)"
        let server = Self.server(options, configuration, moduleFiles, memory, logger)
        listener = try Listener(
            node: node, server: server, logger: logger, timeout: options.startTimeout,
            observe: options.observe
        ) { [state, logger] error in
            // An end that was asked for is none to tell of.
            if !state.isEndingOnPurpose {
                logger.warning("the session is lost", metadata: ["error": "\(error)"])
            }
            state.lose(RemoteCallError(lost: error, domain))
        }
    }

    deinit { end() }

    private static func server(
        _ options: KernelTransport.Options, _ configuration: SessionConfiguration, _ files: ModuleFiles,
        _ memory: KernelMemory, _ logger: Logger
    ) -> ReverseServer {
        let log: @Sendable (String) -> Void = { message in
            for line in DSPLogLine.lines(message) {
                logger.log(level: line.level, "\(line.text)")
                if line.level >= .warning { options.observe?(.warning(line.text)) }
            }
        }
        let reverse = KernelReverseMemory(memory)
        return ReverseServer(services: [
            FileService(
                searchPath: files.folders, domain: configuration.domain.name, table: options.modules,
                environment: options.environment, log: log, shared: reverse,
                observe: { name, error in
                    files.note(name, error)
                    options.observe?(.file(name, isFound: error == nil))
                    logger.debug(
                        "the DSP opens a file",
                        metadata: ["name": "\(name)", "result": "\(error?.rawValue ?? 0)"])
                }),
            MemoryService(memory: reverse),
            LogService(log: log),
        ])
    }

    func capability(_ attribute: DSPAttribute) throws(RemoteCallError) -> UInt32? {
        try state.check()
        return try node.device.knownCapability(attribute)
    }

    func makeQueue(
        requestByteCount: Int, responseByteCount: Int
    ) throws(DSPQueueError) -> any MessageQueue {
        let domain = try queues.withLock { (made: inout QueueDomain?) throws(DSPQueueError) -> QueueDomain in
            if let made, !made.isClosed { return made }
            let domain = try makeQueueDomain()
            made = domain
            return domain
        }
        return try domain.makeQueue(requestByteCount: requestByteCount, responseByteCount: responseByteCount)
    }

    private func makeQueueDomain() throws(DSPQueueError) -> QueueDomain {
        let transport: KernelQueueTransport
        do throws(RemoteCallError) {
            transport = try KernelQueueTransport(self)
        } catch {
            throw .remote(error)
        }
        return try QueueDomain(
            transport: transport, memory: allocator, buffers: queueBuffers, closesWithLastQueue: true)
    }

    /// The node's descriptor is retired, and all threads that wait in the driver leave it. Then nobody has the node's
    /// file any more, and the kernel has the DSP end the process.
    func abandon() {
        state.lose(
            RemoteCallError(
                .expired, operation: "the session on \(configuration.domain) was given up",
                advice: "the DSP did not answer; begin a new session"))
        try? SystemCalls.retire(node.device.descriptor)
        let limit = ContinuousClock.now + Self.interruptionTime
        callsUnderWay.interrupt(until: limit)
        listener.interrupt(until: limit)
    }

    /// How long threads have to leave the driver, once they are told.
    private static let interruptionTime = Duration.milliseconds(500)

    /// Asks the process to end, waits for the listener, and closes the node. Does not wait longer than
    /// ``KernelTransport/Options/endTimeout`` for a DSP that is silent.
    func end() {
        // While calls are still possible. Fails where somebody left a queue open, which the process takes along.
        try? queues.withLock { $0.take() }?.close()
        guard state.beginEnd() else { return }
        let deadline = ContinuousClock.now + options.endTimeout
        var exit: ServiceThread?
        if !state.isOver {
            // On a thread of its own, since the request waits for ever.
            exit = try? ServiceThread("fastrpc-exit") { [node] in
                let none = UnsafeMutableBufferPointer<InvokeArgument>(start: nil, count: 0)
                // adsp_current_process1.exit; whether it answers does not matter.
                try? node.device.invoke(
                    handle: ADSPCurrentProcess1Method.handle,
                    scalars: ADSPCurrentProcess1Method.exit.scalars.rawValue, arguments: none)
            }
            let hasEnded = exit?.join(until: deadline) == true && listener.join(until: deadline)
            if !hasEnded {
                options.logger.warning(
                    "the process on the DSP did not end in time; its node is closed all the same",
                    metadata: ["node": "\(node.device.path)"])
            }
        }
        state.lose(
            RemoteCallError(AEEResult(rawValue: 0x0d), operation: "use a session that was ended"))
        // Ends the process if it is still there, drops its mappings, and lets a thread that still waits in the
        // driver meet an error instead of another file of the same number.
        do throws(SystemError) { try SystemCalls.retire(node.device.descriptor) } catch {
            options.logger.warning("closing \(node.device.path): \(error)")
        }
        // Threads that are still in the driver keep the file, and so the process, from its end.
        let limit = ContinuousClock.now + Self.interruptionTime
        callsUnderWay.interrupt(until: limit)
        exit?.interrupt(until: limit)
        if !listener.join(until: .now + .milliseconds(100)) { listener.interrupt(until: limit) }
    }
}

extension RemoteCallError {
    /// Why a session is over, from what ended its listener.
    init(lost error: FastRPCKernelError, _ domain: Domain) {
        let reason: String
        switch error.cause {
        case .errno(let code): reason = "\(SystemError(code))"
        case .dsp(let status): reason = "the DSP answered \(AEEResult(rawValue: status))"
        case .argument(let text): reason = text
        }
        let result = RemoteCallError(error).result
        self.init(
            result.isSessionLost ? result : .connectionReset,
            operation: "the session on \(domain) is lost: \(error.operation): \(reason)",
            advice: "the process on the DSP has ended or the DSP restarts: close this session, wait for the "
                + "node (KernelTransport.waitForNode) and begin a new one")
    }
}
