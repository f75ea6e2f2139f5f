import ErrorCodes

/// Reaches DSPs through `libcdsprpc.so`, Qualcomm's own user-space library or one that stands in for it.
///
/// ```swift
/// let transport = try LibraryTransport()
/// let architecture = try transport.capability(.architectureVersion, of: .compute)
/// let session = try Session(transport, SessionConfiguration(index: 1))
/// ```
///
/// The library holds a process on the DSP for each domain and session index, and shares it among all who
/// name the same two: sessions of this type are counted, and the process ends with the last of them. Code
/// in the same program that uses the library by itself should take another index.
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

    /// Uses a library that is already loaded.
    public init(library: FastRPCLibrary) {
        self.library = library
    }

    /// The library's file.
    public var name: String { library.file }

    /// Sets the rights of the session; the library begins it when the first module is opened.
    ///
    /// - Throws: `AEE_EALREADYLOADED` when this program has the same session open with other rights.
    public func connect(
        _ configuration: SessionConfiguration
    ) throws(RemoteCallError) -> any TransportSession {
        try LibrarySession(library, configuration)
    }

    /// The number by which the library knows a session: its own answer, or domain plus 8 times index where it
    /// is too old to be asked (`FASTRPC_GET_EFFECTIVE_DOMAIN_ID`).
    public func effectiveDomain(
        of configuration: SessionConfiguration
    ) throws(RemoteCallError) -> CInt {
        try library.effectiveDomain(of: configuration)
    }
}

extension FastRPCLibrary {
    func effectiveDomain(of configuration: SessionConfiguration) throws(RemoteCallError) -> CInt {
        guard (0...3).contains(configuration.index), (0...7).contains(configuration.domain.rawValue) else {
            throw RemoteCallError(
                .badParameter, operation: "name session \(configuration.index) of \(configuration.domain)",
                advice: "a DSP has the sessions 0 to 3")
        }
        var effective: UInt32 = 0
        let status = effectiveDomain(
            domain: configuration.domain.name, session: UInt32(configuration.index),
            effectiveDomain: &effective)
        guard status == 0, let known = CInt(exactly: effective) else { return configuration.effectiveDomain }
        return known
    }
}

/// What to do about failures whose code says nothing in particular; for codes there is the table.
enum Advice {
    static let open =
        "fastrpc-probe tells whether node, permission, firmware or the module's search path is the cause"
    static let invoke = "a module of another version than this program, or a DSP process that has ended"
    static let map = "the session's address space may be full (about 3.5 GB), or no module is open yet"

    /// Advice of the table about a code in a situation, or else the usual one for the situation.
    static func about(
        _ result: AEEResult, in situation: ErrorCode.Situation, or usual: String = ""
    ) -> String {
        let advice = ErrorCodes.advice(result.rawValue, in: situation)
        guard advice.isEmpty, !result.isSessionLost else { return advice }
        return usual
    }
}
