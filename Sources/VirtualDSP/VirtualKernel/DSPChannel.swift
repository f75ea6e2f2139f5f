import Glibc
import SharedMemory
import Synchronization

/// The driver's connection to one DSP (`struct fastrpc_channel_ctx`). After a restart there is a new one; open
/// files keep the old.
final class DSPChannel: Sendable {
    let domain: VirtualKernel.Domain
    private let state: Mutex<State>

    private struct State: Sendable {
        var freeSessions: Int
        var callsUnderWay = 0
        var isGone = false
        var knowsCapabilities = false
        var files: [ObjectIdentifier: FastRPCFile] = [:]
    }

    /// The most calls that may be under way (`FASTRPC_CTX_MAX`).
    private static let maximumCalls = 256

    init(_ domain: VirtualKernel.Domain, sessions: Int) {
        self.domain = domain
        state = Mutex(State(freeSessions: sessions))
    }

    /// Whether the DSP is gone for good.
    var isGone: Bool { state.withLock { $0.isGone } }

    /// Takes a session for a new file: `EBUSY` where all are in use.
    func open(_ file: FastRPCFile) throws(SystemError) {
        let errno = state.withLock { state -> CInt in
            if state.isGone { return ENOENT }
            guard state.freeSessions > 0 else { return EBUSY }
            state.freeSessions -= 1
            state.files[ObjectIdentifier(file)] = file
            return 0
        }
        if errno != 0 { throw SystemError(errno) }
    }

    /// Gives a file's session back.
    func close(_ file: FastRPCFile) {
        state.withLock { state in
            guard state.files.removeValue(forKey: ObjectIdentifier(file)) != nil else { return }
            state.freeSessions += 1
        }
    }

    /// Runs one call to the DSP: `EPIPE` where it is gone, `ENOSPC` where too many are under way.
    func withCall<Result>(_ body: () throws(SystemError) -> Result) throws(SystemError) -> Result {
        let errno = state.withLock { state -> CInt in
            if state.isGone { return EPIPE }
            guard state.callsUnderWay < Self.maximumCalls else { return ENOSPC }
            state.callsUnderWay += 1
            return 0
        }
        if errno != 0 { throw SystemError(errno) }
        defer { state.withLock { $0.callsUnderWay -= 1 } }
        return try body()
    }

    /// The DSP's answer about its capabilities is kept, and then outlives it.
    func learnCapabilities() throws(SystemError) {
        if state.withLock({ $0.knowsCapabilities }) { return }
        try withCall { () throws(SystemError) in }
        state.withLock { $0.knowsCapabilities = true }
    }

    /// The DSP goes away: every file is dead from now on.
    func remove() {
        let files = state.withLock { state in
            state.isGone = true
            return Array(state.files.values)
        }
        for file in files { file.channelIsGone() }
    }
}
