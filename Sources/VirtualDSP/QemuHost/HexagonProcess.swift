import CLinux
import Glibc
import RemoteCalls
import SharedMemory
import Synchronization

/// A process on a DSP whose code is Hexagon's: `hexagon-process` under `qemu-hexagon`.
///
/// It loads shared objects, carries calls to them, and sees memory of this process. Any thread may call; calls run at
/// the same time. When it ends by itself, for example because of an invalid address, what waits and what comes later
/// throws `AEE_ECONNRESET`, with qemu's last words.
package final class HexagonProcess: Sendable {
    /// What the programs are told about the DSP.
    package struct Configuration: Hashable, Sendable {
        /// The newest code that is loaded, 0x68 for v68; nil for the newest that qemu runs. More may be said: qemu's
        /// v67 runs code for v68 that keeps to older instructions.
        package var architecture: UInt32?
        package var vectorUnits: Int
        /// Bytes of tightly coupled memory.
        package var vtcmBytes: Int

        /// A vector unit per processor, four at most, and as much tightly coupled memory as a QCM6490 has.
        package init(architecture: UInt32? = nil, vectorUnits: Int? = nil, vtcmBytes: Int = 2 << 20) {
            self.architecture = architecture
            self.vectorUnits = vectorUnits ?? min(max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN))), 4)
            self.vtcmBytes = vtcmBytes
        }
    }

    /// What the programs did beside answering.
    package enum Event: Hashable, Sendable {
        /// `HAP_debug` and its relatives.
        case log(level: UInt32, file: String, line: UInt32, text: String)
        /// `HAP_power_set` and `HAP_power_destroy_client`
        case power(PowerRequest)
    }

    private struct State {
        var calls: [UInt32: PendingReply] = [:]
        var nextCall: UInt32 = 1
        var isReady = false
        /// Why there is no process any more.
        var ending: String?
        var isWaitedFor = false
    }

    /// The configuration, with the architecture filled in.
    package let architecture: UInt32
    private let socket: CInt
    private let child: ChildProcess
    private let onEvent: @Sendable (Event) -> Void
    private let state = Mutex(State())
    /// One message at a time.
    private let sending = Mutex(())
    private let ready = PendingReply()

    /// Starts qemu and waits until the process in it answers.
    package init(
        _ tools: HexagonTools, _ configuration: Configuration = Configuration(),
        onEvent: @escaping @Sendable (Event) -> Void = { _ in }
    ) throws(RemoteCallError) {
        architecture = configuration.architecture ?? tools.architecture
        self.onEvent = onEvent
        let operation = "start \(tools.process) under \(tools.emulator)"
        var ends: [CInt] = [-1, -1]
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw RemoteCallError(.noMemory, operation: "\(operation): \(SystemError(errno))")
        }
        socket = ends[0]
        do throws(SystemError) {
            defer { SystemCalls.close(ends[1]) }
            child = try ChildProcess(
                tools.emulator,
                [
                    "-cpu", tools.processor, tools.process, "0x" + String(architecture, radix: 16),
                    "\(configuration.vectorUnits)", "\(configuration.vtcmBytes)",
                ], socket: ends[1])
        } catch {
            SystemCalls.close(ends[0])
            throw RemoteCallError(.failed, operation: "\(operation): \(error)")
        }
        // The thread keeps this object until qemu has ended.
        do throws(SystemError) { try DetachedThread.start { self.receive() } } catch {
            child.kill()
            _ = child.wait()
            throw RemoteCallError(.noMemory, operation: "\(operation): no thread to be had")
        }
        guard ready.wait()?.value == HexagonMessage.version else {
            end(because: "it speaks another version; build it anew")
            throw RemoteCallError(.failed, operation: "\(operation): \(lost.operation)")
        }
    }

    deinit { SystemCalls.close(socket) }

    /// Ends the process, whatever it is doing.
    package func end() { end(because: "it was ended") }

    private func end(because reason: String) {
        state.withLock { state in
            state.ending = state.ending ?? reason
            // Once it has been waited for, the number may be another's.
            if !state.isWaitedFor { child.kill() }
        }
    }

    /// Whether the process is gone.
    package var isEnded: Bool { state.withLock { $0.ending != nil } }
    /// The process id of qemu, for tests.
    package var identifier: pid_t { child.identifier }

    // Calls

    /// Loads a shared object, all of a file. Returns its number.
    ///
    /// - Throws: `AEE_EBADELF` for what is none, `AEE_EUNABLETOLOAD` for newer code or where a symbol is missing.
    package func load(file: CInt, byteCount: Int, name: String) throws(RemoteCallError) -> UInt32 {
        let answer = try call(
            HexagonMessage(.load, c: UInt64(byteCount)), Array(name.utf8) + [0], file: file,
            operation: "load \(name)")
        return answer.value
    }

    /// Forgets a library, in which no call may be under way.
    package func unload(_ library: UInt32) {
        _ = try? call(HexagonMessage(.unload, a: library), operation: "unload a library")
    }

    /// The address of a function that a library exports; nil where there is none of that name.
    package func function(_ name: String, of library: UInt32) throws(RemoteCallError) -> UInt32? {
        do {
            return try call(
                HexagonMessage(.symbol, a: library), Array(name.utf8) + [0], operation: "find \(name)"
            ).value
        } catch {
            guard error.result.isSessionLost else { return nil }
            throw error
        }
    }

    /// Gives the process a buffer of a client. The file stays the caller's.
    ///
    /// - Parameters:
    ///   - descriptor: the client's number, by which programs ask for it.
    ///   - isVisible: whether `HAP_mmap_get` finds it; else programs map it themselves.
    package func map(
        _ descriptor: CInt, file: CInt, byteCount: Int, isVisible: Bool = true
    ) throws(RemoteCallError) {
        _ = try call(
            HexagonMessage(
                .map, a: UInt32(bitPattern: descriptor), b: isVisible ? 1 : 0, c: UInt64(byteCount)),
            file: file, operation: "map \(byteCount) bytes")
    }

    /// Takes a buffer back. It stays mapped while a program holds it.
    package func unmap(_ descriptor: CInt) throws(RemoteCallError) {
        _ = try call(HexagonMessage(.unmap, a: UInt32(bitPattern: descriptor)), operation: "unmap a buffer")
    }

    /// Calls a skel's entry. The buffers travel there and, when it returned 0, back.
    ///
    /// - Returns: what the entry returned.
    package func invoke(
        _ function: UInt32, handle: UInt64, _ scalars: Scalars,
        _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) -> AEEResult {
        guard arguments.count == scalars.argumentCount else { return .badParameter }
        let buffers = scalars.inBuffers + scalars.outBuffers
        var sizes: [UInt32] = []
        for argument in arguments[..<buffers] {
            guard let size = UInt32(exactly: argument.buffer.count) else { return .noMemory }
            sizes.append(size.littleEndian)
        }
        var bytes = sizes.withUnsafeBytes { Array($0) }
        for argument in arguments[buffers..<buffers + scalars.inHandles] {
            withUnsafeBytes(of: argument.handle.littleEndian) { bytes += $0 }
        }
        let message = HexagonMessage(.invoke, a: function, b: scalars.rawValue, c: handle)
        let answer = try exchange(
            message, bytes, arguments[..<scalars.inBuffers].map { UnsafeRawBufferPointer($0.buffer) }, -1)
        guard answer.status == 0 else { return AEEResult(rawValue: answer.status) }
        let expected =
            arguments[scalars.inBuffers..<buffers].reduce(0) { $0 + $1.buffer.count } + 8 * scalars.outHandles
        guard answer.bytes.count == expected else { return .failed }
        answer.bytes.withUnsafeBytes { answer in
            var offset = 0
            for argument in arguments[scalars.inBuffers..<buffers] {
                argument.buffer.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: answer[offset..<offset + argument.buffer.count]))
                offset += argument.buffer.count
            }
            for index in buffers + scalars.inHandles..<arguments.count {
                let handle = answer.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                arguments[index] = RemoteArgument(handle: UInt64(littleEndian: handle))
                offset += 8
            }
        }
        return .success
    }

    private func call(
        _ message: HexagonMessage, _ bytes: [UInt8] = [], file: CInt = -1, operation: String
    ) throws(RemoteCallError) -> PendingReply.Answer {
        let answer = try exchange(message, bytes, [], file)
        guard answer.status == 0 else {
            let words = String(decoding: answer.bytes, as: UTF8.self)
            throw RemoteCallError(
                AEEResult(rawValue: answer.status), operation: words.isEmpty ? operation : words)
        }
        return answer
    }

    private func exchange(
        _ message: HexagonMessage, _ bytes: [UInt8], _ parts: [UnsafeRawBufferPointer], _ file: CInt
    ) throws(RemoteCallError) -> PendingReply.Answer {
        let reply = PendingReply()
        var message = message
        message.payload = UInt64(bytes.count + parts.reduce(0) { $0 + $1.count })
        let number: UInt32? = state.withLock { state in
            guard state.ending == nil else { return nil }
            while state.calls[state.nextCall] != nil { state.nextCall &+= 1 }
            defer { state.nextCall &+= 1 }
            state.calls[state.nextCall] = reply
            return state.nextCall
        }
        guard let number else { throw lost }
        message.call = number
        sending.withLock { _ in
            // A failure is the end of the process, which the receiving thread sees.
            guard withUnsafeBytes(of: message, { send($0, file) }), bytes.withUnsafeBytes({ send($0) })
            else { return }
            for part in parts where !send(part) { return }
        }
        guard let answer = reply.wait() else { throw lost }
        return answer
    }

    private var lost: RemoteCallError {
        let reason = state.withLock { $0.ending } ?? "it is gone"
        return RemoteCallError(
            .connectionReset, operation: "the process under qemu has ended: \(reason)",
            advice: "begin a new session")
    }

    private func send(_ bytes: UnsafeRawBufferPointer, _ file: CInt = -1) -> Bool {
        var (sent, file) = (0, file)
        while sent < bytes.count {
            let count = clinux_send_packet(
                socket, bytes.baseAddress.map { $0 + sent }, UInt(bytes.count - sent), file)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
            file = -1
        }
        return true
    }

    // Answers

    private func receive() {
        while let (message, bytes) = nextMessage() {
            switch message.kind {
            case .ready:
                let isFirst = state.withLock { state in
                    defer { state.isReady = true }
                    return !state.isReady
                }
                if isFirst { ready.complete(.init(status: 0, value: message.a, bytes: [])) }
            case .reply:
                state.withLock { $0.calls.removeValue(forKey: message.call) }?
                    .complete(.init(status: message.a, value: message.b, bytes: bytes))
            case .log:
                let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
                onEvent(
                    .log(
                        level: message.a, file: String(decoding: parts[0], as: UTF8.self), line: message.b,
                        text: parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : ""))
            case .power:
                onEvent(
                    .power(PowerRequest(client: message.a, isWithdrawal: message.b == 1, bytes: bytes)))
            default: break
            }
        }
        finish()
    }

    private func finish() {
        // Where it talks nonsense, it has not ended.
        child.kill()
        let status = state.withLock { state in
            state.isWaitedFor = true
            return child.wait()
        }
        let words = child.words
        let end = status & 0x7f != 0 ? "signal \(status & 0x7f)" : "exit \(status >> 8)"
        let reason = words.isEmpty ? end : "\(words) (\(end))"
        let (calls, wasReady) = state.withLock { state in
            state.ending = state.ending ?? reason
            defer {
                state.calls = [:]
                state.isReady = true
            }
            return (state.calls, state.isReady)
        }
        for call in calls.values { call.complete(nil) }
        if !wasReady { ready.complete(nil) }
    }

    /// Nil at the end of the process, or where it talks nonsense.
    private func nextMessage() -> (HexagonMessage, [UInt8])? {
        var message = HexagonMessage(.reply)
        guard withUnsafeMutableBytes(of: &message, { read($0) }), message.payload < 1 << 32 else {
            return nil
        }
        let count = Int(message.payload)
        guard count > 0 else { return (message, []) }
        var isComplete = true
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, filled in
            isComplete = read(UnsafeMutableRawBufferPointer(room))
            filled = isComplete ? count : 0
        }
        return isComplete ? (message, bytes) : nil
    }

    private func read(_ room: UnsafeMutableRawBufferPointer) -> Bool {
        var filled = 0
        while filled < room.count {
            let count = Glibc.read(socket, room.baseAddress.map { $0 + filled }, room.count - filled)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            filled += count
        }
        return true
    }
}
