import CRemote
import HTPProgram
import HexagonRPC
import Synchronization

/// A DSP in this process: it loads modules that were compiled for the host, and carries calls to them the
/// way FastRPC does.
///
/// In buffers are copied to memory of its own before the call and out buffers back after it, and only when
/// the call succeeded, so that a module never sees the caller's memory. What it refuses, it refuses with
/// the codes that `qualcomm/fastrpc` returns on a Linux host.
public final class VirtualProcessor: Sendable {
    /// The C function that takes a module's calls.
    public typealias Entry = @convention(c) (UInt64, UInt32, UnsafeMutablePointer<remote_arg>?) -> CInt

    /// A shared object that can be loaded.
    public struct Module: Sendable {
        /// Its file name, as URIs give it.
        public var file: String
        /// The functions it exports.
        public var symbols: [String: Entry]

        /// Describes a module.
        public init(file: String, symbols: [String: Entry]) {
            self.file = file
            self.symbols = symbols
        }

        /// The program of HexagonRPC's own inference.
        public static let htp = Module(
            file: "libhtp_skel.so", symbols: ["htp_skel_handle_invoke": htp_skel_handle_invoke])
    }

    /// What went through the processor so far.
    public struct Traffic: Hashable, Sendable {
        /// Calls of methods, without opening and closing.
        public var calls = 0
        /// Bytes of their in buffers.
        public var bytesIn = 0
        /// Bytes of their out buffers.
        public var bytesOut = 0
    }

    private struct OpenModule {
        var entry: Entry
        /// The module's own handle.
        var handle: UInt64
    }

    private struct Process {
        var unsignedModules = false
        var modules: [UInt64: OpenModule] = [:]
        var mappings: [CInt: Int] = [:]
        var mappedByteCount: Int { mappings.values.reduce(0, +) }
    }

    private struct State {
        var processes: [CInt: Process] = [:]
        var nextHandle: UInt64 = 0x1000
        var owners: [UInt64: CInt] = [:]
        var traffic = Traffic()

        func module(_ handle: UInt64) -> OpenModule? {
            owners[handle].flatMap { processes[$0]?.modules[handle] }
        }
    }

    /// Bytes that a session can have mapped at once.
    public let sessionByteCount: Int

    private let modules: [Module]
    private let state = Mutex(State())

    /// A processor that can load `modules`.
    ///
    /// - Parameter sessionByteCount: bytes that a session can have mapped at once; what goes beyond is refused.
    public init(
        modules: [Module] = [.htp], sessionByteCount: Int = SessionMemory.addressSpaceByteCount
    ) {
        self.modules = modules
        self.sessionByteCount = sessionByteCount
    }

    /// Bytes that a session has mapped.
    public func mappedByteCount(domain: CInt) -> Int {
        state.withLock { $0.processes[domain]?.mappedByteCount ?? 0 }
    }

    /// What went through so far.
    public var traffic: Traffic { state.withLock(\.traffic) }

    /// Allows unsigned modules in a session that has not begun (`DSPRPC_CONTROL_UNSIGNED_MODULE`).
    public func allowUnsignedModules(_ allow: Bool, domain: CInt) -> AEEResult {
        state.withLock { state in
            guard state.processes[domain]?.modules.isEmpty ?? true else {
                return AEEResult(rawValue: 5)  // AEE_EALREADYLOADED
            }
            state.processes[domain, default: Process()].unsignedModules = allow
            return .success
        }
    }

