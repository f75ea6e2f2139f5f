import DSPQueue
import RemoteCalls
import SharedMemory

/// A buffer that is mapped on the DSP.
struct KernelMapping: @unchecked Sendable {
    let address: UnsafeMutableRawPointer
    let byteCount: Int
    /// Where the DSP sees it; nil while the request is under way.
    var dspAddress: UInt64?
}

extension KernelSession {
    var allocator: any SharedMemoryAllocator { KernelAllocator(memory: memory, table: table) }

    var mappableMemory: SessionMemory? {
        SessionMemory(mapped: mappings.withLock { $0.values.reduce(0) { $0 + $1.byteCount } })
    }

    /// Maps a buffer by its descriptor. `AEE_EALREADY` for one that is mapped.
    func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try state.check()
        let operation = "map \(byteCount) bytes on \(configuration.domain)"
        guard descriptor > 0, byteCount > 0 else {
            throw RemoteCallError(
                .badParameter, operation: "\(operation): descriptor \(descriptor)",
                advice: "the descriptor must be an open dma-buf, and not 0")
        }
        let isNew = mappings.withLock { mappings in
            if mappings[descriptor] != nil { return false }
            mappings[descriptor] = KernelMapping(address: address, byteCount: byteCount)
            return true
        }
        guard isNew else {
            throw RemoteCallError(
                .already, operation: "\(operation): descriptor \(descriptor)",
                advice: "a buffer is mapped once in a session")
        }
        do throws(RemoteCallError) {
            let dspAddress: UInt64
            do throws(FastRPCKernelError) {
                dspAddress = try node.device.mapMemory(
                    descriptor: descriptor, byteCount: UInt64(byteCount), as: .descriptor,
                    hostAddress: UInt64(UInt(bitPattern: address)))
            } catch {
                throw failure(error, error.advice.isEmpty ? Advice.map : error.advice)
            }
            do throws(DSPQueueError) {
                try queueBuffers.add(
                    descriptor: descriptor,
                    bytes: UnsafeMutableRawBufferPointer(start: address, count: byteCount))
            } catch {
                try? unmapMemory(descriptor, dspAddress, byteCount)
                throw RemoteCallError(error.result, operation: "\(operation): \(error)")
            }
            mappings.withLock { $0[descriptor]?.dspAddress = dspAddress }
            table.add(address, byteCount, descriptor)
        } catch {
            mappings.withLock { _ = $0.removeValue(forKey: descriptor) }
            throw error
        }
    }

    /// Ends a mapping. `AEE_ENOSUCHMAP` for what is not mapped, `AEE_EBADPARM` while packets of a queue refer to
    /// it.
    func unmap(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        let operation = "unmap \(byteCount) bytes on \(configuration.domain)"
        let mapping = mappings.withLock { $0[descriptor] }
        guard let mapping, let dspAddress = mapping.dspAddress else {
            throw RemoteCallError(.noSuchMap, operation: "\(operation): descriptor \(descriptor)")
        }
        do throws(DSPQueueError) { try queueBuffers.remove(descriptor: descriptor) } catch {
            throw RemoteCallError(error.result, operation: "\(operation): \(error)")
        }
        table.remove(mapping.address, descriptor)
        mappings.withLock { _ = $0.removeValue(forKey: descriptor) }
        // A lost session has no mappings left.
        guard !state.isOver else { return }
        try unmapMemory(descriptor, dspAddress, mapping.byteCount)
    }

    private func unmapMemory(
        _ descriptor: CInt, _ dspAddress: UInt64, _ byteCount: Int
    ) throws(RemoteCallError) {
        do throws(FastRPCKernelError) {
            try node.device.unmapMemory(
                at: dspAddress, descriptor: descriptor, byteCount: UInt64(byteCount))
        } catch {
            throw failure(error, error.advice)
        }
    }

    /// The error of a memory request; also notes that the session is lost.
    private func failure(_ error: FastRPCKernelError, _ advice: String) -> RemoteCallError {
        let plain = RemoteCallError(error, advice: advice)
        guard plain.isSessionLost else { return plain }
        state.lose(RemoteCallError(lost: error, configuration.domain))
        return state.reason
    }
}
