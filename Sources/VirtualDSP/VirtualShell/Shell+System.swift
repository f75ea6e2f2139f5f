import RemoteCalls
import SystemInterfaces

/// The interfaces that are part of every process, behind constant handles.
extension Shell {
    /// Calls the interface behind a constant handle.
    func invokeSystem(
        _ handle: UInt32, _ scalars: Scalars, _ list: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) -> Outcome {
        switch handle {
        case RemotectlMethod.handle:
            let (method, call) = try RemotectlMethod.unpack(scalars, list)
            switch method {
            case .open: try openModule(call)
            case .close: try closeModule(call)
            case .growHeap: try ignoreHeap(call)
            case .setParam: try ignoreParameter(call)
            }
        case Remotectl1Method.handle:
            let (method, call) = try Remotectl1Method.unpack(scalars, list)
            switch method {
            case .open1: try openModule(call)
            case .close1: try closeModule(call)
            case .growHeap: try ignoreHeap(call)
            case .setParam: try ignoreParameter(call)
            }
        case ADSPListenerMethod.handle:
            let (method, call) = try ADSPListenerMethod.unpack(scalars, list)
            switch method {
            case .init_, .init2: break
            case .next2: try nextCall(call)
            case .getInBufs2: try restOfCall(call)
            case .nextInvoke, .invokeGetInBufs: throw unsupported(handle, scalars)
            }
        case ADSPListener1Method.handle:
            let (method, call) = try ADSPListener1Method.unpack(scalars, list)
            switch method {
            case .init_, .init2: break
            case .next2: try nextCall(call)
            case .getInBufs2: try restOfCall(call)
            case .nextInvoke, .invokeGetInBufs: throw unsupported(handle, scalars)
            }
        case ADSPCurrentProcess1Method.handle:
            let (method, call) = try ADSPCurrentProcess1Method.unpack(scalars, list)
            switch method {
            case .exit: return .exits
            case .exception: return .dies
            case .getASID:
                var reply = WireWriter()
                reply.append(UInt32(12))
                try call.finish(reply)
            // There is nothing that these would select.
            case .threadExit, .setLoggingParams, .setLoggingParams2, .setQoS, .pollMode: break
            case .enableNotifications, .panicErrCodes, .exceptionWithParam:
                throw unsupported(handle, scalars)
            }
        case 1, 2, 5, 6, 9: throw unsupported(handle, scalars)
        default: throw RemoteCallError(.noSuch, operation: "handle \(handle)")
        }
        return .answered(.success)
    }

    private func unsupported(_ handle: UInt32, _ scalars: Scalars) -> RemoteCallError {
        RemoteCallError(.unsupported, operation: "call \(scalars) on handle \(handle)")
    }

    // `remotectl` and `remotectl1`

    private func openModule(_ call: consuming IncomingCall) throws(RemoteCallError) {
        let uri = try call.readString()
        let words = try call.roomForSequence(elementSize: 1)
        try call.finish()
        var reply = WireWriter()
        do throws(RemoteCallError) {
            reply.append(try open(uri))
            reply.append(UInt32(0))
            Self.write("", to: words)
        } catch {
            if caller.isEnded || execution.isEnded {
                throw RemoteCallError(.badState, operation: error.operation)
            }
            reply.append(UInt32(0))
            reply.append(error.result.onDSP.rawValue)
            Self.write(error.operation, to: words)
        }
        try call.finish(reply)
    }

    private func closeModule(_ call: consuming IncomingCall) throws(RemoteCallError) {
        let handle = try call.read(UInt32.self)
        let words = try call.roomForSequence(elementSize: 1)
        try call.finish()
        var result = AEEResult.success
        var text = ""
        do throws(RemoteCallError) {
            result = try close(handle)
        } catch {
            result = error.result
            text = error.operation
        }
        var reply = WireWriter()
        reply.append(result.onDSP.rawValue)
        Self.write(text, to: words)
        try call.finish(reply)
    }

    private func ignoreHeap(_ call: consuming IncomingCall) throws(RemoteCallError) {
        _ = try call.read(UInt32.self)
        _ = try call.read(UInt32.self)
        try call.finish()
    }

    private func ignoreParameter(_ call: consuming IncomingCall) throws(RemoteCallError) {
        _ = try call.read(UInt32.self)
        _ = try call.readSequence(elementSize: 4)
        try call.finish()
    }

    private static func write(_ text: String, to room: UnsafeMutableRawBufferPointer) {
        guard !room.isEmpty else { return }
        let bytes = text.utf8.prefix(room.count - 1)
        room.copyBytes(from: bytes)
        room[bytes.count] = 0
    }

    // `adsp_listener` and `adsp_listener1`

    private func nextCall(_ call: consuming IncomingCall) throws(RemoteCallError) {
        let context = try call.read(UInt32.self)
        let result = AEEResult(rawValue: try call.read())
        let reply = try call.readSequence(elementSize: 1)
        let room = try call.roomForSequence(elementSize: 1)
        try call.finish()
        guard let request = caller.next(after: context, .init(result: result, bytes: Array(reply))) else {
            throw RemoteCallError(.badState, operation: "adsp_listener.next2")
        }
        room.copyBytes(from: request.bytes.prefix(room.count))
        var answer = WireWriter()
        answer.append(request.context)
        answer.append(request.handle)
        answer.append(request.scalars)
        answer.append(UInt32(request.bytes.count))
        try call.finish(answer)
    }

    private func restOfCall(_ call: consuming IncomingCall) throws(RemoteCallError) {
        let context = try call.read(UInt32.self)
        let offset = Int(try call.read(UInt32.self))
        let room = try call.roomForSequence(elementSize: 1)
        guard let bytes = caller.bytes(of: context), offset <= bytes.count else {
            throw RemoteCallError(.badParameter, operation: "get_in_bufs2 at \(offset) of call \(context)")
        }
        room.copyBytes(from: bytes[offset...].prefix(room.count))
        var answer = WireWriter()
        answer.append(UInt32(bytes.count))
        try call.finish(answer)
    }
}
