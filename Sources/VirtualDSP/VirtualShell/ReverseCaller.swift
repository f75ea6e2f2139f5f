import RemoteCalls

/// Calls from the DSP to the host, carried by the client's listener threads: they fetch a call with `next2`
/// and bring the reply with the next one.
final class ReverseCaller: Sendable {
    /// A call as the listener gets it.
    struct Request: Sendable {
        var context: UInt32
        var handle: UInt32
        var scalars: UInt32
        var bytes: [UInt8]
    }

    struct Reply: Sendable {
        var result: AEEResult
        var bytes: [UInt8]
    }

    private struct State {
        var hasListener = false
        var isEnded = false
        var nextContext: UInt32 = 1
        /// Not fetched yet.
        var queue: [Request] = []
        /// Fetched, not answered.
        var fetched: [UInt32: Request] = [:]
        var replies: [UInt32: Reply] = [:]
    }

    private let state = Monitor(State())
    /// How long a call waits for the first listener. A real DSP waits for ever.
    private let listenerTimeout: Duration

    init(listenerTimeout: Duration) {
        self.listenerTimeout = listenerTimeout
    }

    // The caller's side.

    /// Calls a method: `inBuffers` go, one buffer of each of `capacities` comes back.
    func call(
        _ handle: UInt32, _ scalars: Scalars, _ inBuffers: [[UInt8]], _ capacities: [Int] = []
    ) throws(RemoteCallError) -> [[UInt8]] {
        let reply = try send(handle, scalars.rawValue, Self.pack(inBuffers, capacities))
        guard reply.result == .success else {
            throw RemoteCallError(reply.result, operation: "reverse call \(scalars) on handle \(handle)")
        }
        return try Self.unpack(reply.bytes, capacities)
    }

    /// Calls with a request as it is.
    ///
    /// - Parameter timeout: for the reply, once there is a listener.
    func send(
        _ handle: UInt32, _ scalars: UInt32, _ bytes: [UInt8], timeout: Duration? = nil
    ) throws(RemoteCallError) -> Reply {
        let context = state.withLock { state in
            let context = state.nextContext
            state.nextContext = context == .max ? 1 : context + 1
            state.queue.append(
                Request(context: context, handle: handle, scalars: scalars, bytes: bytes))
            return context
        }
        defer {
            state.withLock { state in
                state.queue.removeAll { $0.context == context }
                state.fetched[context] = nil
                state.replies[context] = nil
            }
        }
        _ = state.wait(timeout: listenerTimeout) { $0.hasListener || $0.isEnded ? true : nil }
        guard state.withLock({ $0.hasListener || $0.isEnded }) else {
            throw RemoteCallError(
                .unableToLoad, operation: "reverse call on handle \(handle)",
                advice: "no listener came; run one that blocks in adsp_listener.next2")
        }
        let reply = state.wait(timeout: timeout) { state -> Reply? in
            if let reply = state.replies[context] { return reply }
            return state.isEnded ? Reply(result: .badState, bytes: []) : nil
        }
        guard let reply else {
            throw RemoteCallError(.expired, operation: "reverse call on handle \(handle)")
        }
        return reply
    }

    /// Whether the process has ended, so that no call gets through.
    var isEnded: Bool { state.withLock { $0.isEnded } }

    // The listener's side.

    /// Brings the reply to the call of `context`, if there is one, and waits for the next call; nil when the
    /// process ends.
    func next(after context: UInt32, _ reply: Reply) -> Request? {
        state.withLock { state in
            state.hasListener = true
            if state.fetched.removeValue(forKey: context) != nil { state.replies[context] = reply }
        }
        return state.waitForever { state -> Request?? in
            if state.isEnded { return .some(nil) }
            guard !state.queue.isEmpty else { return .none }
            let request = state.queue.removeFirst()
            state.fetched[request.context] = request
            return .some(request)
        }
    }

    /// The bytes of a call that was fetched and did not fit.
    func bytes(of context: UInt32) -> [UInt8]? {
        state.withLock { $0.fetched[context]?.bytes }
    }

    /// Ends all waiting.
    func end() {
        state.withLock { $0.isEnded = true }
    }

    // The format: references/reverse-tunnel.md.

    private static func append(_ word: Int, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(clamping: word).littleEndian) { bytes.append(contentsOf: $0) }
    }

    static func pack(_ inBuffers: [[UInt8]], _ capacities: [Int]) -> [UInt8] {
        var bytes: [UInt8] = []
        for buffer in inBuffers {
            append(buffer.count, to: &bytes)
            guard !buffer.isEmpty else { continue }
            bytes.append(contentsOf: repeatElement(0, count: -bytes.count & 7))
            bytes.append(contentsOf: buffer)
        }
        for capacity in capacities { append(capacity, to: &bytes) }
        return bytes
    }

    /// Every length must be the capacity that was asked for; what follows the last buffer does not matter.
    static func unpack(_ bytes: [UInt8], _ capacities: [Int]) throws(RemoteCallError) -> [[UInt8]] {
        let failure = RemoteCallError(
            .badParameter, operation: "unpacking a reverse reply of \(bytes.count) bytes")
        var offset = 0
        var buffers: [[UInt8]] = []
        for capacity in capacities {
            guard bytes.count - offset >= 4 else { throw failure }
            let length = bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
            offset += 4
            guard length == capacity else { throw failure }
            guard length > 0 else {
                buffers.append([])
                continue
            }
            offset = (offset + 7) & ~7
            guard offset <= bytes.count, length <= bytes.count - offset else { throw failure }
            buffers.append(Array(bytes[offset..<offset + length]))
            offset += length
        }
        return buffers
    }
}
