import Glibc
import HexagonRPC
import SystemInterfaces

/// Uses a session in each of the ways that programs do.
struct SessionUse {
    private let session: any TransportSession
    private let writer: StepWriter
    private let log: TransportLog
    private let modules: [String]
    /// The handle of this probe's own module.
    private var probe: UInt64?
    private var isLost = false
    private var mapsBuffers = false

    init(_ session: any TransportSession, _ writer: StepWriter, _ log: TransportLog, _ modules: [String]) {
        self.session = session
        self.writer = writer
        self.log = log
        self.modules = modules
    }

    private func probeProgram() -> FastRPCProbe<OpenHandle>? {
        guard let probe else { return nil }
        return FastRPCProbe(OpenHandle(session: session, number: probe))
    }

    mutating func run() {
        if !modules.isEmpty { step("module", deadline: 5) { try $0.openModules() } }
        step("round-trip", deadline: 4) { try $0.roundTrip() }
        step("mapping", deadline: 4) { try $0.mapBuffer() }
        if mapsBuffers { step("largest-mapping", deadline: 6) { try $0.findLargestMapping() } }
        step("call-time", deadline: 4) { try $0.timeCalls() }
        // Queues lie in mapped buffers.
        if probe != nil, mapsBuffers { step("queue", deadline: 5) { try $0.exchangePackets() } }
        reportReverseCalls()
    }

    /// Runs a step and reports its end. After the session was lost nothing more is tried.
    private mutating func step(
        _ name: String, deadline: Double, _ body: (inout SessionUse) throws -> [String: String]
    ) {
        guard !isLost else { return }
        log.forgetFiles()
        writer.begin(name, deadline: deadline)
        do {
            writer.done(try body(&self))
        } catch let failure as ModuleFailure {
            isLost = failure.error.isSessionLost
            writer.failed(failure.error, log.values.merging(["module": failure.file]) { $1 })
        } catch {
            // A step that hangs half-way leaves nothing to go on with.
            isLost = (error as? RemoteCallError)?.isSessionLost ?? (error is WrongAnswer)
            writer.failed(error, log.values)
        }
    }

    private struct ModuleFailure: Error {
        var file: String
        var error: RemoteCallError
    }

    private mutating func openModules() throws -> [String: String] {
        for file in modules {
            let uri = file == EngineModule.file ? EngineModule.uri : FastRPCProbeModule.uri
            log.forgetFiles()
            do throws(RemoteCallError) {
                let handle = try session.open(uri)
                if file == FastRPCProbeModule.file { probe = handle } else { try session.close(handle) }
            } catch {
                throw ModuleFailure(file: file, error: error)
            }
        }
        return ["modules": modules.joined(separator: " and ")]
    }

    private func roundTrip() throws -> [String: String] {
        guard let program = probeProgram() else {
            let number = try ProcessHandle(session).addressSpace()
            return ["how": "the process on the DSP said its address space, \(number): a result of 4 bytes"]
        }
        let sent = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let received = try program.echo(bytes: sent, resultCount: sent.count)
        guard received == sent.map({ $0 &+ 1 }) else {
            throw WrongAnswer(description: "4096 bytes were sent to be increased by one, others came back")
        }
        return [
            "how":
                "4096 bytes sent, each increased by one on the DSP, and received (\(FastRPCProbeModule.file))"
        ]
    }

    private mutating func mapBuffer() throws -> [String: String] {
        let byteCount = 1 << 20
        // Closed when it goes out of scope.
        let buffer = try session.allocator.allocate(byteCount: byteCount)
        try buffer.withCPUAccess(.readWrite) { bytes in
            bytes[0] = 17
            bytes[byteCount - 1] = 42
        }
        try session.map(buffer.descriptor, buffer.address, byteCount)
        var how = "1 MiB mapped and unmapped"
        if let program = probeProgram() {
            let (first, last) = try program.touch(fd: buffer.descriptor, size: UInt64(byteCount))
            let after = try buffer.withCPUAccess(.read) { ($0[0], $0[byteCount - 1]) }
            guard (first, last) == (17, 42), after == (18, 43) else {
                throw WrongAnswer(
                    description:
                        "the DSP read \(first) and \(last) of a mapped buffer instead of 17 and 42, and "
                        + "left \(after.0) and \(after.1) instead of 18 and 43")
            }
            how = "1 MiB mapped, its first and last byte read and written on the DSP, and unmapped"
        }
        try session.unmap(buffer.descriptor, buffer.address, byteCount)
        mapsBuffers = true
        return ["how": how]
    }

    private func findLargestMapping() throws -> [String: String] {
        try LargestMapping(session: session) { [writer] in writer.goesOn($0) }.find()
    }

    private func timeCalls() throws -> [String: String] {
        let process = ProcessHandle(session)
        let program = probeProgram()
        var times: [Duration] = []
        let deadline = ContinuousClock.now + .seconds(1)
        while times.count < 200, ContinuousClock.now < deadline {
            let start = ContinuousClock.now
            if probe == nil { _ = try process.addressSpace() } else { try program?.nothing() }
            times.append(.now - start)
        }
        times.sort()
        return [
            "count": "\(times.count)", "median": milliseconds(times[times.count / 2]),
            "fastest": milliseconds(times[0]), "slowest": milliseconds(times[times.count - 1]),
            "method": probe == nil ? "adsp_current_process1.getASID" : "fastrpc_probe.nothing",
        ]
    }

    private func exchangePackets() throws -> [String: String] {
        guard let program = probeProgram() else { return [:] }
        let queue = try session.makeQueue(requestByteCount: 0, responseByteCount: 0)
        try program.serveQueue(id: queue.exportedID)
        let start = ContinuousClock.now
        try queue.write([1, 2, 3], deadline: .now + .seconds(1))
        let packet = try queue.read(deadline: .now + .seconds(2))
        let time = ContinuousClock.now - start
        guard Array(packet.message) == [2, 3, 4] else {
            throw WrongAnswer(description: "a packet of 1, 2, 3 came back as \(Array(packet.message))")
        }
        try program.endQueue()
        try queue.close()
        return ["how": "a packet went to the DSP and came back in \(milliseconds(time)) ms"]
    }

    private func reportReverseCalls() {
        let calls = log.calls
        guard !isLost, calls.served > 0 else { return }
        writer.begin("reverse-calls", deadline: 1)
        writer.done([
            "served": "\(calls.served)", "malformed": "\(calls.malformed.count)",
            "first": calls.malformed.prefix(3).joined(separator: "\n"),
        ])
    }
}

/// An open handle of a session.
struct OpenHandle: RemoteInvoker {
    let session: any TransportSession
    let number: UInt64

    func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        try session.invoke(number, scalars, arguments)
    }
}

/// `adsp_current_process1`, which every process on a DSP has.
struct ProcessHandle {
    private let handle: OpenHandle

    init(_ session: any TransportSession) {
        handle = OpenHandle(session: session, number: UInt64(ADSPCurrentProcess1Method.handle))
    }

    /// `getASID`
    func addressSpace() throws(RemoteCallError) -> UInt32 {
        var call = RemoteCall("adsp_current_process1.getASID", method: 5, replySize: 4)
        try call.invoke(on: handle)
        return try call.read()
    }
}
