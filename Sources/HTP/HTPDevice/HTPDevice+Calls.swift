import Glibc
import HTPInterface
import HexagonRPC

extension HTPDevice {
    /// Calls the program.
    func withProgram<Result: Sendable>(
        within limit: Duration? = nil,
        _ body: @escaping @Sendable (borrowing HTP<RemoteHandle>) throws -> Result
    ) throws -> Result {
        guard let connection else { throw Self.noSession }
        return try perform(within: limit ?? timeout.forCalls) { try body(connection.program) }
    }

    /// Whether an error says that a device cannot be used, or has no memory left: another one may do.
    package static func isAboutTheDevice(_ error: any Error) -> Bool {
        error is RemoteCallError || error is SharedMemoryError
    }

    static let noSession = HTPError("the DSP has no session any more")

    /// Makes calls to the DSP, on a thread of their own where somebody may not want to wait for their end.
    ///
    /// A call that does not return is left to itself: the session is given up, which ends the call where it is the
    /// driver that waits, which a signal ends, or under qemu. Where a call cannot be ended, as in the
    /// simulator, its thread sleeps with it; it holds all that the call uses.
    ///
    /// - Throws: `AEE_EEXPIRED` after `limit`, ``Interruption`` where that was wanted.
    func perform<Result: Sendable>(
        within limit: Duration?, _ body: @escaping @Sendable () throws -> Result
    ) throws -> Result {
        guard limit != nil || isInterrupted != nil else { return try body() }
        let caller = try caller ?? CallerThread("htp-calls")
        self.caller = caller
        var patience = Patience(limit, clock, isInterrupted)
        let result = caller.run({ Swift.Result { try body() } }) { patience.remains }
        if let result { return try result.get() }
        abandon()
        if patience.isInterrupted { throw Interruption() }
        throw Self.noAnswer(limit)
    }

    static func noAnswer(_ limit: Duration?) -> RemoteCallError {
        RemoteCallError(
            .expired, operation: "the DSP did not answer within \(limit ?? .zero)",
            advice: "if it was only slow, allow it more time (--dsp-timeout)")
    }

    /// Leaves the session in the middle of a call. What the DSP writes may be written at any later time.
    func abandon() {
        session?.session.abandon()
        let caller = caller
        (self.caller, queue, connection, session) = (nil, nil, nil, nil)
        isMemoryDoubtful = true
        caller?.end()
        // With the call the session ends; the place may be wanted for the next one.
        caller?.interrupt(until: .now + .seconds(2))
    }

    /// Ends the session, after taking buffers out of it.
    func disconnect(unmapping buffers: [DeviceBuffer] = []) {
        guard session != nil else { return }
        // The last reference goes where the calls are made that this takes.
        let last = Last(connection, queue)
        (connection, queue) = (nil, nil)
        try? perform(within: timeout == .none ? nil : .seconds(5)) {
            last.close(unmapping: buffers)
        }
        session = nil
    }

    /// The last references to a session's program and queue. Only the one thread that closes them uses them.
    private final class Last: @unchecked Sendable {
        private var connection: ProgramConnection?
        private var queue: (any MessageQueue)?

        init(_ connection: ProgramConnection?, _ queue: (any MessageQueue)?) {
            (self.connection, self.queue) = (connection, queue)
        }

        func close(unmapping buffers: [DeviceBuffer]) {
            for buffer in buffers { connection?.unmap(buffer) }
            if let queue { connection?.close(queue) }
            (queue, connection) = (nil, nil)
        }
    }

    // MARK: Sessions that are lost

    /// Sessions that may be lost one after the other at the same work.
    private static let sessions = 3

    /// Calls `body`, again in a fresh session where the session is lost meanwhile.
    func recovering<Result>(
        patience: Duration = .zero, _ body: () throws -> Result
    ) throws -> Result {
        var (failure, count, patience) = (RemoteCallError?.none, 0, patience)
        while true {
            do {
                if connection == nil { try begin(patience: patience) }
                let result = try body()
                if let failure { onRecovery?("\(name): \(failure); that was repeated in a new session") }
                return result
            } catch let error as RemoteCallError where error.isSessionLost || error.result == .expired {
                count += 1
                guard count < Self.sessions else { throw error }
                failure = failure ?? error
                recoveries += 1
                // A DSP that restarts is away for a moment.
                patience = Self.patience
                disconnect()
            }
        }
    }

    /// How long a fresh session may take.
    private static let patience = Duration.seconds(5)

    /// Begins a fresh session in place of one that failed; buffers stay and are mapped again.
    package func reopen() throws {
        // The old one first: a DSP has few, and this one's place may be wanted.
        disconnect()
        try recovering(patience: Self.patience) {}
    }

    private func begin(patience: Duration) throws {
        let deadline = ContinuousClock.now + patience
        while true {
            do {
                return try begin()
            } catch {
                disconnect()
                guard let result = (error as? RemoteCallError)?.result,
                    [Self.noSuchDevice, Self.noFreeSession].contains(result), ContinuousClock.now < deadline
                else { throw error }
                if isInterrupted?() == true { throw Interruption() }
                usleep(50_000)
            }
        }
    }

    /// `AEE_ENOSUCHDEVICE`
    private static let noSuchDevice = AEEResult(rawValue: 0x43)
    /// `AEE_ENOSESSION`: that of a DSP that did not answer may take a moment to end.
    private static let noFreeSession = AEEResult(rawValue: 0x8a)

    private func begin() throws {
        let (transport, configuration) = (transport, configuration)
        let session = try perform(within: timeout.forCalls) { try OpenSession(transport, configuration) }
        self.session = session
        let connection = try perform(within: timeout.forCalls) { try ProgramConnection(session) }
        self.connection = connection
        let (threads, power) = (threads, power)
        hardware = try perform(within: timeout.forCalls) { try connection.start(threads, power) }
        if floatArithmetic != .plain {
            _ = try withProgram { [floatArithmetic] in try $0.arithmetic(wanted: floatArithmetic.rawValue) }
        }
        if nearMemory != NearMemory() { try setNearMemory(nearMemory) }
        try beginQueue(connection)
        if isMemoryDoubtful { try renewMemory(session.session.allocator) }
        for buffer in weightBuffers + graphBuffers { try map(buffer) }
    }

    // MARK: Memory after a call that did not return

    /// Gives the graphs memory that no DSP writes into any more. What they hold is kept.
    package func secureMemory() throws {
        if isMemoryDoubtful { try renewMemory(MemoryFileAllocator()) }
    }

    /// Weights stay: no DSP writes there.
    private func renewMemory(_ allocator: any SharedMemoryAllocator) throws {
        for buffer in graphBuffers { try buffer.renew(allocator) }
        // Command buffers name the others by descriptors, which are new.
        for (batch, builder) in prepared { try write(builder, batch.commands) }
        isMemoryDoubtful = false
        memoryGeneration += 1
    }
}
