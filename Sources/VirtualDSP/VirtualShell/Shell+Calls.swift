import RemoteCalls
import VirtualChannel

extension Shell {
    /// What comes of a call.
    enum Outcome {
        case answered(AEEResult)
        /// Answered, and the process ends.
        case exits
        /// The process ends without an answer.
        case dies
    }

    /// The handles that every process has.
    private enum Handle {
        static let remoteControl: UInt32 = 0
        static let listener: UInt32 = 3
        static let process: UInt32 = 4
        static let listener1: UInt32 = 7
        static let remoteControl1: UInt32 = 8
        /// Those below are constants, whether they mean something or not.
        static let firstDynamic: UInt32 = 0xff
    }

    /// Finds what the handle stands for, and calls it.
    func perform(_ invocation: Invocation) throws(RemoteCallError) -> Outcome {
        let scalars = Scalars(rawValue: invocation.scalars)
        let handles = scalars.inBuffers + scalars.outBuffers
        guard invocation.arguments.count == scalars.argumentCount else {
            throw RemoteCallError(
                .badParameter, operation: "call \(scalars) with \(invocation.arguments.count) arguments")
        }
        var arguments: [RemoteArgument] = []
        arguments.reserveCapacity(invocation.arguments.count)
        // Whatever the kernel takes back meanwhile, the memory stays until the call has ended.
        var memories: [MappedMemory] = []
        for (index, argument) in invocation.arguments.enumerated() {
            guard argument.isHandle == (index >= handles) else {
                throw RemoteCallError(.badParameter, operation: "argument \(index) of call \(scalars)")
            }
            if argument.isHandle {
                arguments.append(
                    RemoteArgument(
                        descriptor: argument.clientDescriptor,
                        offset: UInt32(truncatingIfNeeded: argument.offset)))
                continue
            }
            let (bytes, owner) = try memory.bytes(of: argument)
            arguments.append(RemoteArgument(writing: bytes))
            if let owner { memories.append(owner) }
        }
        defer { withExtendedLifetime(memories) {} }

        if invocation.handle >= Handle.firstDynamic {
            return try invokeModule(invocation.handle, scalars, &arguments)
        }
        // The firmware's own functions work on copies: the client may change what it sent at any time.
        let copies = UnsafeMutableRawBufferPointer.allocate(
            byteCount: arguments[..<scalars.inBuffers].reduce(0) { $0 + ($1.buffer.count + 7) & ~7 },
            alignment: 8)
        defer { copies.deallocate() }
        var offset = 0
        for index in 0..<scalars.inBuffers {
            let source = arguments[index].buffer
            let copy = UnsafeMutableRawBufferPointer(rebasing: copies[offset..<offset + source.count])
            copy.copyMemory(from: UnsafeRawBufferPointer(source))
            arguments[index] = RemoteArgument(writing: copy)
            offset += (source.count + 7) & ~7
        }
        return try withList(&arguments) { list throws(RemoteCallError) in
            switch invocation.handle {
            case Handle.remoteControl: try controlModules(scalars, list, scalars.method)
            case Handle.remoteControl1: try controlModules(scalars, list, scalars.method - 2)
            case Handle.listener: try listen(scalars, list, scalars.method + 1)
            case Handle.listener1: try listen(scalars, list, scalars.method - 1)
            case Handle.process: try controlProcess(scalars, list)
            case 1, 2, 5, 6, 9: throw unsupported(invocation.handle, scalars)
            default: throw RemoteCallError(.noSuch, operation: "handle \(invocation.handle)")
            }
        }
    }

    func withList(
        _ arguments: inout [RemoteArgument],
        _ body: (UnsafeMutableBufferPointer<RemoteArgument>) throws(RemoteCallError) -> Outcome
    ) throws(RemoteCallError) -> Outcome {
        var result: Result<Outcome, RemoteCallError> = .success(.answered(.failed))
        arguments.withUnsafeMutableBufferPointer { list in
            do throws(RemoteCallError) {
                result = .success(try body(list))
            } catch {
                result = .failure(error)
            }
        }
        return try result.get()
    }

    private func unsupported(_ handle: UInt32, _ scalars: Scalars) -> RemoteCallError {
        RemoteCallError(.unsupported, operation: "call \(scalars) on handle \(handle)")
    }

    /// A method without arguments.
    private func checkEmpty(_ scalars: Scalars) throws(RemoteCallError) {
        guard scalars.argumentCount == 0 else {
            throw RemoteCallError(.badParameter, operation: "call \(scalars)")
        }
    }