    /// Loads a module into the session that the URI names, and opens it.
    public func open(uri text: String) -> (AEEResult, handle: UInt64) {
        guard let uri = ModuleURI(text), let name = uri["_dom"], let domain = Domain(name: name),
            let session = Int(uri["_session"] ?? "0"), (0..<4).contains(session)
        else { return (.badParameter, 0) }
        let effective = SessionConfiguration(domain: domain, index: session).effectiveDomain
        guard state.withLock({ $0.processes[effective]?.unsignedModules == true }) else {
            return (.connectionRefused, 0)
        }
        guard let module = modules.first(where: { $0.file == uri.file }) else {
            return (AEEResult(rawValue: 0x8000_0406), 0)  // AEE_EUNABLETOLOAD
        }
        guard let entry = module.symbols[uri.symbol] else {
            return (AEEResult(rawValue: 0x8000_0442), 0)  // AEE_ENOSUCHSYMBOL
        }
        let (status, own) = Self.callOpen(entry, uri: text)
        guard status == 0 else { return (AEEResult(status), 0) }
        let handle = state.withLock { state in
            let handle = state.nextHandle
            state.nextHandle += 1
            state.owners[handle] = effective
            state.processes[effective, default: Process()].modules[handle] = OpenModule(
                entry: entry, handle: own)
            return handle
        }
        return (.success, handle)
    }

    /// Carries a call of a method to an open module.
    public func invoke(
        handle: UInt64, scalars: Scalars, arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) -> AEEResult {
        guard scalars.argumentCount == arguments.count else { return .badParameter }
        // Methods 0 and 1 are open and close, and handles do not travel.
        guard scalars.method >= 2, scalars.inHandles == 0, scalars.outHandles == 0 else {
            return .badParameter
        }
        guard let module = state.withLock({ $0.module(handle) }) else { return .invalidHandle }
        let status = Self.withCopies(of: arguments, inBuffers: scalars.inBuffers) { copies in
            module.entry(module.handle, scalars.rawValue, copies)
        }
        let (bytesIn, bytesOut) = (
            arguments[..<scalars.inBuffers].reduce(0) { $0 + $1.buffer.count },
            arguments[scalars.inBuffers...].reduce(0) { $0 + $1.buffer.count }
        )
        state.withLock {
            $0.traffic.calls += 1
            $0.traffic.bytesIn += bytesIn
            $0.traffic.bytesOut += status == 0 ? bytesOut : 0
        }
        return AEEResult(status)
    }

    /// Closes an open module; the session's process ends with its last one.
    public func close(handle: UInt64) -> AEEResult {
        let module = state.withLock { state -> OpenModule? in
            guard let module = state.module(handle), let domain = state.owners.removeValue(forKey: handle)
            else { return nil }
            state.processes[domain]?.modules[handle] = nil
            if state.processes[domain]?.modules.isEmpty == true { state.processes[domain]?.mappings = [:] }
            return module
        }
        guard let module else { return .invalidHandle }
        return AEEResult(Self.callClose(module.entry, module.handle))
    }

    /// Closes whatever a session still has open.
    public func end(domain: CInt) {
        let open = state.withLock { $0.processes[domain].map { Array($0.modules.keys) } ?? [] }
        for handle in open { _ = close(handle: handle) }
        state.withLock { $0.processes[domain] = nil }
    }

    /// Maps a buffer into a session's address space (`fastrpc_mmap`).
    public func map(domain: CInt, descriptor: CInt, offset: CInt, byteCount: Int, flags: UInt32) -> AEEResult
    {
        guard offset == 0, flags != 1, flags < 17, byteCount > 0, descriptor >= 0 else {
            return .badParameter
        }
        return state.withLock { state in
            guard let process = state.processes[domain], !process.modules.isEmpty else {
                return AEEResult(rawValue: 0x4b)  // AEE_EBADDOMAIN
            }
            guard process.mappings[descriptor] == nil else {
                return AEEResult(rawValue: 0x1a)  // AEE_EALREADY
            }
            guard byteCount <= sessionByteCount - process.mappedByteCount else {
                return .noMemory
            }
            state.processes[domain]?.mappings[descriptor] = byteCount
            return .success
        }
    }

    /// Takes a buffer out of a session's address space (`fastrpc_munmap`).
    public func unmap(domain: CInt, descriptor: CInt) -> AEEResult {
        state.withLock { state in
            guard state.processes[domain]?.mappings.removeValue(forKey: descriptor) != nil else {
                return AEEResult(rawValue: 0x48)  // AEE_ENOSUCHMAP
            }
            return .success
        }
    }
}
