/// Requests about sessions and about the DSP: `remote_session_control` and `remote_handle_control`. Every
/// status is what the C function returned, 0x14 (`AEE_EUNSUPPORTED`) where a library does not know a request.
extension FastRPCLibrary {
    /// A request of `remote_session_control`: `enum session_control_req_id`.
    public struct SessionRequest: RawRepresentable, Hashable, Sendable {
        /// The number.
        public var rawValue: UInt32

        /// Wraps a number.
        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// `FASTRPC_THREAD_PARAMS`
        public static let threadParameters = SessionRequest(rawValue: 1)
        /// `DSPRPC_CONTROL_UNSIGNED_MODULE`
        public static let unsignedModule = SessionRequest(rawValue: 2)
        /// `FASTRPC_RELATIVE_THREAD_PRIORITY`
        public static let relativeThreadPriority = SessionRequest(rawValue: 4)
        /// `FASTRPC_REMOTE_PROCESS_KILL`
        public static let kill = SessionRequest(rawValue: 6)
        /// `FASTRPC_SESSION_CLOSE`
        public static let close = SessionRequest(rawValue: 7)
        /// `FASTRPC_REMOTE_PROCESS_EXCEPTION`
        public static let exception = SessionRequest(rawValue: 9)
        /// `FASTRPC_REMOTE_PROCESS_TYPE`
        public static let processType = SessionRequest(rawValue: 10)
        /// `FASTRPC_REGISTER_STATUS_NOTIFICATIONS`
        public static let statusNotifications = SessionRequest(rawValue: 11)
        /// `FASTRPC_RESERVE_NEW_SESSION`
        public static let reserve = SessionRequest(rawValue: 13)
        /// `FASTRPC_GET_EFFECTIVE_DOMAIN_ID`
        public static let effectiveDomain = SessionRequest(rawValue: 14)
        /// `FASTRPC_GET_URI`
        public static let uri = SessionRequest(rawValue: 15)
    }

    /// Whether the next process on `domain` may load unsigned modules: `DSPRPC_CONTROL_UNSIGNED_MODULE`. Kept
    /// for each effective domain; 5 (`AEE_EALREADYLOADED`) once the process is there.
    public func setUnsignedModules(_ isEnabled: Bool, domain: CInt) -> CInt {
        send(.unsignedModule, (domain, CInt(isEnabled ? 1 : 0)))
    }

    /// Priority (1 highest … 255) and stack of threads on the DSP, before the process is there:
    /// `FASTRPC_THREAD_PARAMS`; -1 for the default of either.
    public func setThreadParameters(priority: CInt, stackByteCount: CInt, domain: CInt) -> CInt {
        send(.threadParameters, (domain, priority, stackByteCount))
    }

    /// Makes threads on the DSP more (negative) or less urgent than usual:
    /// `FASTRPC_RELATIVE_THREAD_PRIORITY`.
    public func setRelativeThreadPriority(_ difference: CInt, domain: CInt) -> CInt {
        send(.relativeThreadPriority, (domain, difference))
    }

    /// Ends the process and closes its handles: `FASTRPC_SESSION_CLOSE`.
    ///
    /// The open-source library (29851fd) crashes in it, with open handles and without: close the handles, with the
    /// last of which the library ends the process anyhow.
    public func closeSession(domain: CInt) -> CInt {
        send(.close, domain)
    }

    /// Kills the process: `FASTRPC_REMOTE_PROCESS_KILL`. Not on mainline kernels.
    public func killProcess(domain: CInt) -> CInt {
        send(.kill, domain)
    }

    /// Lets the process run into an exception: `FASTRPC_REMOTE_PROCESS_EXCEPTION`.
    public func raiseException(domain: CInt) -> CInt {
        send(.exception, domain)
    }

    /// Whether the process is a signed (0) or an unsigned one (1): `FASTRPC_REMOTE_PROCESS_TYPE`.
    public func processType(domain: CInt, type: inout CInt) -> CInt {
        var payload = (domain, CInt(-1))
        let status = request(.processType, &payload)
        type = payload.1
        return status
    }

    /// Reserves a session of the DSP called `domain` that nobody in this process uses:
    /// `FASTRPC_RESERVE_NEW_SESSION`. 0x8a (`AEE_ENOSESSION`) when there is none.
    public func reserveSession(
        domain: String, name: String, effectiveDomain: inout UInt32, session: inout UInt32
    ) -> CInt {
        withText(domain) { domain, domainByteCount in
            withText(name) { name, nameByteCount in
                // A tuple is laid out as the C structure: the second text at 16, the results at 28 and 32.
                var payload = (domain, domainByteCount, name, nameByteCount, UInt32(0), UInt32(0))
                let status = request(.reserve, &payload)
                (effectiveDomain, session) = (payload.4, payload.5)
                return status
            }
        }
    }

