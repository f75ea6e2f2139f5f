import RemoteCalls
import SystemInterfaces

/// `apps_mem`: unpacks the DSP's memory requests for a `ReverseMemory`.
public final class MemoryService: ReverseService {
    /// `apps_mem`
    public let name = AppsMemMethod.interface
    private let memory: any ReverseMemory

    /// Hands every request to `memory`.
    public init(memory: any ReverseMemory) {
        self.memory = memory
    }

    /// Serves a call. Negative lengths and offsets are `AEE_EBADPARM`.
    public func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        var (method, call) = try AppsMemMethod.unpack(scalars, arguments)
        var reply = WireWriter()
        switch method {
        case .requestMap:
            let request = ReverseMapRequest(
                heap: try call.read(), heapFlags: try call.read(), flags: try call.read(),
                address: UInt64(try call.read(UInt32.self)), length: Int64(try call.readSize(Int32.self)))
            let mapping = try memory.map(request)
            // The 32-bit form cannot say every address.
            guard let host = UInt32(exactly: mapping.hostAddress),
                let dsp = UInt32(exactly: mapping.dspAddress)
            else {
                try memory.unmap(dspAddress: mapping.dspAddress, length: request.length)
                throw RemoteCallError(
                    .unsupported, operation: "apps_mem.request_map: the address needs more than 32 bits",
                    advice: "the DSP should call request_map64")
            }
            reply.append(host)
            reply.append(dsp)
        case .requestUnmap:
            let address = try call.read(UInt32.self)
            try memory.unmap(dspAddress: UInt64(address), length: Int64(call.readSize(Int32.self)))
        case .requestMap64:
            let mapping = try memory.map(
                ReverseMapRequest(
                    heap: call.read(), heapFlags: call.read(), flags: call.read(), address: call.read(),
                    length: call.readSize()))
            append(mapping, to: &reply)
        case .requestUnmap64:
            try memory.unmap(dspAddress: call.read(), length: call.readSize())
        case .shareMap:
            append(try memory.share(descriptor: call.read(), size: call.readSize()), to: &reply)
        case .shareUnmap:
            try memory.unshare(dspAddress: call.read(), size: call.readSize())
        case .dmaHandleMap:
            try memory.mapDMAHandle(
                descriptor: call.read(), offset: call.readSize(), size: call.readSize())
        case .dmaHandleUnmap:
            try memory.unmapDMAHandle(descriptor: call.read(), size: call.readSize())
        }
        try call.finish(reply)
    }

    private func append(_ mapping: ReverseMapping, to reply: inout WireWriter) {
        reply.append(mapping.hostAddress)
        reply.append(mapping.dspAddress)
    }
}

extension IncomingCall {
    /// Takes a signed length or offset, which must not be negative.
    fileprivate mutating func readSize<Value: WireScalar & SignedInteger>(
        _ type: Value.Type = Value.self
    ) throws(RemoteCallError) -> Value {
        let size = try read(Value.self)
        guard size >= 0 else {
            throw RemoteCallError(.badParameter, operation: "reading the size \(size)")
        }
        return size
    }
}
