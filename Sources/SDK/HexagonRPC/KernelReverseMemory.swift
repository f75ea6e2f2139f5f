import RemoteCalls
import ReverseTunnel
import SharedMemory
import Synchronization

/// What the process on the DSP is given when it asks for memory: pages of the kernel for its heap, or shared
/// buffers. All of it goes when the node is closed.
final class KernelReverseMemory: ReverseMemory, SharedFileMemory {
    /// The most that one request gets.
    static let maximumByteCount: Int64 = 1 << 30

    /// How the request's flags map.
    private enum Kind {
        /// 0x1000 and 8: the kernel adds pages, which the host does not see.
        case pages(PageUse)
        /// 0x10000: a shared buffer that the DSP maps later, by its descriptor.
        case byDescriptor
        /// Any other: a shared buffer, mapped with these flags.
        case buffer(MapFlag)

        init(_ flags: UInt32) throws(RemoteCallError) {
            switch flags {
            case PageUse.heap.rawValue, PageUse.remoteHeap.rawValue: self = .pages(PageUse(rawValue: flags))
            case 4:
                throw RemoteCallError(
                    .badParameter, operation: "apps_mem: memory of a descriptor without a descriptor")
            case 0x3000:
                throw RemoteCallError(.unsupported, operation: "apps_mem: memory that user space allocates")
            case 0x1_0000: self = .byDescriptor
            default: self = .buffer(MapFlag(rawValue: flags))
            }
        }
    }

    private final class Mapping: Sendable {
        let buffer: SharedBuffer
        let dspAddress: UInt64
        init(_ buffer: consuming SharedBuffer, at dspAddress: UInt64) {
            self.buffer = buffer
            self.dspAddress = dspAddress
        }
    }

    private struct Tables {
        /// Sizes of added pages, by the DSP's address.
        var pages: [UInt64: UInt64] = [:]
        /// Buffers, by what the DSP was told: its address or the descriptor.
        var buffers: [UInt64: Mapping] = [:]
        /// Files, by descriptor.
        var files: [CInt: Mapping] = [:]
    }

    private let memory: KernelMemory
    private let tables = Mutex(Tables())

    init(_ memory: KernelMemory) {
        self.memory = memory
    }

    func map(_ request: ReverseMapRequest) throws(RemoteCallError) -> ReverseMapping {
        let kind = try Kind(request.flags)
        guard request.length > 0, request.length <= Self.maximumByteCount else {
            throw RemoteCallError(
                request.length > 0 ? .noMemory : .badParameter,
                operation: "apps_mem: \(request.length) bytes")
        }
        switch kind {
        case .pages(let use):
            let address = try checked { () throws(FastRPCKernelError) in
                try memory.node.device.addPages(byteCount: UInt64(request.length), for: use)
            }
            tables.withLock { $0.pages[address] = UInt64(request.length) }
            return ReverseMapping(hostAddress: 0, dspAddress: address)
        case .byDescriptor:
            let mapping = try share(Int(request.length), .delayed) { _ in }
            let descriptor = UInt64(mapping.buffer.descriptor)
            tables.withLock { $0.buffers[descriptor] = mapping }
            return ReverseMapping(hostAddress: Self.hostAddress(mapping), dspAddress: descriptor)
        case .buffer(let flag):
            let mapping = try share(Int(request.length), flag) { _ in }
            tables.withLock { $0.buffers[mapping.dspAddress] = mapping }
            return ReverseMapping(
                hostAddress: Self.hostAddress(mapping), dspAddress: mapping.dspAddress)
        }
    }

    func unmap(dspAddress: UInt64, length: Int64) throws(RemoteCallError) {
        let (pages, mapping) = tables.withLock { tables in
            (tables.pages[dspAddress], tables.buffers[dspAddress])
        }
        if let pages {
            guard pages == UInt64(length) else {
                throw RemoteCallError(
                    .badParameter, operation: "apps_mem: unmap \(length) bytes of \(pages)")
            }
            try checked { () throws(FastRPCKernelError) in
                try memory.node.device.removePages(at: dspAddress, byteCount: pages)
            }
            tables.withLock { _ = $0.pages.removeValue(forKey: dspAddress) }
        } else if let mapping {
            try unmap(mapping)
            tables.withLock { _ = $0.buffers.removeValue(forKey: dspAddress) }
        } else {
            throw RemoteCallError(
                .noSuchMap, operation: "apps_mem: unmap 0x\(String(dspAddress, radix: 16))")
        }
    }

    // MARK: Files

    func shareFile(
        byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws(RemoteCallError) -> Void
    ) throws(RemoteCallError) -> Int32 {
        let mapping = try share(byteCount, .descriptor, fill)
        tables.withLock { $0.files[mapping.buffer.descriptor] = mapping }
        return mapping.buffer.descriptor
    }

    func unshareFile(_ descriptor: Int32) throws(RemoteCallError) {
        guard let mapping = tables.withLock({ $0.files[descriptor] }) else {
            throw RemoteCallError(.noSuchMap, operation: "apps_std: close the shared file \(descriptor)")
        }
        try unmap(mapping)
        tables.withLock { _ = $0.files.removeValue(forKey: descriptor) }
    }

    // MARK: Shared buffers

    private func share(
        _ byteCount: Int, _ flag: MapFlag,
        _ fill: (UnsafeMutableRawBufferPointer) throws(RemoteCallError) -> Void
    ) throws(RemoteCallError) -> Mapping {
        let buffer = try memory.allocate(byteCount: byteCount, fill: fill)
        let (descriptor, hostAddress) = (buffer.descriptor, UInt64(UInt(bitPattern: buffer.address)))
        let size = UInt64(buffer.byteCount)
        let address = try checked { () throws(FastRPCKernelError) in
            try memory.node.device.mapMemory(
                descriptor: descriptor, byteCount: size, as: flag, hostAddress: hostAddress)
        }
        return Mapping(buffer, at: address)
    }

    private func unmap(_ mapping: Mapping) throws(RemoteCallError) {
        try checked { () throws(FastRPCKernelError) in
            try memory.node.device.unmapMemory(
                at: mapping.dspAddress, descriptor: mapping.buffer.descriptor,
                byteCount: UInt64(mapping.buffer.byteCount))
        }
    }

    private static func hostAddress(_ mapping: Mapping) -> UInt64 {
        UInt64(UInt(bitPattern: mapping.buffer.address))
    }

    private func checked<Value>(
        _ body: () throws(FastRPCKernelError) -> Value
    ) throws(RemoteCallError) -> Value {
        do throws(FastRPCKernelError) { return try body() } catch { throw RemoteCallError(error) }
    }
}
