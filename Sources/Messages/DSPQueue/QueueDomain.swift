import Glibc
import RemoteCalls
import SharedMemory
import Synchronization

/// The queues of this process on one domain: their process state and the thread that waits for signals.
///
/// Close the queues, then the domain.
public final class QueueDomain: Sendable {
    /// The buffers that packets of all queues may name.
    public let buffers: MappedBuffers

    private let transport: any QueueTransport
    private let memory: any SharedMemoryAllocator
    private let stateMemory: SharedBuffer
    private let state: ProcessState
    private let gate = SignalGate()
    private let used = Mutex(Used())

    private struct Used {
        var slots: Set<Int> = []
        var isClosed = false
    }

    /// Queues made by this process, on whatever domain; the first has number 1.
    private static let queueCount = Mutex<UInt32>(0)

    /// Whether it was closed.
    package var isClosed: Bool { used.withLock(\.isClosed) }
    private let closesWithLastQueue: Bool

    /// Makes the process state and starts to wait for signals.
    ///
    /// - Parameter closesWithLastQueue: whether closing the last queue closes the domain as well.
    public init(
        transport: any QueueTransport, memory: any SharedMemoryAllocator,
        buffers: MappedBuffers = MappedBuffers(), closesWithLastQueue: Bool = false
    ) throws(DSPQueueError) {
        self.closesWithLastQueue = closesWithLastQueue
        self.transport = transport
        self.memory = memory
        self.buffers = buffers
        stateMemory = try allocate(ProcessState.byteCount, memory) { bytes in
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
        }
        state = ProcessState(stateMemory.bytes)
        do throws(RemoteCallError) {
            try transport.map(descriptor: stateMemory.descriptor, byteCount: ProcessState.byteCount)
        } catch {
            throw .remote(error)
        }
        do throws(RemoteCallError) {
            try transport.initializeProcessState(descriptor: stateMemory.descriptor)
        } catch {
            try? transport.unmap(descriptor: stateMemory.descriptor, byteCount: ProcessState.byteCount)
            throw .remote(error)
        }
        startReceiver(transport, gate)
    }

    deinit {
        // Ends the thread of a domain that nobody closed; it does not hold the domain.
        if !used.withLock({ $0.isClosed }) { try? transport.cancelWaitForSignal() }
    }

    /// Makes a queue: `dspqueue_create`. Sizes are bytes for the packets of a direction, multiples of 8
    /// up to 16,777,216; 0 for the defaults of 65,536 and 16,384.
    public func makeQueue(
        requestByteCount: Int = 0, responseByteCount: Int = 0
    ) throws(DSPQueueError) -> DSPQueue {
        let layout = try QueueLayout(requestByteCount: requestByteCount, responseByteCount: responseByteCount)
        let slot = try takeSlot()
        do throws(DSPQueueError) {
            return try makeQueue(layout, slot)
        } catch {
            used.withLock { _ = $0.slots.remove(slot) }
            throw error
        }
    }

    /// Closes a queue: `dspqueue_close`. The program on the DSP must have closed its side, else this fails
    /// with `AEE_EBADPARM` and the queue stays open.
    public func close(_ queue: DSPQueue) throws(DSPQueueError) {
        try queue.checkOpen()
        do throws(RemoteCallError) {
            guard try !transport.isImported(queue.exportedID) else {
                throw RemoteCallError(
                    .badParameter, operation: "close queue \(queue.exportedID)",
                    advice: "let the program on the DSP close its side first")
            }
            guard queue.markClosed() else { return }
            gate.open()
            try transport.destroyQueue(queue.exportedID)
            try transport.unmap(descriptor: queue.memory.descriptor, byteCount: queue.byteCount)
        } catch {
            throw .remote(error)
        }
        used.withLock { _ = $0.slots.remove(queue.slot) }
        guard closesWithLastQueue else { return }
        do throws(DSPQueueError) { try close() } catch .invalidArgument {
            // It was not the last.
        }
    }

    /// Stops waiting for signals and gives the process state back. Fails while queues are open.
    public func close() throws(DSPQueueError) {
        guard try beginClosing() else { return }
        do throws(RemoteCallError) {
            try transport.cancelWaitForSignal()
            try transport.unmap(descriptor: stateMemory.descriptor, byteCount: ProcessState.byteCount)
        } catch {
            throw .remote(error)
        }
    }

