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

    /// Handles below are those that every process has, whether they mean something or not.
    private static let firstModuleHandle: UInt32 = 0xff

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

        if invocation.handle >= Self.firstModuleHandle {
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
            try invokeSystem(invocation.handle, scalars, list)
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
}
