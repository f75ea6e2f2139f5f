import DSPQueue
import Glibc
import RemoteCalls
import SharedMemory
import Synchronization

/// A message queue as a program on the DSP has it: reads requests, writes responses.
final class ProgramQueue: @unchecked Sendable {
    /// `dspqueue_callback_t`: queue, error, the program's context.
    typealias Callback = @convention(c) (UnsafeMutableRawPointer?, CInt, UnsafeMutableRawPointer?) -> Void

    struct Callbacks {
        var packet: Callback?
        var error: Callback?
        var context: UnsafeMutableRawPointer?
    }

    private let shell: Shell
    private let offer: OfferedQueue
    private let callbacks: Callbacks
    private let reader: Mutex<QueueReader>
    private let writer: Mutex<QueueWriter>
    /// A DSP on which queues hang never looks at them.
    private let hangs: Bool
    private let state = Monitor(State())

    private struct State {
        var isClosed = false
        var callbackThread: pthread_t?
    }

    init(_ shell: Shell, _ offer: OfferedQueue, _ callbacks: Callbacks, hangs: Bool) {
        self.shell = shell
        self.offer = offer
        self.callbacks = callbacks
        self.hangs = hangs
        let usesWaitCounts = offer.rings.flags.contains(.waitCounts)
        reader = Mutex(
            QueueReader(
                offer.rings.request, counter: offer.state.word(.requestSpace, queue: offer.slot),
                usesWaitCounts: usesWaitCounts))
        writer = Mutex(
            QueueWriter(
                offer.rings.response, counter: offer.state.word(.responsePackets, queue: offer.slot),
                usesWaitCounts: usesWaitCounts))
    }

    // What programs hold is a pointer; only those that are in this table are followed.

    private static let all = Monitor<[UInt: ProgramQueue]>([:])

    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static func queue(_ pointer: UnsafeMutableRawPointer?) -> ProgramQueue? {
        all.withLock { $0[UInt(bitPattern: pointer)] }
    }

    /// Makes the queue known to the C functions, and starts its callbacks. False when there is no thread.
    func start() -> Bool {
        Self.all.withLock { $0[UInt(bitPattern: pointer)] = self }
        guard callbacks.packet != nil || callbacks.error != nil else { return true }
        let isStarted = (try? DetachedThread.start { self.runCallbacks() }) != nil
        if !isStarted { close() }
        return isStarted
    }

