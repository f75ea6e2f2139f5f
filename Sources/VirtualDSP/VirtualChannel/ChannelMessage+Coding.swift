import RemoteCalls

extension ChannelMessage {
    /// The most arguments a call has: 255 in, 255 out, 15 and 15 handles.
    private static let maximumArguments = 540

    /// The packet.
    package var bytes: [UInt8] {
        var out = WireWriter()
        switch self {
        case .create(let call, let process):
            out.append(UInt32(1))
            out.append(call)
            out.append(process.attributes)
            out.append(process.architecture)
            out.append(process.memoryLimit)
            out.append(process.parameter)
            for text in [process.name, process.domain, process.scenario] {
                let utf8 = Array(text.utf8.prefix(4096))
                out.append(UInt32(utf8.count))
                for byte in utf8 { out.append(byte) }
            }
        case .memory(let id, let byteCount):
            out.append(UInt32(2))
            out.append(id)
            out.append(byteCount)
        case .buffer(let id, let clientDescriptor, let byteCount):
            out.append(UInt32(3))
            out.append(id)
            out.append(clientDescriptor)
            out.append(byteCount)
        case .drop(let memory):
            out.append(UInt32(4))
            out.append(memory)
        case .invoke(let call, let invocation):
            out.append(UInt32(5))
            out.append(call)
            out.append(invocation.handle)
            out.append(invocation.scalars)
            out.append(invocation.thread)
            out.append(UInt32(invocation.arguments.count))
            for argument in invocation.arguments {
                out.append(argument.memory)
                out.append(argument.clientDescriptor)
                out.append(argument.offset)
                out.append(argument.byteCount)
                out.append(UInt32(argument.isHandle ? 1 : 0))
            }
        case .map(let call, let mapping):
            out.append(UInt32(6))
            out.append(call)
            out.append(mapping.memory)
            out.append(mapping.flags)
            out.append(mapping.hostAddress)
            out.append(mapping.byteCount)
            out.append(mapping.offset)
        case .unmap(let call, let dspAddress):
            out.append(UInt32(7))
            out.append(call)
            out.append(dspAddress)
        case .addPages(let call, let byteCount, let flags):
            out.append(UInt32(8))
            out.append(call)
            out.append(byteCount)
            out.append(flags)
        case .removePages(let call, let dspAddress, let byteCount):
            out.append(UInt32(9))
            out.append(call)
            out.append(dspAddress)
            out.append(byteCount)
        case .reply(let call, let status, let value):
            out.append(UInt32(10))
            out.append(call)
            out.append(status)
            out.append(value)
        }
        return out.bytes
    }

    /// Reads a packet; throws where it is not one.
    package init(_ bytes: UnsafeRawBufferPointer) throws(RemoteCallError) {
        var input = WireReader(bytes)
        switch try input.read(UInt32.self) {
        case 1:
            let call = try input.read(UInt64.self)
            var process = ProcessDescription(
                attributes: try input.read(), architecture: try input.read(),
                memoryLimit: try input.read(), parameter: try input.read())
            process.name = try Self.readText(&input)
            process.domain = try Self.readText(&input)
            process.scenario = try Self.readText(&input)
            self = .create(call: call, process)
        case 2: self = .memory(id: try input.read(), byteCount: try input.read())
        case 3:
            self = .buffer(
                id: try input.read(), clientDescriptor: try input.read(), byteCount: try input.read())
        case 4: self = .drop(memory: try input.read())
        case 5:
            let call = try input.read(UInt64.self)
            var invocation = Invocation(
                handle: try input.read(), scalars: try input.read(), thread: try input.read())
            let count = try input.read(UInt32.self)
            guard count <= Self.maximumArguments else {
                throw RemoteCallError(.badParameter, operation: "read a call of \(count) arguments")
            }
            for _ in 0..<count {
                let memory = try input.read(UInt32.self)
                let descriptor = try input.read(Int32.self)
                invocation.arguments.append(
                    .init(
                        memory: memory, offset: try input.read(), byteCount: try input.read(),
                        clientDescriptor: descriptor, isHandle: try input.read(UInt32.self) != 0))
            }
            self = .invoke(call: call, invocation)
        case 6:
            let call = try input.read(UInt64.self)
            let memory = try input.read(UInt32.self)
            let flags = try input.read(UInt32.self)
            let hostAddress = try input.read(UInt64.self)
            let byteCount = try input.read(UInt64.self)
            self = .map(
                call: call,
                Mapping(
                    memory: memory, flags: flags, hostAddress: hostAddress, offset: try input.read(),
                    byteCount: byteCount))
        case 7: self = .unmap(call: try input.read(), dspAddress: try input.read())
        case 8:
            self = .addPages(call: try input.read(), byteCount: try input.read(), flags: try input.read())
        case 9:
            self = .removePages(
                call: try input.read(), dspAddress: try input.read(), byteCount: try input.read())
        case 10: self = .reply(call: try input.read(), status: try input.read(), value: try input.read())
        case let kind: throw RemoteCallError(.badParameter, operation: "read a message of kind \(kind)")
        }
    }

    private static func readText(_ input: inout WireReader) throws(RemoteCallError) -> String {
        let count = try input.read(UInt32.self)
        guard count <= 4096 else {
            throw RemoteCallError(.badParameter, operation: "read a text of \(count) bytes")
        }
        var text: [UInt8] = []
        for _ in 0..<count { text.append(try input.read(UInt8.self)) }
        return String(decoding: text, as: UTF8.self)
    }
}
