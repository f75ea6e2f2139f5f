import CLinux
import DSPQueue
import Glibc
import RemoteCalls
import SharedMemory
import VirtualChannel

/// Memory that the kernel shares with this process. It stays as long as somebody uses it.
final class MappedMemory: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer
    /// The client's descriptor of a dma-buf, or -1.
    let clientDescriptor: Int32
    /// A descriptor of our own, where it is kept, or -1.
    let file: CInt

    /// Maps a file, which stays the caller's; nil where it is smaller than `byteCount` says.
    init?(file: CInt, byteCount: UInt64, clientDescriptor: Int32 = -1, keepsFile: Bool = false) {
        guard let count = Int(exactly: byteCount), count > 0,
            let size = try? SystemCalls.byteCount(file), count <= size,
            let address = try? SystemCalls.map(file, count)
        else { return nil }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: count)
        self.clientDescriptor = clientDescriptor
        let duplicate: CInt = 1030  // F_DUPFD_CLOEXEC
        self.file = keepsFile ? clinux_fcntl(file, duplicate, 0) : -1
    }

    deinit {
        if file >= 0 { SystemCalls.close(file) }
        if let address = bytes.baseAddress { SystemCalls.unmap(address, bytes.count) }
    }
}

/// All memory of the process: what calls travel in, the client's buffers, and pages for the heap.
final class ProcessMemory: Sendable {
    /// The buffers that packets in message queues may name.
    let queueBuffers = MappedBuffers()

    private struct BufferMapping {
        var memory: MappedMemory
        /// Not for `FASTRPC_MAP_FD_DELAYED` and `FASTRPC_MAP_FD_NOMAP`.
        var isVisible: Bool
    }

    private struct State {
        var limit = UInt64.max
        var isExhausted = false
        var used: UInt64 = 0
        var space = AddressSpace()
        var memories: [UInt32: MappedMemory] = [:]
        var mappings: [UInt64: BufferMapping] = [:]
        /// Where a descriptor is mapped.
        var addresses: [Int32: UInt64] = [:]
        var pages: [UInt64: UInt64] = [:]
        /// What programs hold by `HAP_mmap_get`, oldest first.
        var held: [Int32: [MappedMemory]] = [:]
        /// What programs mapped by `HAP_mmap`.
        var mappedByPrograms: [UInt: [MappedMemory]] = [:]
    }

    private let state = Monitor(State())
    private let execution: any Execution

    init(_ execution: any Execution) {
        self.execution = execution
    }

    /// Sets how much may be mapped; with `isExhausted` nothing.
    func limit(_ byteCount: UInt64, isExhausted: Bool) {
        state.withLock { state in
            state.limit = byteCount
            state.isExhausted = isExhausted
        }
    }

    /// Takes in what the kernel sent with a descriptor. What cannot be mapped is as if it had not come.
    func add(_ id: UInt32, file: CInt, byteCount: UInt64, clientDescriptor: Int32 = -1) {
        guard file >= 0,
            let memory = MappedMemory(
                file: file, byteCount: byteCount, clientDescriptor: clientDescriptor,
                keepsFile: clientDescriptor >= 0 && execution.needsFiles)
        else { return }
        state.withLock { $0.memories[id] = memory }
    }

    func drop(_ id: UInt32) {
        // The memory is unmapped outside of the lock.
        _ = state.withLock { $0.memories.removeValue(forKey: id) }
    }

    /// The bytes of an argument, and what keeps them there.
    func bytes(
        of argument: Invocation.Argument
    ) throws(RemoteCallError) -> (UnsafeMutableRawBufferPointer, MappedMemory?) {
        guard argument.byteCount > 0 else {
            return (UnsafeMutableRawBufferPointer(start: nil, count: 0), nil)
        }
        guard let memory = state.withLock({ $0.memories[argument.memory] }),
            let offset = Int(exactly: argument.offset), let count = Int(exactly: argument.byteCount),
            offset <= memory.bytes.count, count <= memory.bytes.count - offset
        else {
            throw RemoteCallError(
                .badParameter,
                operation: "\(argument.byteCount) bytes at \(argument.offset) of memory \(argument.memory)")
        }
        return (UnsafeMutableRawBufferPointer(rebasing: memory.bytes[offset..<offset + count]), memory)
    }

    /// `MEM_MAP`: the whole buffer, whatever offset and length the client says.
    func map(_ mapping: Mapping) throws(RemoteCallError) -> UInt64 {
        try state.withLock { state throws(RemoteCallError) in
            guard let memory = state.memories[mapping.memory], memory.clientDescriptor >= 0 else {
                throw RemoteCallError(.badParameter, operation: "map buffer \(mapping.memory)")
            }
            guard state.addresses[memory.clientDescriptor] == nil else {
                throw RemoteCallError(
                    .mapAlreadyPresent, operation: "map descriptor \(memory.clientDescriptor)")
            }
            let address = try Self.take(UInt64(memory.bytes.count), &state)
            let isVisible = mapping.flags != 3 && mapping.flags != 16
            do throws(RemoteCallError) {
                try execution.map(memory, isVisible: isVisible)
            } catch {
                state.used -= UInt64(memory.bytes.count)
                state.space.release(address)
                throw error
            }
            state.mappings[address] = BufferMapping(memory: memory, isVisible: isVisible)
            state.addresses[memory.clientDescriptor] = address
            if isVisible {
                queueBuffers.forget(descriptor: memory.clientDescriptor)
                try? queueBuffers.add(descriptor: memory.clientDescriptor, bytes: memory.bytes)
            }
            return address
        }
    }

