extension LibraryTransport {
    /// Asks what a DSP is capable of (`DSPRPC_GET_DSP_INFO`); works before a session is begun.
    ///
    /// - Returns: nil where library or firmware cannot be asked for it. ``DSPAttribute/domainSupport`` is the
    ///   library's reading of `/sys/class/remoteproc`.
    public func capability(
        _ attribute: DSPAttribute, of domain: Domain
    ) throws(RemoteCallError) -> UInt32? {
        var value: UInt32 = 0
        let status: CInt
        do throws(FastRPCLibraryError) {
            status = try library.capability(
                domain: UInt32(bitPattern: domain.rawValue), attribute: attribute.rawValue, value: &value)
        } catch {
            return nil  // remote_handle_control is not there
        }
        let result = AEEResult(status)
        switch result.withoutOffset {
        case .success: return value
        case .unsupported, .unsupportedAPI: return nil
        default:
            throw RemoteCallError(
                result, operation: "ask \(domain) for capability \(attribute.rawValue)",
                advice: Advice.open)
        }
    }

    /// Asks a DSP for the capabilities that the kernel's driver knows (attributes 1 to 11).
    ///
    /// - Returns: nil where library or firmware cannot be asked.
    public func capabilities(of domain: Domain) throws(RemoteCallError) -> [DSPAttribute: UInt32]? {
        var result: [DSPAttribute: UInt32] = [:]
        for number: UInt32 in 1...11 {
            let attribute = DSPAttribute(rawValue: number)
            result[attribute] = try capability(attribute, of: domain)
        }
        return result.isEmpty ? nil : result
    }

    /// Reserves a session that nobody in this process uses (`FASTRPC_RESERVE_NEW_SESSION`). The reservation
    /// ends with the session.
    ///
    /// Where the library cannot, the lowest index is taken that this package does not use.
    ///
    /// - Parameter name: for the library's messages.
    /// - Throws: `AEE_ENOSESSION` when all are taken.
    public func reserveSession(
        on domain: Domain = .compute, name: String = "hexagonrpc", unsignedModules: Bool = true
    ) throws(RemoteCallError) -> SessionConfiguration {
        let operation = "reserve a session on \(domain)"
        var (effective, index) = (UInt32(0), UInt32(0))
        let status = library.reserveSession(
            domain: domain.name, name: name, effectiveDomain: &effective, session: &index)
        var result = AEEResult(status)
        if result == .success, (1...3).contains(index) {
            return SessionConfiguration(domain: domain, index: Int(index), unsignedModules: unsignedModules)
        }
        if result.withoutOffset == .unsupported {
            for index in 1...3 {
                let configuration = SessionConfiguration(
                    domain: domain, index: index, unsignedModules: unsignedModules)
                let number = try effectiveDomain(of: configuration)
                if !LibraryProcess.of(library, number).isInUse { return configuration }
            }
            result = .noSession
        }
        throw RemoteCallError(
            result == .success ? .failed : result, operation: operation,
            advice: "a program has the sessions 0 to 3 on each DSP; close one of them")
    }

    /// Asks the library to make calls of a session answer fast (`DSPRPC_CONTROL_LATENCY`).
    ///
    /// - Parameter handle: any module of the session.
    /// - Throws: `AEE_EUNSUPPORTED` where library or kernel do not know the way asked for; calls work as
    ///   before then.
    public func setLatency(
        _ latency: LatencyControl, of handle: borrowing RemoteHandle
    ) throws(RemoteCallError) {
        let (mode, microseconds) = latency.payload
        let status = library.setLatency(handle: handle.rawValue, mode: mode, microseconds: microseconds)
        try check(status, "set latency control \(latency)", "it is no more than a hint: go on without it")
    }

    /// Sets priority and stack of the threads that run calls on the DSP (`FASTRPC_THREAD_PARAMS`), before the
    /// session is begun.
    ///
    /// - Parameters:
    ///   - priority: 1, the highest, to 255; nil for the library's default, 192.
    ///   - stackByteCount: 16 KiB to 8 MiB; nil for the default, 16 KiB.
    public func setThreadParameters(
        priority: Int? = nil, stackByteCount: Int? = nil, for configuration: SessionConfiguration
    ) throws(RemoteCallError) {
        let operation = "set thread parameters on \(configuration.domain)"
        guard (1...255).contains(priority ?? 1), (16_384...8_388_608).contains(stackByteCount ?? 16_384)
        else {
            throw RemoteCallError(
                .badParameter, operation: operation,
                advice: "priorities are 1 to 255, stacks 16 KiB to 8 MiB")
        }
        let status = library.setThreadParameters(
            priority: CInt(priority ?? -1), stackByteCount: CInt(stackByteCount ?? -1),
            domain: try effectiveDomain(of: configuration))
        try check(status, operation, "")
    }

    /// Whether the process of a session was made for unsigned modules (`FASTRPC_REMOTE_PROCESS_TYPE`); nil
    /// where the library does not know.
    public func isUnsigned(_ configuration: SessionConfiguration) throws(RemoteCallError) -> Bool? {
        var type: CInt = -1
        let status = library.processType(domain: try effectiveDomain(of: configuration), type: &type)
        guard status == 0, (0...1).contains(type) else { return nil }
        return type == 1
    }

