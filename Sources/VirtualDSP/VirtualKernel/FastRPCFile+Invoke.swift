import FastRPCKernel
import Glibc
import RemoteCalls
import SharedMemory
import VirtualChannel

extension FastRPCFile {
    /// `FASTRPC_IOCTL_INVOKE`
    func invoke(_ argument: UInt64, _ caller: any Caller) throws(SystemError) -> Int {
        let request = try caller.read(argument, as: InvokeCall.self)
        let scalars = Scalars(rawValue: request.scalars)
        let arguments = try Self.readArguments(request.arguments, scalars.argumentCount, caller)
        if channel.isGone { throw SystemError(EPIPE) }
        // The kernel's own handle, by which processes are made and memory is mapped.
        guard request.handle != 1 else { throw SystemError(EPERM) }
        let status = try channel.withCall { () throws(SystemError) in
            let layout = try ArgumentLayout(arguments, scalars)
            guard let process else {
                try checkDescriptors(arguments, caller)
                return DSPProcess.noSuchProcess
            }
            kernel.countCall(request.handle, channel)
            return try run(request, scalars, arguments, layout, process, caller)
        }
        return try Self.result(status)
    }

    private static func readArguments(
        _ address: UInt64, _ count: Int, _ caller: any Caller
    ) throws(SystemError) -> [InvokeArgument] {
        var arguments = [InvokeArgument](repeating: InvokeArgument(address: 0, length: 0), count: count)
        guard count > 0 else { return arguments }
        var failure: SystemError?
        arguments.withUnsafeMutableBytes { bytes in
            do throws(SystemError) { try caller.read(address, into: bytes) } catch { failure = error }
        }
        if let failure { throw failure }
        return arguments
    }

    /// What the driver says of descriptors that are no dma-buf, for a call that no process gets.
    private func checkDescriptors(
        _ arguments: [InvokeArgument], _ caller: any Caller
    ) throws(SystemError) {
        for argument in arguments where argument.isInBuffer { _ = try buffer(of: argument, caller) }
    }

    /// The dma-buf that an argument lies in. `EINVAL` whatever is wrong with its descriptor.
    private func buffer(
        of argument: InvokeArgument, _ caller: any Caller
    ) throws(SystemError) -> VirtualDMABuffer {
        guard let buffer = try? kernel.registry.dmaBuffer(argument.fd, of: caller),
            argument.length <= buffer.byteCount
        else { throw SystemError(EINVAL) }
        return buffer
    }

    /// Hands the call to the process and waits for it. Returns the DSP's status.
    private func run(
        _ request: InvokeCall, _ scalars: Scalars, _ arguments: [InvokeArgument], _ layout: ArgumentLayout,
        _ process: DSPProcess, _ caller: any Caller
    ) throws(SystemError) -> UInt32 {
        var acquired: [UInt32] = []
        var isAbandoned = false
        defer {
            if !isAbandoned { for id in acquired { process.release(id) } }
        }
        var invocation = Invocation(
            handle: request.handle, scalars: request.scalars, thread: caller.thread)
        invocation.arguments.reserveCapacity(arguments.count)
        let bufferCount = scalars.inBuffers + scalars.outBuffers

        // Buffers by descriptor first, as the driver does; copied ones get their memory below.
        for (index, argument) in arguments.enumerated() {
            let isHandle = index >= bufferCount
            guard argument.isInBuffer else {
                invocation.arguments.append(
                    .init(
                        offset: isHandle ? argument.address : 0, byteCount: argument.length,
                        clientDescriptor: isHandle ? argument.fd : -1, isHandle: isHandle))
                continue
            }
            let buffer = try buffer(of: argument, caller)
            var offset = argument.address
            if !isHandle {
                guard let start = kernel.offset(of: argument.address, in: caller),
                    start <= buffer.byteCount - argument.length
                else { throw SystemError(EINVAL) }
                offset = start
            }
            let id = try process.acquire(buffer, descriptor: argument.fd)
            acquired.append(id)
            invocation.arguments.append(
                .init(
                    memory: id, offset: offset, byteCount: argument.length, clientDescriptor: argument.fd,
                    isHandle: isHandle))
        }

        guard layout.byteCount > 0 else {
            guard let status = try send(invocation, process, caller) else {
                isAbandoned = true
                throw SystemError(EINTR)
            }
            return status
        }
        let block = try process.takeBlock(layout.byteCount)
        do throws(SystemError) {
            if block.isUsed { layout.clearOutputs(in: block, arguments, scalars) }
            for slot in layout.slots {
                let length = Int(arguments[slot.argument].length)
                invocation.arguments[slot.argument].memory = block.id
                invocation.arguments[slot.argument].offset = UInt64(slot.offset)
                guard slot.argument < scalars.inBuffers else { continue }
                try caller.read(
                    arguments[slot.argument].address, into: block.range(slot.offset, length))
            }
            guard let status = try send(invocation, process, caller) else {
                isAbandoned = true
                throw SystemError(EINTR)
            }
            // The driver copies outputs back before it looks at the status.
            for slot in layout.slots where slot.argument >= scalars.inBuffers {
                let argument = arguments[slot.argument]
                try caller.write(
                    UnsafeRawBufferPointer(block.range(slot.offset, Int(argument.length))),
                    to: argument.address)
            }
            process.giveBack(block)
            return status
        } catch {
            if isAbandoned { process.abandon(block) } else { process.giveBack(block) }
            throw error
        }
    }

