import Glibc
import HexagonRPC
import QemuHost
import SharedMemory
import Synchronization

/// Reaches a DSP whose programs are Hexagon code, executed by `qemu-hexagon`: the same shared objects that a real DSP
/// loads. Every session is a process of its own, and shares its buffers with this one.
public struct QemuTransport: Transport {
    private let tools: HexagonTools
    private let options: Options

    /// What the emulated DSP is like.
    public struct Options: Sendable {
        /// The newest code that it loads, 0x68 for v68; nil for what qemu knows. qemu 7.2 knows 0x67, and runs code
        /// for 0x68 that keeps to older instructions.
        public var architecture: Int?
        /// Vector units, and so worker threads; nil for one per processor of this machine, four at most.
        public var vectorUnits: Int?
        /// Where `hexagon-process` and the DSP's libraries are; nil for the folders of `HEXAGONRPC_HEXAGON_PATH` and
        /// those where a build puts them.
        public var folders: [String]?
        /// Bytes of tightly coupled memory.
        public var vtcmBytes = 2 << 20
        /// Gets the lines that programs log, with their level: 0 low to 4 fatal.
        public var log: (@Sendable (_ level: Int, _ line: String) -> Void)?
        /// Gets every vote on power.
        package var onPowerRequest: (@Sendable (PowerRequest) -> Void)?

        /// The defaults.
        public init() {}
    }

    /// Finds qemu and what runs in it.
    ///
    /// - Throws: `AEE_ENOSUCHDEVICE`, with what is missing and how to get it.
    public init(_ options: Options = Options()) throws(RemoteCallError) {
        self.options = options
        do throws(HexagonTools.Missing) {
            tools = try HexagonTools.find(in: options.folders ?? HexagonTools.standardFolders)
        } catch {
            throw RemoteCallError(
                AEEResult(rawValue: 0x43),  // AEE_ENOSUCHDEVICE
                operation: "run Hexagon code: \(error)")
        }
    }

    /// `qemu`
    public var name: String { "qemu" }

    /// The processor that is emulated, such as `v67`.
    public var processor: String { tools.processor }

    /// The architecture's version.
    public func capabilities(of domain: Domain) throws(RemoteCallError) -> [DSPAttribute: UInt32]? {
        [.architectureVersion: options.architecture.map(UInt32.init) ?? tools.architecture]
    }

    /// Starts a process under qemu.
    public func connect(
        _ configuration: SessionConfiguration
    ) throws(RemoteCallError) -> any TransportSession {
        guard configuration.unsignedModules else {
            throw RemoteCallError(
                .connectionRefused, operation: "begin a session for signed modules under qemu",
                advice: "it checks no signatures; allow unsigned modules")
        }
        let options = options
        let process = try HexagonProcess(
            tools,
            HexagonProcess.Configuration(
                architecture: options.architecture.map(UInt32.init), vectorUnits: options.vectorUnits,
                vtcmBytes: options.vtcmBytes),
            onEvent: { event in
                switch event {
                case .log(let level, let file, let line, let text):
                    options.log?(Int(level), file.isEmpty ? text : "\(file):\(line): \(text)")
                case .power(let request): options.onPowerRequest?(request)
                }
            })
        return QemuSession(process, tools, configuration)
    }
}

final class QemuSession: TransportSession {
    let process: HexagonProcess
    private let tools: HexagonTools
    private let configuration: SessionConfiguration
    private let state = Mutex(State())

    private struct State {
        /// By file name.
        var libraries: [String: UInt32] = [:]
        var modules: [UInt64: Module] = [:]
        var nextHandle: UInt64 = 0x1000
        /// Bytes of mapped buffers, by descriptor.
        var mappings: [CInt: Int] = [:]
    }

    private struct Module {
        var entry: UInt32
        /// The module's own handle.
        var handle: UInt64
    }

    init(_ process: HexagonProcess, _ tools: HexagonTools, _ configuration: SessionConfiguration) {
        self.process = process
        self.tools = tools
        self.configuration = configuration
    }

    func open(_ uri: ModuleURI) throws(RemoteCallError) -> UInt64 {
        let text = uri.on(configuration).description
        guard let entry = try process.function(uri.symbol, of: library(uri.file)) else {
            throw RemoteCallError(
                AEEResult(rawValue: 0x8000_0442), operation: "open \(text): there is no \(uri.symbol)")
        }
        let handle = try process.openModule(entry, uri: text)
        return state.withLock { state in
            defer { state.nextHandle += 1 }
            state.modules[state.nextHandle] = Module(entry: entry, handle: handle)
            return state.nextHandle
        }
    }

    private func library(_ file: String) throws(RemoteCallError) -> UInt32 {
        if let library = state.withLock({ $0.libraries[file] }) { return library }
        guard let path = tools.file(file) else {
            throw RemoteCallError(
                AEEResult(rawValue: 0x8000_0406), operation: "\(file) not found",  // AEE_EUNABLETOLOAD
                advice: "it is in none of \(tools.folders.joined(separator: ", "))")
        }
        let number = try process.load(path: path)
        state.withLock { $0.libraries[file] = number }
        return number
    }

    func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        // Methods 0 and 1 are open and close, and handles do not travel.
        guard scalars.argumentCount == arguments.count, scalars.method >= 2, scalars.inHandles == 0,
            scalars.outHandles == 0
        else { throw RemoteCallError(.badParameter, operation: "call \(scalars) of a module under qemu") }
        guard let module = state.withLock({ $0.modules[handle] }) else {
            throw RemoteCallError(.invalidHandle, operation: "call method \(scalars.method) under qemu")
        }
        let result = try process.invoke(module.entry, handle: module.handle, scalars, arguments)
        guard result == .success else {
            throw RemoteCallError(result, operation: "call method \(scalars.method) of a module under qemu")
        }
    }

    func close(_ handle: UInt64) throws(RemoteCallError) {
        guard let module = state.withLock({ $0.modules.removeValue(forKey: handle) }) else {
            throw RemoteCallError(.invalidHandle, operation: "close a module under qemu")
        }
        try process.closeModule(module.entry, handle: module.handle)
    }

    func capability(_ attribute: DSPAttribute) throws(RemoteCallError) -> UInt32? {
        attribute == .architectureVersion ? process.architecture : nil
    }

    var allocator: any SharedMemoryAllocator { MemoryFileAllocator() }

    func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try process.map(descriptor, file: descriptor, byteCount: byteCount)
        state.withLock { $0.mappings[descriptor] = byteCount }
    }

    func unmap(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try process.unmap(descriptor)
        state.withLock { _ = $0.mappings.removeValue(forKey: descriptor) }
    }

    /// The process's addresses have 32 bits, as those on a DSP.
    var mappableMemory: SessionMemory? {
        SessionMemory(mapped: state.withLock { $0.mappings.values.reduce(0, +) })
    }

    /// Ends qemu, and with it the calls under way.
    func abandon() { process.end() }

    func end() { process.end() }
}
