import FastRPCKernel
import SharedMemory
import VirtualKernel

/// The fields of a request's argument that a trace shows.
struct RequestDecoder {
    private let caller: any Caller
    private let request: IOControlRequest
    private let address: UInt64

    init(_ caller: any Caller, _ request: IOControlRequest, _ address: UInt64) {
        self.caller = caller
        self.request = request
        self.address = address
    }

    /// `DMA_HEAP_IOCTL_ALLOC`
    private static let allocateFromHeap = IOControlRequest(.readWrite, "H", 0, byteCount: 24)
    /// `DMA_BUF_IOCTL_SYNC`
    private static let synchronize = IOControlRequest(.write, "b", 0, byteCount: 8)

    /// `struct dma_heap_allocation_data`
    private struct HeapAllocation: BitwiseCopyable {
        var byteCount: UInt64
        var descriptor: Int32
        var descriptorFlags: UInt32
        var heapFlags: UInt64
    }

    /// A request's name, or its number.
    static func name(_ request: IOControlRequest) -> String {
        switch request {
        case allocateFromHeap: "DMA_HEAP_IOCTL_ALLOC"
        case synchronize: "DMA_BUF_IOCTL_SYNC"
        default: FastRPCRequest.all.first { $0.number == request }?.name ?? "\(request)"
        }
    }

    /// What the caller asks; nil where nothing is known of the request or it cannot be read.
    func arguments() -> JSONLine? {
        var line = JSONLine()
        switch request {
        case FastRPCRequest.invoke.number:
            guard let call: InvokeCall = read() else { return nil }
            line.add("handle", hexadecimal: UInt64(call.handle))
            line.add("scalars", hexadecimal: UInt64(call.scalars))
            line.add("buffers", buffers(call))
        case FastRPCRequest.createProcess.number:
            guard let call: CreateProcessArgument = read() else { return nil }
            line.add("filelen", hexadecimal: UInt64(call.fileByteCount))
            line.add("filefd", Self.descriptor(call.fileDescriptor))
            line.add("attrs", hexadecimal: UInt64(call.attributes))
            line.add("siglen", hexadecimal: UInt64(call.signatureByteCount))
        case FastRPCRequest.createStaticProcess.number:
            guard let call: CreateStaticProcessArgument = read() else { return nil }
            line.add("namelen", hexadecimal: UInt64(call.nameByteCount))
            line.add("memlen", hexadecimal: UInt64(call.memoryByteCount))
        case FastRPCRequest.allocateBuffer.number:
            guard let call: AllocateArgument = read() else { return nil }
            line.add("flags", hexadecimal: UInt64(call.flags))
            line.add("size", hexadecimal: call.byteCount)
        case FastRPCRequest.addPages.number:
            guard let call: AddPagesArgument = read() else { return nil }
            line.add("fd", Self.descriptor(call.descriptor))
            line.add("flags", hexadecimal: UInt64(call.flags))
            line.add("size", hexadecimal: call.byteCount)
        case FastRPCRequest.removePages.number:
            guard let call: RemovePagesArgument = read() else { return nil }
            line.add("size", hexadecimal: call.byteCount)
        case FastRPCRequest.mapMemory.number:
            guard let call: MapMemoryArgument = read() else { return nil }
            line.add("fd", Self.descriptor(call.descriptor))
            line.add("offset", hexadecimal: UInt64(UInt32(bitPattern: call.offset)))
            line.add("flags", hexadecimal: UInt64(call.flags))
            line.add("length", hexadecimal: call.byteCount)
            line.add("attrs", hexadecimal: UInt64(UInt32(bitPattern: call.attributes)))
        case FastRPCRequest.unmapMemory.number:
            guard let call: UnmapMemoryArgument = read() else { return nil }
            line.add("fd", Self.descriptor(call.descriptor))
            line.add("length", hexadecimal: call.byteCount)
        case FastRPCRequest.setOption.number:
            guard let call: SetOptionArgument = read() else { return nil }
            line.add("request_id", hexadecimal: UInt64(call.option))
            line.add("value", hexadecimal: UInt64(call.value))
        case FastRPCRequest.information.number:
            guard let call: CapabilityArgument = read() else { return nil }
            line.add("domain", hexadecimal: UInt64(call.domain))
            line.add("attribute_id", hexadecimal: UInt64(call.attribute))
        case Self.allocateFromHeap:
            guard let call: HeapAllocation = read() else { return nil }
            line.add("len", hexadecimal: call.byteCount)
            line.add("fd_flags", hexadecimal: UInt64(call.descriptorFlags))
            line.add("heap_flags", hexadecimal: call.heapFlags)
        case Self.synchronize:
            guard let flags: UInt64 = read() else { return nil }
            line.add("flags", hexadecimal: flags)
        default: return nil
        }
        return line
    }

    /// What the kernel wrote besides the value that it returns.
    func results() -> JSONLine? {
        var line = JSONLine()
        switch request {
        case FastRPCRequest.information.number:
            guard let call: CapabilityArgument = read() else { return nil }
            line.add("capability", hexadecimal: UInt64(call.value))
        case FastRPCRequest.allocateBuffer.number:
            guard let call: AllocateArgument = read() else { return nil }
            line.add("fd", Self.descriptor(call.descriptor))
        case Self.allocateFromHeap:
            guard let call: HeapAllocation = read() else { return nil }
            line.add("fd", Self.descriptor(call.descriptor))
        default: return nil
        }
        return line
    }

    // The scalars count, from bit 16 on: input and output buffers (8 bits each), input and output handles (4).
    private func buffers(_ call: InvokeCall) -> [JSONLine] {
        let counts = call.scalars
        let count = Int(counts >> 16 & 255 + counts >> 8 & 255 + counts >> 4 & 15 + counts & 15)
        return (0..<count).map { index in
            var line = JSONLine()
            let offset = UInt64(index * MemoryLayout<InvokeArgument>.size)
            let place = call.arguments.addingReportingOverflow(offset)
            guard !place.overflow,
                let argument = try? caller.read(place.partialValue, as: InvokeArgument.self)
            else {
                line.add("error", "cannot be read")
                return line
            }
            line.add("length", hexadecimal: argument.length)
            line.add("fd", Self.descriptor(argument.fd))
            if argument.attributes.rawValue != 0 {
                line.add("attr", hexadecimal: UInt64(argument.attributes.rawValue))
            }
            return line
        }
    }

    private func read<Value: BitwiseCopyable>() -> Value? {
        try? caller.read(address, as: Value.self)
    }

    // A descriptor's number differs from run to run; only whether there is one counts.
    private static func descriptor(_ number: Int32) -> String {
        number >= 0 ? "fd" : "\(number)"
    }
}
