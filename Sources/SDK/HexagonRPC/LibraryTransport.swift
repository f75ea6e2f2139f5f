/// Reaches DSPs through `libcdsprpc.so`, Qualcomm's own user-space library or one that stands in for it.
public struct LibraryTransport: Transport {
    /// The loaded library.
    public let library: FastRPCLibrary

    /// Loads the library.
    ///
    /// - Parameter path: a file, or `nil` for `HEXAGONRPC_LIBRARY` of the environment and then the names
    ///   that distributions use.
    public init(path: String? = nil) throws(FastRPCLibraryError) {
        library = try FastRPCLibrary(path: path)
    }

    /// The library's file.
    public var name: String { library.file }

    /// Sets the rights of the session; the library begins it when the first module is opened.
    public func connect(
        _ configuration: SessionConfiguration
    ) throws(RemoteCallError) -> any TransportSession {
        if configuration.unsignedModules {
            // struct remote_rpc_control_unsigned_module { int domain; int enable; }
            var payload = (configuration.effectiveDomain, CInt(1))
            let status = library.sessionControl(
                request: SessionRequest.unsignedModule.rawValue, data: &payload,
                byteCount: UInt32(MemoryLayout.size(ofValue: payload)))
            // 5 is AEE_EALREADYLOADED: the session is up, with the rights it was opened with.
            guard status == 0 || status == 5 else {
                throw RemoteCallError(
                    AEEResult(status), operation: "ask for unsigned modules on \(configuration.domain)",
                    advice: "this DSP's firmware or library has no unsigned sessions; a signed one needs a "
                        + "test signature")
            }
        }
        return LibrarySession(library, configuration)
    }
}

/// Requests of `remote_session_control`.
struct SessionRequest: RawRepresentable {
    var rawValue: UInt32
    /// `DSPRPC_CONTROL_UNSIGNED_MODULE`
    static let unsignedModule = SessionRequest(rawValue: 2)
}

/// Flags of `fastrpc_mmap`.
struct MapFlags: RawRepresentable {
    var rawValue: UInt32
    /// `FASTRPC_MAP_FD`: stays mapped, and the DSP finds it by its descriptor.
    static let descriptor = MapFlags(rawValue: 2)
}

final class LibrarySession: TransportSession {
    private let library: FastRPCLibrary
    private let configuration: SessionConfiguration

    init(_ library: FastRPCLibrary, _ configuration: SessionConfiguration) {
        self.library = library
        self.configuration = configuration
    }

    func open(_ uri: ModuleURI) throws(RemoteCallError) -> UInt64 {
        var handle: UInt64 = 0
        let text = uri.on(configuration).description
        try check(library.open(uri: text, handle: &handle), "open \(text)", Advice.open)
        return handle
    }

    func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        let status = library.invoke(
            handle: handle, scalars: scalars.rawValue,
            arguments: UnsafeMutableRawPointer(arguments.baseAddress))
        // The message is put together only where it is needed: this is the hot path.
        guard status == 0 else {
            throw RemoteCallError(
                AEEResult(status),
                operation: "call method \(scalars.method) of a module on \(configuration.domain)",
                advice: Advice.invoke)
        }
    }

    func close(_ handle: UInt64) throws(RemoteCallError) {
        try check(library.close(handle: handle), "close a module on \(configuration.domain)")
    }

    var allocator: any SharedMemoryAllocator { RPCMemAllocator(library: library) }

    func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try check(
            library.map(
                domain: configuration.effectiveDomain, descriptor: descriptor, address: address,
                byteCount: byteCount, flags: MapFlags.descriptor.rawValue),
            "map \(byteCount) bytes on \(configuration.domain)", Advice.map)
    }

    func unmap(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try check(
            library.unmap(
                domain: configuration.effectiveDomain, descriptor: descriptor, address: address,
                byteCount: byteCount),
            "unmap \(byteCount) bytes on \(configuration.domain)")
    }

    // The library ends the process when the last handle is closed.
    func end() {}

    private func check(
        _ status: CInt, _ operation: @autoclosure () -> String, _ advice: String = ""
    ) throws(RemoteCallError) {
        guard status == 0 else {
            throw RemoteCallError(AEEResult(status), operation: operation(), advice: advice)
        }
    }
}

/// What to do about failures that have a usual cause.
enum Advice {
    static let open =
        "fastrpc-probe tells whether node, permission, firmware or the module's search path is the cause"
    static let invoke = "a module of another version than this program, or a DSP process that has ended"
    static let map = "the session's address space may be full (about 3.5 GB), or no module is open yet"
}
