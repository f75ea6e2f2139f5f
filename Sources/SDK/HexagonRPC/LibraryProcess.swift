import Synchronization

/// A process on the DSP as the library holds it: one for each effective domain, shared by all sessions that
/// name it.
final class LibraryProcess: Sendable {
    private struct Key: Hashable {
        var file: String
        var domain: CInt
    }

    private struct State {
        var sessionCount = 0
        var unsignedModules = false
    }

    private static let all = Mutex<[Key: LibraryProcess]>([:])

    private let library: FastRPCLibrary
    private let domain: CInt
    private let state = Mutex(State())

    private init(_ library: FastRPCLibrary, _ domain: CInt) {
        self.library = library
        self.domain = domain
    }

    static func of(_ library: FastRPCLibrary, _ domain: CInt) -> LibraryProcess {
        all.withLock { all in
            let key = Key(file: library.file, domain: domain)
            if let process = all[key] { return process }
            let process = LibraryProcess(library, domain)
            all[key] = process
            return process
        }
    }

    /// Whether a session of this program uses it.
    var isInUse: Bool { state.withLock { $0.sessionCount > 0 } }

    /// Counts a session, and sets the rights before the first one begins: the library keeps them for each
    /// effective domain, from one process to the next.
    func join(_ configuration: SessionConfiguration) throws(RemoteCallError) {
        try state.withLock { state throws(RemoteCallError) in
            if state.sessionCount == 0 {
                try setRights(configuration)
                state.unsignedModules = configuration.unsignedModules
            } else if state.unsignedModules != configuration.unsignedModules {
                throw RemoteCallError(
                    .alreadyLoaded,
                    operation: "begin session \(configuration.index) on \(configuration.domain)",
                    advice: "this program has it open with other rights; close it first or take another index"
                )
            }
            state.sessionCount += 1
        }
    }

    /// Closes what a session left open. The library ends the process when its last handle is closed; one in
    /// which no handle was ever opened, as the opening failed, stays.
    ///
    /// `FASTRPC_SESSION_CLOSE` is for both cases, but qualcomm/fastrpc (29851fd) crashes in it.
    func leave(closing handles: Set<UInt64>) {
        state.withLock { state in
            state.sessionCount -= 1
            for handle in handles { _ = library.close(handle: handle) }
        }
    }

    private func setRights(_ configuration: SessionConfiguration) throws(RemoteCallError) {
        let status = library.setUnsignedModules(configuration.unsignedModules, domain: domain)
        // Signed sessions are the library's default, so it need not be able to go back to them.
        guard status != 0, configuration.unsignedModules else { return }
        let result = AEEResult(status)
        // The session is up already, by someone outside this package, with the rights it was opened with.
        guard result != .alreadyLoaded else { return }
        throw RemoteCallError(
            result, operation: "ask for unsigned modules on \(configuration.domain)",
            advice: "this DSP's firmware or library has no unsigned sessions; a signed one needs a test "
                + "signature")
    }
}

extension AEEResult {
    /// `AEE_EALREADYLOADED`
    static let alreadyLoaded = AEEResult(rawValue: 0x05)
    /// `AEE_EUNSUPPORTEDAPI`
    static let unsupportedAPI = AEEResult(rawValue: 0x6c)
}