    // `remotectl` and `remotectl1`; methods as in the former.
    private func controlModules(
        _ scalars: Scalars, _ list: UnsafeMutableBufferPointer<RemoteArgument>, _ method: Int
    ) throws(RemoteCallError) -> Outcome {
        var reply = WireWriter()
        var call: IncomingCall
        switch method {
        case 0:  // open
            call = try IncomingCall(scalars, list, hasPrimitives: true, replySize: 8)
            let uri = try call.readString()
            let words = try call.roomForSequence(elementSize: 1)
            try call.finish()
            do throws(RemoteCallError) {
                reply.append(try open(uri))
                reply.append(UInt32(0))
                Self.write("", to: words)
            } catch {
                if caller.isEnded { throw RemoteCallError(.badState, operation: error.operation) }
                reply.append(UInt32(0))
                reply.append(error.result.onDSP.rawValue)
                Self.write(error.operation, to: words)
            }
        case 1:  // close
            call = try IncomingCall(scalars, list, hasPrimitives: true, replySize: 4)
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
            reply.append(result.onDSP.rawValue)
            Self.write(text, to: words)
        case 2:  // grow_heap
            call = try IncomingCall(scalars, list, hasPrimitives: true)
            _ = try call.read(UInt32.self)
            _ = try call.read(UInt32.self)
        case 3:  // set_param
            call = try IncomingCall(scalars, list, hasPrimitives: true)
            _ = try call.read(UInt32.self)
            _ = try call.readSequence(elementSize: 4)
        default: throw unsupported(8, scalars)
        }
        try call.finish(reply)
        return .answered(.success)
    }

    private static func write(_ text: String, to room: UnsafeMutableRawBufferPointer) {
        guard !room.isEmpty else { return }
        let bytes = text.utf8.prefix(room.count - 1)
        room.copyBytes(from: bytes)
        room[bytes.count] = 0
    }

    // `adsp_listener` and `adsp_listener1`; methods as in the latter, less one.
    private func listen(
        _ scalars: Scalars, _ list: UnsafeMutableBufferPointer<RemoteArgument>, _ method: Int
    ) throws(RemoteCallError) -> Outcome {
        switch method {
        case 3, 4:  // init, init2
            try checkEmpty(scalars)
        case 5:  // next2
            var call = try IncomingCall(scalars, list, hasPrimitives: true, replySize: 16)
            let context = try call.read(UInt32.self)
            let result = AEEResult(rawValue: try call.read())
            let reply = try call.readSequence(elementSize: 1)
            let room = try call.roomForSequence(elementSize: 1)
            try call.finish()
            guard
                let request = caller.next(after: context, .init(result: result, bytes: Array(reply)))
            else { throw RemoteCallError(.badState, operation: "adsp_listener.next2") }
            room.copyBytes(from: request.bytes.prefix(room.count))
            var answer = WireWriter()
            answer.append(request.context)
            answer.append(request.handle)
            answer.append(request.scalars)
            answer.append(UInt32(request.bytes.count))
            try call.finish(answer)
        case 6:  // get_in_bufs2
            var call = try IncomingCall(scalars, list, hasPrimitives: true, replySize: 4)
            let context = try call.read(UInt32.self)
            let offset = Int(try call.read(UInt32.self))
            let room = try call.roomForSequence(elementSize: 1)
            guard let bytes = caller.bytes(of: context), offset <= bytes.count else {
                throw RemoteCallError(
                    .badParameter, operation: "get_in_bufs2 at \(offset) of call \(context)")
            }
            room.copyBytes(from: bytes[offset...].prefix(room.count))
            var answer = WireWriter()
            answer.append(UInt32(bytes.count))
            try call.finish(answer)
        default:
            // next_invoke and invoke_get_in_bufs are not served any more.
            throw unsupported(7, scalars)
        }
        return .answered(.success)
    }

    // `adsp_current_process1`
    private func controlProcess(
        _ scalars: Scalars, _ list: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) -> Outcome {
        switch scalars.method {
        case 2:  // exit
            try checkEmpty(scalars)
            return .exits
        case 3: try checkEmpty(scalars)  // thread_exit
        case 4, 8:  // set_logging_params, set_logging_params2: there is nothing that they would select
            break
        case 5:  // getASID
            let call = try IncomingCall(scalars, list, hasPrimitives: false, replySize: 4)
            var reply = WireWriter()
            reply.append(UInt32(12))
            try call.finish(reply)
        case 6:  // setQoS
            var call = try IncomingCall(scalars, list, hasPrimitives: true)
            _ = try call.read(UInt32.self)
            try call.finish()
        case 7:  // exception
            return .dies
        case 9:  // poll_mode
            var call = try IncomingCall(scalars, list, hasPrimitives: true)
            _ = try call.read(UInt32.self)
            _ = try call.read(UInt32.self)
            try call.finish()
        default: throw unsupported(4, scalars)
        }
        return .answered(.success)
    }
}
