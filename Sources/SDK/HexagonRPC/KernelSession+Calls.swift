import ErrorCodes
import Glibc
import RemoteCalls
import SharedMemory
import SystemInterfaces

extension KernelSession {
    /// Why a call was not made or failed. Put into words only then: calls are the hot path.
    private enum Failure {
        case kernel(FastRPCKernelError)
        /// An argument that lies in a shared buffer only partly.
        case crossing(Int)
    }

    /// Carries one call: shared buffers of this session by descriptor, all else by copy.
    func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        try state.check()
        let bufferCount = scalars.inBuffers + scalars.outBuffers
        guard let handle = UInt32(exactly: handle), arguments.count >= scalars.argumentCount else {
            throw RemoteCallError(
                .badParameter,
                operation: "call \(scalars) on handle \(handle) with \(arguments.count) arguments")
        }
        // Up to 1024 bytes, 42 arguments, this is the stack.
        let failure = withUnsafeTemporaryAllocation(
            of: InvokeArgument.self, capacity: scalars.argumentCount
        ) { packed -> Failure? in
            for index in 0..<bufferCount {
                packed.initializeElement(
                    at: index, to: InvokeArgument(copying: UnsafeRawBufferPointer(arguments[index].buffer)))
            }
            let buffers = UnsafeMutableBufferPointer(rebasing: packed[..<bufferCount])
            if let index = table.resolve(buffers) { return .crossing(index) }
            for index in bufferCount..<scalars.argumentCount {
                packed.initializeElement(at: index, to: handleArgument(arguments[index]))
            }
            return callsUnderWay.during {
                Signals.calling {
                    do throws(FastRPCKernelError) {
                        try node.device.invoke(handle: handle, scalars: scalars.rawValue, arguments: packed)
                        return nil
                    } catch {
                        return .kernel(error)
                    }
                }
            }
        }
        if let failure { throw describe(failure, scalars) }
    }

    /// A slice of a dma-buf: its offset stands where a buffer has its address.
    private func handleArgument(_ argument: RemoteArgument) -> InvokeArgument {
        InvokeArgument(
            address: UInt64(argument.offset), length: UInt64(byteCount(of: argument.descriptor)),
            fd: argument.descriptor)
    }

    private func byteCount(of descriptor: CInt) -> Int {
        table.byteCount(of: descriptor) ?? (try? SystemCalls.byteCount(descriptor)) ?? 0
    }

    private func describe(_ failure: Failure, _ scalars: Scalars) -> RemoteCallError {
        let method = "call method \(scalars.method) of a module on \(configuration.domain)"
        switch failure {
        case .crossing(let index):
            return RemoteCallError(
                .badParameter, operation: "\(method): argument \(index) lies in a shared buffer only partly",
                advice: "pass a range inside one shared buffer, or one outside all of them")
        case .kernel(let error):
            let plain = RemoteCallError(error)
            guard !plain.isSessionLost else {
                state.lose(RemoteCallError(lost: error, configuration.domain))
                return state.reason
            }
            let advice = plain.advice.isEmpty ? Advice.invoke : plain.advice
            switch error.cause {
            case .dsp: return RemoteCallError(plain.result, operation: method, advice: advice)
            default:
                return RemoteCallError(
                    plain.result, operation: "\(method): \(plain.operation)", advice: advice)
            }
        }
    }

    /// Loads a module: `remotectl1.open1`, or `remotectl.open` of older firmware.
    func open(_ uri: ModuleURI) throws(RemoteCallError) -> UInt64 {
        let text = uri.on(configuration).description
        moduleFiles.forget()
        do throws(RemoteCallError) {
            return try open(text, on: .remoteControl1)
        } catch {
            guard [.unsupported, .noSuchModule].contains(error.result.withoutOffset), !state.isOver else {
                throw explain(error, text)
            }
            do throws(RemoteCallError) { return try open(text, on: .remoteControl) } catch let second {
                // The older interface's absence says nothing about the module.
                throw explain(second.result.withoutOffset == .unsupported ? error : second, text)
            }
        }
    }

    /// Closes a handle: `remotectl1.close1`.
    func close(_ handle: UInt64) throws(RemoteCallError) {
        do throws(RemoteCallError) {
            try close(handle, on: .remoteControl1)
        } catch {
            guard error.result.withoutOffset == .unsupported, !state.isOver else { throw error }
            try close(handle, on: .remoteControl)
        }
    }

    /// `remotectl` in its two forms, with the same parameters.
    private enum Control {
        case remoteControl1
        case remoteControl
    }

    private func open(_ uri: String, on control: Control) throws(RemoteCallError) -> UInt64 {
        let opened = try LoaderText.with { text throws(RemoteCallError) in
            switch control {
            case .remoteControl1:
                let handle = SessionHandle(session: self, number: UInt64(Remotectl1Method.handle))
                return try Remotectl1(handle).open1(uri: uri, message: text)
            case .remoteControl:
                let handle = SessionHandle(session: self, number: UInt64(RemotectlMethod.handle))
                return try Remotectl(handle).open(uri: uri, message: text)
            }
        }
        let result = AEEResult(opened.result.error)
        guard result == .success else {
            throw RemoteCallError(result, operation: "", advice: opened.text)
        }
        return UInt64(UInt32(bitPattern: opened.result.handle))
    }

    private func close(_ handle: UInt64, on control: Control) throws(RemoteCallError) {
        let number = Int32(truncatingIfNeeded: handle)
        let closed = try LoaderText.with { text throws(RemoteCallError) in
            switch control {
            case .remoteControl1:
                let handle = SessionHandle(session: self, number: UInt64(Remotectl1Method.handle))
                return try Remotectl1(handle).close1(handle: number, message: text)
            case .remoteControl:
                let handle = SessionHandle(session: self, number: UInt64(RemotectlMethod.handle))
                return try Remotectl(handle).close(handle: number, message: text)
            }
        }
        let result = AEEResult(closed.result)
        guard result == .success else {
            throw RemoteCallError(
                result, operation: "close a module on \(configuration.domain)", advice: closed.text)
        }
    }

    /// What `open` failed with: the cause as far as the listener saw it, and what the DSP's loader said.
    private func explain(_ error: RemoteCallError, _ uri: String) -> RemoteCallError {
        guard !error.isSessionLost else { return error }
        // An error of the loader itself has no operation, and its text for advice.
        let isLoader = error.operation.isEmpty
        let remedy: String
        switch error.result.withoutOffset {
        case AEEResult.unableToLoad.withoutOffset, AEEResult.noSuchFile: remedy = moduleFiles.advice
        case AEEResult.noSuchSymbol.withoutOffset:
            remedy = ErrorCodes.advice(error.result.rawValue, in: .openModule)
        case .noMemory: remedy = ErrorCodes.advice(error.result.rawValue)
        default: remedy = isLoader || error.advice.isEmpty ? Advice.open : error.advice
        }
        let text = isLoader && !error.advice.isEmpty ? " (the DSP says: \(error.advice))" : ""
        return RemoteCallError(error.result, operation: "open \(uri)\(text)", advice: remedy)
    }
}

/// A handle of a session: of a module, or one that is always there.
struct SessionHandle: RemoteInvoker {
    let session: KernelSession
    let number: UInt64

    func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        try session.invoke(number, scalars, arguments)
    }
}

/// What the DSP's loader says in words.
private enum LoaderText {
    private static let byteCount = 255

    /// Runs a call with room for the text, and reads the text up to its first zero.
    static func with<Result>(
        _ body: (UnsafeMutableBufferPointer<UInt8>) throws(RemoteCallError) -> Result
    ) throws(RemoteCallError) -> (result: Result, text: String) {
        let room = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: byteCount)
        room.initialize(repeating: 0)
        defer { room.deallocate() }
        let result = try body(room)
        return (result, String(decoding: room.prefix { $0 != 0 }, as: UTF8.self))
    }
}

extension AEEResult {
    /// `AEE_ENOSUCHMOD`
    fileprivate static let noSuchModule = AEEResult(rawValue: 0x3e)
}
