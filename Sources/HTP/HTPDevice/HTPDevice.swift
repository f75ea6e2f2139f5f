import Glibc
import HTPInterface
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
    package private(set) var hardware: Hardware

    /// None while a new session begins, or after that failed.
    private var connection: Connection?
    private let transport: any Transport
    private let configuration: SessionConfiguration
    private let threads: Int
    /// How much power the DSP may take, in fresh sessions, too.
    package private(set) var power: PowerLevel
    /// The float arithmetic that the program uses.
    package internal(set) var floatArithmetic = FloatArithmetic.plain
    var weights: [Weights] = []
    var weightBuffers: [DeviceBuffer] = []
    /// Buffers of graphs: their commands, activations and caches.
    var graphBuffers: [DeviceBuffer] = []

    /// Begins a session, loads the program and starts its threads.
    ///
    /// - Parameter threads: worker threads on the DSP, 0 for one per vector unit.
    package init(
        name: String, kind: String, transport: any Transport,
        configuration: SessionConfiguration = SessionConfiguration(), threads: Int = 0,
        power: PowerLevel = .full
    ) throws {
        (self.name, self.kind, self.threads, self.power) = (name, kind, threads, power)
        (self.transport, self.configuration) = (transport, configuration)
        let connection = try Connection(transport, configuration)
        hardware = try connection.start(threads, power)
        self.connection = consume connection
    }

    /// A session with the program in it.
    private struct Connection: ~Copyable {
        // Closed in this order.
        let program: HTP<RemoteHandle>
        let session: Session

        init(_ transport: any Transport, _ configuration: SessionConfiguration) throws {
            let session = try Session(transport, configuration)
            program = HTP(try ProgramFile.open(in: session))
            self.session = session
        }

        func call<Result>(_ body: (borrowing HTP<RemoteHandle>) throws -> Result) rethrows -> Result {
            try body(program)
        }

        func start(_ threads: Int, _ power: PowerLevel) throws -> Hardware {
            // The program's own level is full; an older one knows no other.
            if power != .full { try program.power(level: power.rawValue) }
            try program.start(threads: UInt32(threads))
            let found = try program.hardware()
            return Hardware(
                architecture: Int(found.arch), threads: Int(found.threads),
                vectorUnits: Int(found.hvxUnits), vtcmBytes: Int(clamping: found.vtcmBytes))
        }
    }

    /// Begins a fresh session in place of one that failed; buffers stay and are mapped again.
    ///
    /// - Parameter patience: a DSP that restarts is away for a moment; how long it may take.
    package func reopen(patience: Duration = .seconds(5)) throws {
        let deadline = ContinuousClock.now + patience
        while true {
            do {
                return try beginAgain()
            } catch let error as RemoteCallError {
                guard error.result == Self.noSuchDevice, ContinuousClock.now < deadline else { throw error }
                usleep(50_000)
            }
        }
    }

    /// `AEE_ENOSUCHDEVICE`
    private static let noSuchDevice = AEEResult(rawValue: 0x43)

    private func beginAgain() throws {
        // The old one first: a DSP has few, and this one's place may be wanted.
        connection = nil
        let fresh = try Connection(transport, configuration)
        hardware = try fresh.start(threads, power)
        connection = consume fresh
        if floatArithmetic != .plain { try setFloatArithmetic(floatArithmetic) }
        for buffer in weightBuffers + graphBuffers { try map(buffer) }
    }

    /// Chooses how much power the DSP may take, from now on.
    package func setPower(_ level: PowerLevel) throws {
        try withProgram { try $0.power(level: level.rawValue) }
        power = level
    }

    private static let noSession = HTPError("the DSP has no session any more")

    /// Calls the program.
    func withProgram<Result>(_ body: (borrowing HTP<RemoteHandle>) throws -> Result) throws -> Result {
        guard let result = try connection?.call(body) else { throw Self.noSession }
        return result
    }

    deinit {
        for buffer in weightBuffers { release(buffer) }
        for buffer in graphBuffers { release(buffer) }
    }

    /// Bytes of weights that the device holds.
    package var modelBytes: Int { weightBuffers.reduce(0) { $0 + $1.memory.byteCount } }
    /// Bytes of graphs: commands, activations and caches.
    package var contextBytes: Int {
        graphBuffers.reduce(0) { $0 + $1.memory.byteCount }
    }

    /// What the session can have mapped, and what of that is left; nil where that is not known.
    package var memory: SessionMemory? { connection?.session.memory }

    /// Allocates a shared buffer and maps it for the DSP process and for the program.
    func allocate(_ byteCount: Int) throws -> DeviceBuffer {
        guard let allocator = connection?.session.allocator else { throw Self.noSession }
        let buffer = DeviceBuffer(try allocator.allocate(byteCount: byteCount))
        try map(buffer)
        return buffer
    }

    private func map(_ buffer: DeviceBuffer) throws {
        guard try connection?.session.map(buffer.memory) != nil else { throw Self.noSession }
        do {
            try connection?.program.map(fd: buffer.memory.descriptor, size: UInt64(buffer.memory.byteCount))
        } catch {
            try? connection?.session.unmap(buffer.memory)
            throw error
        }
    }

    /// Undoes ``allocate(_:)``. A DSP that no longer answers has nothing mapped, so failures are ignored.
    func release(_ buffer: DeviceBuffer) {
        try? connection?.program.unmap(fd: buffer.memory.descriptor)
        try? connection?.session.unmap(buffer.memory)
    }
}