    /// Lets the process of a session run into an exception, as a test of what a program makes of it
    /// (`FASTRPC_REMOTE_PROCESS_EXCEPTION`). Close the session afterwards.
    public func raiseException(in configuration: SessionConfiguration) throws(RemoteCallError) {
        let status = library.raiseException(domain: try effectiveDomain(of: configuration))
        try check(status, "raise an exception on \(configuration.domain)", "")
    }

    /// Kills the process of a session that no longer answers (`FASTRPC_REMOTE_PROCESS_KILL`).
    ///
    /// - Throws: `AEE_EUNSUPPORTED` on mainline kernels.
    public func kill(_ configuration: SessionConfiguration) throws(RemoteCallError) {
        let status = library.killProcess(domain: try effectiveDomain(of: configuration))
        try check(
            status, "kill the process on \(configuration.domain)",
            "close the session instead; a DSP that does not answer needs a restart by remoteproc")
    }

    /// Tells the library about a buffer that calls will name by its descriptor and for which the driver
    /// shall not make a mapping by itself (`remote_register_dma_handle_attr`).
    ///
    /// - Parameter isMapped: false for memory that the DSP's code maps by itself (`FASTRPC_ATTR_NOMAP`).
    public func registerDMAHandle(
        _ descriptor: CInt, byteCount: UInt32, isMapped: Bool = true
    ) throws(RemoteCallError) {
        let operation = "register descriptor \(descriptor)"
        let status: CInt
        do throws(FastRPCLibraryError) {
            status = try library.registerDMAHandle(
                descriptor: descriptor, byteCount: byteCount, attributes: isMapped ? 0 : 16)
        } catch {
            throw RemoteCallError(.unsupported, operation: operation, advice: "\(error)")
        }
        try check(status, operation, "a program can register 256 descriptors")
    }

    /// Calls `handler`, on a thread of the library, whenever the process of a session starts or ends
    /// (`FASTRPC_REGISTER_STATUS_NOTIFICATIONS`). There is no way to take it back: `handler` stays for good.
    ///
    /// Mainline kernels accept it and never call; a lost session shows as the error of the next call.
    ///
    /// - Throws: `AEE_EUNSUPPORTED` where the DSP does not report.
    public func onProcessStatus(
        of configuration: SessionConfiguration,
        _ handler: @escaping @Sendable (_ session: Int, _ status: ProcessStatus) -> Void
    ) throws(RemoteCallError) {
        let box = Unmanaged.passRetained(StatusHandler(handler))
        let status = library.registerStatusNotifications(
            domain: try effectiveDomain(of: configuration), context: box.toOpaque()
        ) { context, _, session, status in
            guard let context else { return 0 }
            let handler = Unmanaged<StatusHandler>.fromOpaque(context).takeUnretainedValue()
            handler.call(Int(session), ProcessStatus(rawValue: status))
            return 0
        }
        // Not released on failure: a library may have kept it all the same.
        try check(status, "ask for status notifications on \(configuration.domain)", "")
    }

    private func check(
        _ status: CInt, _ operation: @autoclosure () -> String, _ advice: String
    ) throws(RemoteCallError) {
        guard status == 0 else {
            throw RemoteCallError(AEEResult(status), operation: operation(), advice: advice)
        }
    }
}

/// How calls are made to answer fast: `enum remote_rpc_latency_flags`. Times are the latency wished for, in
/// microseconds.
public enum LatencyControl: Hashable, Sendable {
    /// `RPC_DISABLE_QOS`
    case off
    /// `RPC_PM_QOS`: keeps the host's processors from sleeping deeply.
    case powerManagement(microseconds: UInt32)
    /// `RPC_ADAPTIVE_QOS`: the DSP learns how long methods take and wakes the host early.
    case adaptive(microseconds: UInt32)
    /// `RPC_POLL_QOS`: the host polls memory; up to 10 ms.
    case poll(microseconds: UInt32)

    var payload: (mode: UInt32, microseconds: UInt32) {
        switch self {
        case .off: (0, 0)
        case .powerManagement(let time): (1, time)
        case .adaptive(let time): (2, time)
        case .poll(let time): (3, time)
        }
    }
}

/// What became of the process of a session: `enum remote_rpc_status_flags`.
public struct ProcessStatus: RawRepresentable, Hashable, Sendable {
    /// The number.
    public var rawValue: CInt

    /// Wraps a number.
    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    /// `FASTRPC_USER_PD_UP`
    public static let up = ProcessStatus(rawValue: 0)
    /// `FASTRPC_USER_PD_EXIT`
    public static let exited = ProcessStatus(rawValue: 1)
    /// `FASTRPC_USER_PD_FORCE_KILL`
    public static let killed = ProcessStatus(rawValue: 2)
    /// `FASTRPC_USER_PD_EXCEPTION`
    public static let exception = ProcessStatus(rawValue: 3)
    /// `FASTRPC_DSP_SSR`: the DSP restarts.
    public static let restart = ProcessStatus(rawValue: 4)
}

private final class StatusHandler: Sendable {
    let call: @Sendable (Int, ProcessStatus) -> Void

    init(_ call: @escaping @Sendable (Int, ProcessStatus) -> Void) {
        self.call = call
    }
}
