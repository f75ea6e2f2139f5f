import HTPInterface
import HexagonRPC

/// A session with the DSP program in it.
final class ProgramConnection: Sendable {
    // Closed in this order.
    let program: HTP<RemoteHandle>
    let session: OpenSession

    /// Loads the program.
    init(_ session: OpenSession) throws {
        program = HTP(try ProgramFile.open(in: session.session))
        self.session = session
    }

    /// Starts the program's threads and asks what it runs on.
    func start(_ threads: Int, _ power: PowerLevel) throws -> HTPDevice.Hardware {
        // The program's own level is full; an older one knows no other.
        if power != .full { try program.power(level: power.rawValue) }
        try program.start(threads: UInt32(threads))
        let found = try program.hardware()
        return HTPDevice.Hardware(
            architecture: Int(found.arch), threads: Int(found.threads),
            vectorUnits: Int(found.hvxUnits), vtcmBytes: Int(clamping: found.vtcmBytes))
    }

    /// Maps a buffer for the DSP process and for the program.
    func map(_ buffer: DeviceBuffer) throws {
        try session.session.map(buffer.memory)
        do {
            try program.map(fd: buffer.memory.descriptor, size: UInt64(buffer.memory.byteCount))
        } catch {
            try? session.session.unmap(buffer.memory)
            throw error
        }
    }

    /// Closes a queue on both sides.
    func close(_ queue: any MessageQueue) {
        try? program.queue(id: 0)
        try? queue.close()
    }

    /// Undoes ``map(_:)``. A DSP that no longer answers has nothing mapped, so failures are ignored.
    func unmap(_ buffer: DeviceBuffer) {
        try? program.unmap(fd: buffer.memory.descriptor)
        try? session.session.unmap(buffer.memory)
    }
}

/// A session that several own: the device, and a thread whose call may never return.
final class OpenSession: Sendable {
    let session: Session

    init(_ transport: any Transport, _ configuration: SessionConfiguration) throws {
        session = try Session(transport, configuration)
    }
}
