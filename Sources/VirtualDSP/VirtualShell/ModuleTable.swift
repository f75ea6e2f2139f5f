import RemoteCalls

/// What the client's handles stand for.
final class ModuleTable: Sendable {
    /// A handle of a module.
    enum Module: Sendable {
        /// A skel that was loaded.
        case program(Program)
        /// `dspqueue_rpc`, which is no file.
        case queues
        /// `adsp_default_listener`, which is no file either.
        case defaultListener(DefaultListener)
    }

    private struct State {
        var modules: [UInt32: Module] = [:]
        var nextHandle = ModuleTable.firstHandle
    }

    // Beyond the constant handles, below 255, and positive where the client takes them for `int`.
    private static let firstHandle: UInt32 = 0x00e1_2040
    private static let handleStep: UInt32 = 0x40

    private let state = Monitor(State())

    /// Enters a module; nil when there are no handles left.
    func add(_ module: Module) -> UInt32? {
        state.withLock { state in
            guard state.nextHandle < 0x7fff_ff00 else { return nil }
            defer { state.nextHandle += Self.handleStep }
            state.modules[state.nextHandle] = module
            return state.nextHandle
        }
    }

    func remove(_ handle: UInt32) throws(RemoteCallError) -> Module {
        try state.withLock { state throws(RemoteCallError) in
            guard let module = state.modules.removeValue(forKey: handle) else {
                throw Self.missing(handle, state)
            }
            return module
        }
    }

    func module(_ handle: UInt32) throws(RemoteCallError) -> Module {
        try state.withLock { state throws(RemoteCallError) in
            guard let module = state.modules[handle] else { throw Self.missing(handle, state) }
            return module
        }
    }

    func removeAll() -> [Module] {
        state.withLock { state in
            defer { state.modules = [:] }
            return Array(state.modules.values)
        }
    }

    /// A handle that was closed is stale; any other never was one.
    private static func missing(_ handle: UInt32, _ state: State) -> RemoteCallError {
        let wasOpen =
            handle >= firstHandle && handle < state.nextHandle && (handle - firstHandle) % handleStep == 0
        return RemoteCallError(wasOpen ? .invalidHandle : .noSuch, operation: "handle \(handle)")
    }
}