    /// Returns nil where the client no longer waits.
    private func send(
        _ invocation: Invocation, _ process: DSPProcess, _ caller: any Caller
    ) throws(SystemError) -> UInt32? {
        let reply = try process.call(
            { .invoke(call: $0, invocation) }, while: { _ in caller.isWaiting })
        return reply?.status
    }
}

extension InvokeArgument {
    /// Whether the driver looks for a dma-buf behind it.
    fileprivate var isInBuffer: Bool { length != 0 && fd != 0 && fd != -1 }
}

/// Where the copied arguments of a call lie in the memory that the kernel shares with the process.
///
/// Arguments that overlap in the client's memory overlap here in the same way.
private struct ArgumentLayout {
    struct Slot {
        var argument: Int
        var offset: Int
    }

    private(set) var slots: [Slot] = []
    private(set) var byteCount = 0

    init(_ arguments: [InvokeArgument], _ scalars: Scalars) throws(SystemError) {
        for index in 0..<(scalars.inBuffers + scalars.outBuffers) {
            let argument = arguments[index]
            guard argument.length > 0, argument.fd == 0 || argument.fd == -1 else { continue }
            guard argument.length <= Self.maximum else { throw SystemError(ENOMEM) }
            // An address space does not wrap around.
            guard !argument.address.addingReportingOverflow(argument.length).overflow else {
                throw SystemError(EFAULT)
            }
            slots.append(Slot(argument: index, offset: 0))
        }
        if slots.count > 1 {
            slots.sort { arguments[$0.argument].address < arguments[$1.argument].address }
        }
        // A group is a run of ranges that overlap; it starts aligned.
        var group: Range<UInt64> = 0..<0
        var groupOffset = 0
        for index in slots.indices {
            let argument = arguments[slots[index].argument]
            let end = argument.address + argument.length
            if !group.isEmpty, argument.address < group.upperBound {
                group = group.lowerBound..<max(group.upperBound, end)
            } else {
                groupOffset += group.count
                groupOffset = (groupOffset + ArgumentBlock.alignment - 1) & ~(ArgumentBlock.alignment - 1)
                group = argument.address..<end
            }
            slots[index].offset = groupOffset + Int(argument.address - group.lowerBound)
            byteCount = groupOffset + group.count
            guard byteCount <= Self.maximum else { throw SystemError(ENOMEM) }
        }
    }

    /// Clears what the DSP is to write, so that nothing of an earlier call comes back where it does not.
    func clearOutputs(in block: ArgumentBlock, _ arguments: [InvokeArgument], _ scalars: Scalars) {
        for slot in slots where slot.argument >= scalars.inBuffers {
            let range = block.range(slot.offset, Int(arguments[slot.argument].length))
            memset(range.baseAddress!, 0, range.count)
        }
    }

    /// More than a process on the DSP has room for.
    private static let maximum = 3584 << 20
}
