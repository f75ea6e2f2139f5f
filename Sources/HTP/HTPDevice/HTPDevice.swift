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
    package let hardware: Hardware

    let session: Session
    let program: HTP<RemoteHandle>
    /// The float arithmetic that the program uses.
    package internal(set) var floatArithmetic = FloatArithmetic.plain
    var weights: [Weights] = []
    var weightBuffers: [DeviceBuffer] = []
    /// Command buffers, inputs and results.
    var context: DeviceBuffer?
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
        self.name = name
        self.kind = kind
        session = try Session(transport, configuration)
        program = HTP(try ProgramFile.open(in: session))
        // The program's own level is full; an older one knows no other.
        if power != .full { try program.power(level: power.rawValue) }
        try program.start(threads: UInt32(threads))
        let found = try program.hardware()
        hardware = Hardware(
            architecture: Int(found.arch), threads: Int(found.threads), vectorUnits: Int(found.hvxUnits),
            vtcmBytes: Int(clamping: found.vtcmBytes))
    }

    deinit {
        for buffer in weightBuffers { release(buffer) }
        if let context { release(context) }
        for buffer in graphBuffers { release(buffer) }
    }

    /// Bytes of weights that the device holds.
    package var modelBytes: Int { weightBuffers.reduce(0) { $0 + $1.memory.byteCount } }
    /// Bytes of command buffers, inputs and results.
    package var contextBytes: Int {
        graphBuffers.reduce(context?.memory.byteCount ?? 0) { $0 + $1.memory.byteCount }
    }

    /// Allocates a shared buffer and maps it for the DSP process and for the program.
    func allocate(_ byteCount: Int) throws -> DeviceBuffer {
        let buffer = DeviceBuffer(try session.allocator.allocate(byteCount: byteCount))
        try session.map(buffer.memory)
        do {
            try program.map(fd: buffer.memory.descriptor, size: UInt64(buffer.memory.byteCount))
        } catch {
            try? session.unmap(buffer.memory)
            throw error
        }
        return buffer
    }

    /// Undoes ``allocate(_:)``. A DSP that no longer answers has nothing mapped, so failures are ignored.
    func release(_ buffer: DeviceBuffer) {
        try? program.unmap(fd: buffer.memory.descriptor)
        try? session.unmap(buffer.memory)
    }
}
