import FastRPCKernel
import Glibc
import SharedMemory
import VirtualChannel

extension FastRPCFile {
    /// `FASTRPC_IOCTL_ALLOC_DMA_BUFF`: the descriptor comes without `O_CLOEXEC`, as the driver has it.
    func allocateBuffer(_ argument: UInt64, _ caller: any Caller) throws(SystemError) -> Int {
        var request = try caller.read(argument, as: AllocateArgument.self)
        guard request.byteCount <= kernel.configuration.memoryLimit else { throw SystemError(ENOMEM) }
        let buffer = try VirtualDMABuffer(byteCount: request.byteCount)
        request.descriptor = try kernel.give(buffer, to: caller, flags: O_RDWR)
        try caller.write(request, to: argument)
        return 0
    }

    /// `FASTRPC_IOCTL_MMAP`
    func addPages(_ argument: UInt64, _ caller: any Caller) throws(SystemError) -> Int {
        var request = try caller.read(argument, as: AddPagesArgument.self)
        let use = PageUse(rawValue: request.flags)
        guard use == .heap || use == .remoteHeap, request.hostAddress == 0 else { throw SystemError(EINVAL) }
        guard request.byteCount > 0, request.byteCount <= kernel.configuration.memoryLimit else {
            throw SystemError(ENOMEM)
        }
        let (byteCount, flags) = (request.byteCount, request.flags)
        let reply = try ask { .addPages(call: $0, byteCount: byteCount, flags: flags) }
        guard reply.status == 0 else { return try Self.result(reply.status) }
        request.dspAddress = reply.value
        let pages = PageRange(dspAddress: reply.value, byteCount: byteCount)
        remember(pages)
        do throws(SystemError) {
            try caller.write(request, to: argument)
        } catch {
            _ = try remove(pages)
            throw error
        }
        return 0
    }

    /// `FASTRPC_IOCTL_MUNMAP`: exactly what `MMAP` gave.
    func removePages(_ argument: UInt64, _ caller: any Caller) throws(SystemError) -> Int {
        let request = try caller.read(argument, as: RemovePagesArgument.self)
        return try remove(PageRange(dspAddress: request.dspAddress, byteCount: request.byteCount))
    }

    private func remove(_ pages: PageRange) throws(SystemError) -> Int {
        guard knows(pages) else { throw SystemError(EINVAL) }
        let reply = try ask {
            .removePages(call: $0, dspAddress: pages.dspAddress, byteCount: pages.byteCount)
        }
        if reply.status == 0 { forget(pages) }
        return try Self.result(reply.status)
    }

    /// `FASTRPC_IOCTL_MEM_MAP`. The buffer stays known to the DSP until it is unmapped or the node is closed.
    func mapMemory(_ argument: UInt64, _ caller: any Caller) throws(SystemError) -> Int {
        var request = try caller.read(argument, as: MapMemoryArgument.self)
        let buffer = try kernel.registry.dmaBuffer(request.descriptor, of: caller)
        if channel.isGone { throw SystemError(EPIPE) }
        guard let process else { return try Self.result(DSPProcess.noSuchProcess) }
        let id = try process.acquire(buffer, descriptor: request.descriptor)
        let mapping = Mapping(
            memory: id, flags: request.flags, hostAddress: request.hostAddress, offset: request.offset,
            byteCount: request.byteCount)
        let reply: DSPProcess.Reply
        do throws(SystemError) {
            reply = try ask { .map(call: $0, mapping) }
        } catch {
            process.release(id)
            throw error
        }
        guard reply.status == 0 else {
            process.release(id)
            return try Self.result(reply.status)
        }
        process.setAddress(reply.value, of: id)
        request.dspAddress = reply.value
        do throws(SystemError) {
            try caller.write(request, to: argument)
        } catch {
            _ = try unmap(reply.value, descriptor: request.descriptor)
            throw error
        }
        return 0
    }

    /// `FASTRPC_IOCTL_MEM_UNMAP`
    func unmapMemory(_ argument: UInt64, _ caller: any Caller) throws(SystemError) -> Int {
        let request = try caller.read(argument, as: UnmapMemoryArgument.self)
        return try unmap(request.dspAddress, descriptor: request.descriptor)
    }

    private func unmap(_ address: UInt64, descriptor: CInt) throws(SystemError) -> Int {
        guard let process, let id = process.buffer(at: address, descriptor: descriptor) else {
            throw SystemError(EINVAL)
        }
        let reply = try ask { .unmap(call: $0, dspAddress: address) }
        if reply.status == 0 { process.release(id) }
        return try Self.result(reply.status)
    }
}