    /// Whether it is this call that closes it.
    private func beginClosing() throws(DSPQueueError) -> Bool {
        try used.withLock { used throws(DSPQueueError) in
            guard used.slots.isEmpty else { throw .invalidArgument("the domain is closed after its queues") }
            defer { used.isClosed = true }
            return !used.isClosed
        }
    }

    private func takeSlot() throws(DSPQueueError) -> Int {
        let slot: Int? = try used.withLock { used throws(DSPQueueError) in
            guard !used.isClosed else { throw .closed }
            let free = (0..<ProcessState.queueCount).first { !used.slots.contains($0) }
            if let free { used.slots.insert(free) }
            return free
        }
        guard let slot else {
            throw .invalidArgument("a process has at most \(ProcessState.queueCount) queues on a domain")
        }
        return slot
    }

    private func makeQueue(_ layout: QueueLayout, _ slot: Int) throws(DSPQueueError) -> DSPQueue {
        let number = Self.queueCount.withLock { count in
            count &+= 1
            return count
        }
        let queue = try allocate(layout.byteCount, memory) { bytes in
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
        }
        let exported: (id: UInt64, flags: QueueMemory.Flags)
        do throws(RemoteCallError) {
            try transport.map(descriptor: queue.descriptor, byteCount: layout.byteCount)
        } catch {
            throw .remote(error)
        }
        do throws(DSPQueueError) {
            exported = try export(queue, layout, slot, number)
        } catch {
            try? transport.unmap(descriptor: queue.descriptor, byteCount: layout.byteCount)
            throw error
        }
        let rings = QueueMemory(queue.bytes, layout: layout, queueCount: number, flags: exported.flags)
        return DSPQueue(
            domain: self, slot: slot, exportedID: exported.id, memory: queue, byteCount: layout.byteCount,
            rings: rings, state: state,
            signals: transport, gate: gate)
    }

    /// Hands the queue to the DSP. First with a version that does not exist: a DSP that takes it does not
    /// look at versions, so it is of version 1 and knows no wait counts.
    private func export(
        _ queue: borrowing SharedBuffer, _ layout: QueueLayout, _ slot: Int, _ number: UInt32
    ) throws(DSPQueueError) -> (id: UInt64, flags: QueueMemory.Flags) {
        let attempts: [(version: UInt32, flags: QueueMemory.Flags)] = [
            (QueueMemory.probeVersion, []), (QueueMemory.version, .waitCounts),
        ]
        for (version, flags) in attempts {
            try access(queue) { bytes in
                QueueMemory.format(bytes, layout: layout, queueCount: number, version: version, flags: flags)
            }
            do throws(RemoteCallError) {
                let id = try transport.createQueue(
                    id: UInt32(slot), descriptor: queue.descriptor, queueCount: number)
                return (id, flags)
            } catch {
                guard version == QueueMemory.probeVersion, error.result.withoutOffset == .unsupported else {
                    throw .remote(error)
                }
            }
        }
        preconditionFailure("the second attempt returns or throws")
    }
}

/// Shared memory, filled before the DSP may see it.
private func allocate(
    _ byteCount: Int, _ memory: any SharedMemoryAllocator, _ fill: (UnsafeMutableRawBufferPointer) -> Void
) throws(DSPQueueError) -> SharedBuffer {
    let buffer: SharedBuffer
    do throws(SharedMemoryError) { buffer = try memory.allocate(byteCount: byteCount) } catch {
        throw .memory(error)
    }
    try access(buffer, fill)
    return buffer
}

/// Announces what the host writes while it sets memory up. Later accesses cannot be announced, both sides
/// use the memory at the same time: queues need memory that is coherent.
private func access(
    _ buffer: borrowing SharedBuffer, _ body: (UnsafeMutableRawBufferPointer) -> Void
) throws(DSPQueueError) {
    do throws(SharedMemoryError) {
        try buffer.beginCPUAccess(.write)
        body(buffer.bytes)
        try buffer.endCPUAccess(.write)
    } catch {
        throw .memory(error)
    }
}

/// Waits for signals on a thread of its own, until the transport says that it is over or fails.
private func startReceiver(_ transport: any QueueTransport, _ gate: SignalGate) {
    do throws(SystemError) {
        try DetachedThread.start {
            do throws(RemoteCallError) {
                while try transport.waitForSignal() { gate.open() }
                gate.fail(.closed)
            } catch {
                gate.fail(.remote(error))
            }
        }
    } catch {
        gate.fail(
            .remote(RemoteCallError(.noMemory, operation: "start the thread that waits for signals")))
    }
}