    /// Closes the queue once its callback has returned, unless that is what closes it.
    ///
    /// Until then the callback can read and write what there is and has room, as if nothing were; only waiting ends.
    func close() {
        state.withLock { $0.isClosed = true }
        shell.queues.signals.signal()
        let own = pthread_self()
        _ = state.waitForever { state in
            guard let thread = state.callbackThread else { return true }
            return pthread_equal(thread, own) != 0 ? true : nil
        }
        Self.all.withLock { $0[UInt(bitPattern: pointer)] = nil }
        shell.queues.closed(self)
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } || shell.queues.signals.isEnded }

    // Callbacks.

    private func runCallbacks() {
        let thread = pthread_self()
        guard
            state.withLock({ state in
                if state.isClosed { return false }
                state.callbackThread = thread
                return true
            })
        else { return }
        CurrentShell.adopt(shell)
        do throws(DSPQueueError) {
            var lastCount: UInt64?
            while true {
                let signals = shell.queues.signals.count
                _ = try waiting(nil, isReading: true) { () throws(DSPQueueError) in try peek() }
                let count = reader.withLock { $0.packetCount }
                // A callback that leaves the packet there is not called again before something happens.
                if lastCount == count { _ = shell.queues.signals.wait(after: signals, timeout: nil) }
                if isClosed { throw .closed }
                lastCount = count
                // In scenarios a packet is as good as a call.
                guard shell.survivesUserCall() else {
                    shell.die()
                    throw .closed
                }
                callbacks.packet?(pointer, 0, callbacks.context)
            }
        } catch {
            if error != .closed { callbacks.error?(pointer, error.result.status, callbacks.context) }
        }
        state.withLock { $0.callbackThread = nil }
    }

    // Reading.

    /// A packet that was read.
    struct Packet: Sendable {
        var flags: PacketFlags
        var buffers: [ReceivedBuffer]
        var message: [UInt8]
    }

    /// Reads a packet that has no more buffers and bytes than given; nil when there is none.
    func read(maximumBuffers: Int, maximumMessage: Int) throws(DSPQueueError) -> Packet? {
        try take { reader, front throws(DSPQueueError) in
            guard front.header.bufferCount <= maximumBuffers, front.header.messageByteCount <= maximumMessage
            else { throw .invalidArgument("a packet larger than the room for it") }
            let raw = reader.copy(front)
            return try shell.memory.queueBuffers.account(raw.buffers) { found throws(DSPQueueError) in
                let packet = Packet(flags: raw.flags, buffers: found, message: raw.message)
                return ((packet, reader.consume(front)), true)
            }
        }
    }

    /// What the next packet needs; nil when there is none.
    func peek() throws(DSPQueueError) -> PacketHeader? {
        try take { _, front in (front.header, false) }
    }

    private func take<Value>(
        _ body: (inout QueueReader, QueueReader.Front) throws(DSPQueueError) -> (Value, Bool)
    ) throws(DSPQueueError) -> Value? {
        if shell.queues.signals.isEnded { throw .closed }
        if hangs { return nil }
        var signalNeeded = false
        var result: Result<Value?, DSPQueueError> = .success(nil)
        reader.withLock { reader in
            do throws(DSPQueueError) {
                signalNeeded = try reader.skipWakeups()
                guard let front = try reader.front(), !front.header.flags.contains(.wakeup) else { return }
                let (value, needed) = try body(&reader, front)
                if needed { signalNeeded = true }
                result = .success(value)
            } catch {
                result = .failure(error)
            }
        }
        if signalNeeded { shell.queues.signalClient() }
        return try result.get()
    }

    // Writing.

    /// Writes a packet; nil when there is no room.
    func write(
        _ message: UnsafeRawBufferPointer, buffers: [BufferReference], flags: PacketFlags
    ) throws(DSPQueueError) -> Void? {
        try finish { () throws(DSPQueueError) in
            try shell.memory.queueBuffers.account(buffers) { _ throws(DSPQueueError) in
                let outcome = try writer.withLock { writer throws(DSPQueueError) in
                    try writer.write(message, buffers: buffers, flags: flags)
                }
                return (outcome, outcome != .full)
            }
        }
    }

    /// Writes an early wakeup; nil when there is no room.
    func writeWakeup(delay: UInt32, flags: PacketFlags) throws(DSPQueueError) -> Void? {
        try finish { () throws(DSPQueueError) in
            try writer.withLock { writer throws(DSPQueueError) in
                try writer.writeWakeup(delay: delay == 0 ? nil : delay, flags: flags)
            }
        }
    }

    private func finish(
        _ write: () throws(DSPQueueError) -> QueueWriter.Outcome
    ) throws(DSPQueueError) -> Void? {
        if shell.queues.signals.isEnded { throw .closed }
        guard case .written(let signalNeeded) = try write() else { return nil }
        if signalNeeded { shell.queues.signalClient() }
        return ()
    }

    // Waiting.

    /// Tries until something comes of it. Nil stands for no `timeout`.
    func waiting<Value>(
        _ timeout: Duration?, isReading: Bool, _ attempt: () throws(DSPQueueError) -> Value?
    ) throws(DSPQueueError) -> Value {
        if let value = try attempt() { return value }
        if isReading { reader.withLock { $0.beginWaiting() } } else { writer.withLock { $0.beginWaiting() } }
        defer {
            if isReading { reader.withLock { $0.endWaiting() } } else { writer.withLock { $0.endWaiting() } }
        }
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while true {
            let count = shell.queues.signals.count
            if let value = try attempt() { return value }
            if isClosed { throw .closed }
            guard shell.queues.signals.wait(after: count, timeout: deadline.map { $0 - .now }) else {
                throw .expired("no packet or no room in time")
            }
        }
    }

    /// `dspqueue_get_stat`
    func statistic(_ number: UInt32) -> UInt64? {
        switch number {
        case 1: reader.withLock { $0.packetCount }
        case 2: reader.withLock { $0.byteCount }
        case 3: writer.withLock { $0.packetCount }
        case 4: writer.withLock { $0.byteCount }
        case 5: reader.withLock { UInt64(max(0, $0.wakeupWait / .microseconds(1))) }
        case 6: reader.withLock { $0.wakeupMisses }
        case 7: 100
        default: nil
        }
    }
}