    /// The number of a session of the DSP called `domain`: `FASTRPC_GET_EFFECTIVE_DOMAIN_ID`.
    public func effectiveDomain(domain: String, session: UInt32, effectiveDomain: inout UInt32) -> CInt {
        withText(domain) { domain, byteCount in
            var payload = (domain, byteCount, session, UInt32(0))
            let status = request(.effectiveDomain, &payload)
            effectiveDomain = payload.3
            return status
        }
    }

    /// The URI of a module in a session: `FASTRPC_GET_URI`.
    ///
    /// - Parameter module: a URI that names neither domain nor session.
    public func uri(module: String, domain: String, session: UInt32, uri: inout String) -> CInt {
        let room = [CChar](repeating: 0, count: module.utf8.count + domain.utf8.count + 64)
        var text = room
        let status = text.withUnsafeMutableBufferPointer { text in
            withText(domain) { domain, domainByteCount in
                withText(module) { module, moduleByteCount in
                    var payload = (
                        domain, domainByteCount, session, module, moduleByteCount, text.baseAddress,
                        UInt32(text.count)
                    )
                    return request(.uri, &payload)
                }
            }
        }
        if status == 0 {
            uri = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return status
    }

    /// The type of `fastrpc_notif_fn_t`: context, domain, session, a value of `remote_rpc_status_flags_t`.
    public typealias StatusNotification =
        @convention(c) (UnsafeMutableRawPointer?, CInt, CInt, CInt) -> CInt

    /// Asks to be called when the process starts, ends or crashes: `FASTRPC_REGISTER_STATUS_NOTIFICATIONS`.
    /// There is no way to take it back, so `context` must live as long as this process.
    public func registerStatusNotifications(
        domain: CInt, context: UnsafeMutableRawPointer?, _ notification: @escaping StatusNotification
    ) -> CInt {
        // As a pointer: a function inside a generic value need not keep C's representation.
        send(.statusNotifications, (context, domain, unsafeBitCast(notification, to: UnsafeRawPointer.self)))
    }

    /// What the DSP is capable of: `DSPRPC_GET_DSP_INFO`; works before anything is opened.
    public func capability(
        domain: UInt32, attribute: UInt32, value: inout UInt32
    ) throws(FastRPCLibraryError) -> CInt {
        var payload = (domain, attribute, UInt32(0))
        let status = try withBytes(&payload) { bytes, byteCount throws(FastRPCLibraryError) in
            try control(request: HandleRequest.information.rawValue, data: bytes, byteCount: byteCount)
        }
        value = payload.2
        return status
    }

    /// How hard the process with this handle tries to answer fast: `DSPRPC_CONTROL_LATENCY`.
    ///
    /// - Parameters:
    ///   - mode: a value of `enum remote_rpc_latency_flags`.
    ///   - microseconds: the latency wished for.
    public func setLatency(handle: UInt64, mode: UInt32, microseconds: UInt32) -> CInt {
        var payload = (mode, microseconds)
        return withBytes(&payload) { bytes, byteCount in
            control(
                handle: handle, request: HandleRequest.latency.rawValue, data: bytes, byteCount: byteCount)
        }
    }

    /// The effective domain of a handle: `DSPRPC_GET_DOMAIN`.
    public func domain(handle: UInt64, domain: inout CInt) -> CInt {
        var payload = CInt(-1)
        let status = withBytes(&payload) { bytes, byteCount in
            control(handle: handle, request: HandleRequest.domain.rawValue, data: bytes, byteCount: byteCount)
        }
        domain = payload
        return status
    }

    private func send(_ number: SessionRequest, _ payload: some Any) -> CInt {
        var payload = payload
        return request(number, &payload)
    }

    private func request(_ number: SessionRequest, _ payload: inout some Any) -> CInt {
        withBytes(&payload) { bytes, byteCount in
            sessionControl(request: number.rawValue, data: bytes, byteCount: byteCount)
        }
    }
}

/// A request of `remote_handle_control` and `remote_handle64_control`: `enum handle_control_req_id`.
private enum HandleRequest: UInt32 {
    /// `DSPRPC_CONTROL_LATENCY`
    case latency = 1
    /// `DSPRPC_GET_DSP_INFO`
    case information = 2
    /// `DSPRPC_GET_DOMAIN`
    case domain = 4
}

/// A C structure's bytes and its size, which with the padding at the end is what Swift calls stride.
private func withBytes<Payload, Failure: Error>(
    _ payload: inout Payload, _ body: (UnsafeMutableRawPointer, UInt32) throws(Failure) -> CInt
) throws(Failure) -> CInt {
    var result: Result<CInt, Failure>?
    withUnsafeMutablePointer(to: &payload) { pointer in
        do throws(Failure) {
            result = .success(
                try body(UnsafeMutableRawPointer(pointer), UInt32(MemoryLayout<Payload>.stride)))
        } catch {
            result = .failure(error)
        }
    }
    guard let result else { preconditionFailure("the body ran") }
    return try result.get()
}

/// A text as C wants it, and its length without the zero at the end.
private func withText(
    _ text: String, _ body: (UnsafePointer<CChar>, UInt32) -> CInt
) -> CInt {
    text.withCString { body($0, UInt32(text.utf8.count)) }
}