    /// `MEM_UNMAP`
    func unmap(_ address: UInt64) throws(RemoteCallError) {
        try state.withLock { state throws(RemoteCallError) in
            guard let mapping = state.mappings.removeValue(forKey: address) else {
                throw RemoteCallError(.noSuchMap, operation: "unmap \(address)")
            }
            execution.unmap(mapping.memory)
            state.addresses[mapping.memory.clientDescriptor] = nil
            state.used -= UInt64(mapping.memory.bytes.count)
            state.space.release(address)
            queueBuffers.forget(descriptor: mapping.memory.clientDescriptor)
        }
    }

    /// `MMAP`: pages for the heap. They are counted only; programs here use the host's heap.
    func addPages(_ byteCount: UInt64) throws(RemoteCallError) -> UInt64 {
        try state.withLock { state throws(RemoteCallError) in
            let address = try Self.take(byteCount, &state)
            state.pages[address] = byteCount
            return address
        }
    }

    /// `MUNMAP`
    func removePages(_ address: UInt64, _ byteCount: UInt64) throws(RemoteCallError) {
        try state.withLock { state throws(RemoteCallError) in
            guard state.pages[address] == byteCount else {
                throw RemoteCallError(.noSuchMap, operation: "remove \(byteCount) bytes at \(address)")
            }
            state.pages[address] = nil
            state.used -= byteCount
            state.space.release(address)
        }
    }

    private static func take(_ byteCount: UInt64, _ state: inout State) throws(RemoteCallError) -> UInt64 {
        guard !state.isExhausted, byteCount <= state.limit, state.used <= state.limit - byteCount,
            let address = state.space.take(byteCount)
        else {
            throw RemoteCallError(
                .noMemory, operation: "take \(byteCount) bytes beside \(state.used) of \(state.limit)")
        }
        state.used += byteCount
        return address
    }

    /// The client's buffer, where it is mapped and visible; with the DSP's address of it.
    func buffer(_ descriptor: Int32) -> (memory: MappedMemory, dspAddress: UInt64)? {
        state.withLock { Self.buffer(descriptor, $0) }
    }

    private static func buffer(
        _ descriptor: Int32, _ state: State
    ) -> (memory: MappedMemory, dspAddress: UInt64)? {
        guard let address = state.addresses[descriptor], let mapping = state.mappings[address],
            mapping.isVisible
        else { return nil }
        return (mapping.memory, address)
    }

    /// `HAP_mmap_get`
    func hold(_ descriptor: Int32) -> (memory: MappedMemory, dspAddress: UInt64)? {
        state.withLock { state in
            guard let found = Self.buffer(descriptor, state) else { return nil }
            state.held[descriptor, default: []].append(found.memory)
            return found
        }
    }

    /// `HAP_mmap_put`: false when nothing is held.
    func letGo(_ descriptor: Int32) -> Bool {
        let memory = state.withLock { state -> MappedMemory? in
            guard var held = state.held[descriptor], !held.isEmpty else { return nil }
            let memory = held.removeFirst()
            state.held[descriptor] = held.isEmpty ? nil : held
            return memory
        }
        return memory != nil
    }

    /// `HAP_mmap`: a mapping made by the program, also of a buffer that was only prepared for it.
    func mapByProgram(_ descriptor: Int32, offset: Int, byteCount: Int) -> UnsafeMutableRawPointer? {
        state.withLock { state in
            guard let address = state.addresses[descriptor],
                let memory = state.mappings[address]?.memory, offset >= 0, byteCount > 0,
                offset <= memory.bytes.count, byteCount <= memory.bytes.count - offset,
                let pointer = memory.bytes.baseAddress.map({ $0 + offset })
            else { return nil }
            state.mappedByPrograms[UInt(bitPattern: pointer), default: []].append(memory)
            return pointer
        }
    }

    /// `HAP_munmap`: false for what is not mapped by a program.
    func unmapByProgram(_ pointer: UnsafeMutableRawPointer?) -> Bool {
        let key = UInt(bitPattern: pointer)
        let memory = state.withLock { state -> MappedMemory? in
            guard var mapped = state.mappedByPrograms[key], !mapped.isEmpty else { return nil }
            let memory = mapped.removeFirst()
            state.mappedByPrograms[key] = mapped.isEmpty ? nil : mapped
            return memory
        }
        return memory != nil
    }
}
