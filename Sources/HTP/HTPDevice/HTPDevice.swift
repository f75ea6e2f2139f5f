import HexagonRPC

/// A session with the DSP program in it: weights that stay on the DSP, and batches of products.
///
/// One thread at a time may use it; ``load(_:parallel:)`` may use several inside.
package final class HTPDevice {
    /// What the program runs on.
    package struct Hardware: Sendable {
        /// 0x68 for v68.
        package var architecture: Int
        /// Worker threads.
        package var threads: Int
        /// Vector units.
        package var vectorUnits: Int
        /// Bytes of tightly coupled memory.
        package var vtcmBytes: Int
    }

    /// Where a repacked matrix lies.
    struct Weights {
        /// Index in `weightBuffers`.
        var buffer: Int
        var offset: Int
        var kind: TileKind
        var rows: Int
        var columns: Int
    }

    /// The device's name in command lines and tables, such as `sim0`.
    package let name: String
    /// What kind of device it is, such as `simulator`.
    package let kind: String
    package internal(set) var hardware = Hardware(architecture: 0, threads: 0, vectorUnits: 0, vtcmBytes: 0)

    let transport: any Transport
    let configuration: SessionConfiguration
    let threads: Int
    /// How much power the DSP may take, in fresh sessions, too.
    package internal(set) var power: PowerLevel
    /// How long calls may take.
    let timeout: CallTimeout
    /// By which that is measured.
    let clock: CallClock
    /// Whether nobody wants the results of calls any more.
    let isInterrupted: (@Sendable () -> Bool)?
    /// Is told of a session that was lost and replaced, and of queues that do not work.
    let onRecovery: (@Sendable (String) -> Void)?
    /// Sessions that were lost and replaced here: outside of submissions.
    package internal(set) var recoveries = 0

    /// None while a new session begins, or after that failed.
    var session: OpenSession?
    var connection: ProgramConnection?
    /// Whether batches go by a message queue, and where they do.
    var usesQueue: Bool
    var queue: (any MessageQueue)?
    /// Of the last batch that went by queue.
    var batchNumber: UInt32 = 0
    /// Makes the calls, where somebody may not want to wait for their end.
    var caller: CallerThread?
    /// The longest time that batches of a size took.
    var longestTimes: [BatchSize: Duration] = [:]

    /// The float arithmetic that the program uses.
    package internal(set) var floatArithmetic = FloatArithmetic.plain
    /// How weights come near the vector units.
    package internal(set) var nearMemory = NearMemory()
    var weights: [Weights] = []
    var weightBuffers: [DeviceBuffer] = []
    /// Buffers of graphs: their commands, activations and caches.
    var graphBuffers: [DeviceBuffer] = []

    /// Command buffers, and what they were written from.
    var prepared: [(batch: GraphBatch, builder: BatchBuilder)] = []
    /// A call did not return: a DSP may still write into the memory of graphs.
    var isMemoryDoubtful = false
    /// How often the graphs got other memory: addresses in it are good for one of these numbers.
    package internal(set) var memoryGeneration = 0

    /// Begins a session, loads the program and starts its threads.
    ///
    /// - Parameters:
    ///   - threads: worker threads on the DSP, 0 for one per vector unit.
    ///   - messages: how batches get there.
    ///   - timeout: how long the DSP may take for a call.
    ///   - clock: by which that is measured.
    ///   - isInterrupted: is asked, while a call is under way, whether to give it up; the call then throws
    ///     ``Interruption``.
    ///   - onRecovery: is told of a session that was lost and replaced, and of queues that do not work.
    package init(
        name: String, kind: String, transport: any Transport,
        configuration: SessionConfiguration = SessionConfiguration(), threads: Int = 0,
        power: PowerLevel = .full, messages: BatchMessages = .call, timeout: CallTimeout = .none,
        clock: CallClock = .suspending,
        isInterrupted: (@Sendable () -> Bool)? = nil, onRecovery: (@Sendable (String) -> Void)? = nil
    ) throws {
        (self.name, self.kind, self.threads, self.power) = (name, kind, threads, power)
        (self.transport, self.configuration) = (transport, configuration)
        (self.timeout, self.clock) = (timeout, clock)
        (self.isInterrupted, self.onRecovery) = (isInterrupted, onRecovery)
        usesQueue = messages == .queue
        try recovering {}
    }

    deinit { disconnect(unmapping: weightBuffers + graphBuffers) }

    /// Chooses how much power the DSP may take, from now on.
    package func setPower(_ level: PowerLevel) throws {
        try recovering { try withProgram { try $0.power(level: level.rawValue) } }
        power = level
    }

    /// Bytes of weights that the device holds.
    package var modelBytes: Int { weightBuffers.reduce(0) { $0 + $1.memory.byteCount } }
    /// Bytes of graphs: commands, activations and caches.
    package var contextBytes: Int {
        graphBuffers.reduce(0) { $0 + $1.memory.byteCount }
    }

    /// What the session can have mapped, and what of that is left; nil where that is not known.
    package var memory: SessionMemory? { session?.session.memory }

    /// Allocates a shared buffer and maps it for the DSP process and for the program.
    func allocate(_ byteCount: Int) throws -> DeviceBuffer {
        try recovering {
            guard let session else { throw Self.noSession }
            let buffer = DeviceBuffer(try session.session.allocator.allocate(byteCount: byteCount))
            try map(buffer)
            return buffer
        }
    }

    func map(_ buffer: DeviceBuffer) throws {
        guard let connection else { throw Self.noSession }
        try perform(within: timeout.forCalls) { try connection.map(buffer) }
    }

    /// Undoes ``allocate(_:)``.
    func release(_ buffer: DeviceBuffer) {
        guard let connection else { return }
        try? perform(within: timeout.forCalls) { connection.unmap(buffer) }
    }

    /// Gives back everything that was loaded.
    package func unload() {
        for buffer in weightBuffers + graphBuffers { release(buffer) }
        (weights, weightBuffers, graphBuffers, prepared) = ([], [], [], [])
    }
}
