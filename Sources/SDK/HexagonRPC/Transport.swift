import DSPQueue

/// A way to a DSP: the kernel's driver, Qualcomm's library, or a virtual DSP.
public protocol Transport: Sendable {
    /// What it is called in messages and tables, for example `libcdsprpc`.
    var name: String { get }

    /// Begins a session: a process of our own on the DSP.
    ///
    /// Some transports make the process only when the first module is opened, and report its failure
    /// there.
    func connect(_ configuration: SessionConfiguration) throws(RemoteCallError) -> any TransportSession

    /// What a DSP says about itself, without a session that stays; nil where this transport cannot ask.
    func capabilities(of domain: Domain) throws(RemoteCallError) -> [DSPAttribute: UInt32]?
}

extension Transport {
    /// Cannot ask.
    public func capabilities(of domain: Domain) throws(RemoteCallError) -> [DSPAttribute: UInt32]? { nil }
}

/// Which DSP, which of its sessions, and with what rights.
public struct SessionConfiguration: Hashable, Sendable {
    /// The DSP.
    public var domain: Domain
    /// 0…3: each session is a process with an address space of its own.
    public var index: Int
    /// Whether the process may load modules that nobody signed. Without it a test signature is needed.
    public var unsignedModules: Bool

    /// A session for unsigned modules on the compute DSP, unless told otherwise.
    public init(domain: Domain = .compute, index: Int = 0, unsignedModules: Bool = true) {
        self.domain = domain
        self.index = index
        self.unsignedModules = unsignedModules
    }

    /// The number by which the C library names domain and session together.
    public var effectiveDomain: CInt { domain.rawValue + 8 * CInt(index) }
}

/// A process on the DSP, as a transport provides it. Use ``Session``; this is what a new transport
/// implements.
public protocol TransportSession: AnyObject, Sendable {
    /// Loads a module and opens a handle on it.
    func open(_ uri: ModuleURI) throws(RemoteCallError) -> UInt64
    /// Carries one call.
    func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError)
    /// Closes a handle.
    func close(_ handle: UInt64) throws(RemoteCallError)

    /// Makes buffers that this DSP can map.
    var allocator: any SharedMemoryAllocator { get }
    /// Maps a buffer into the DSP's address space until ``unmap(_:_:_:)``.
    func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError)
    /// Undoes ``map(_:_:_:)``.
    func unmap(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError)

    /// What the process can have mapped and what of that is left; nil where the transport cannot say.
    var mappableMemory: SessionMemory? { get }

    /// What the DSP says about itself; nil where the transport or the firmware cannot say.
    func capability(_ attribute: DSPAttribute) throws(RemoteCallError) -> UInt32?

    /// Makes a message queue in shared memory, with these many bytes for packets to the DSP and from it; 0 for
    /// the defaults. `AEE_EUNSUPPORTED` where the transport has none.
    func makeQueue(
        requestByteCount: Int, responseByteCount: Int
    ) throws(DSPQueueError) -> any MessageQueue

    /// Gives the session up while calls of it are under way that do not return: later calls fail at once. What is
    /// shared with the DSP may still be in use there. Does not wait; ``end()`` comes later.
    func abandon()

    /// Ends the process on the DSP. Called once.
    func end()
}

extension TransportSession {
    /// Cannot say.
    public var mappableMemory: SessionMemory? { nil }

    /// Cannot say.
    public func capability(_ attribute: DSPAttribute) throws(RemoteCallError) -> UInt32? { nil }

    /// Does nothing: ``end()`` must do.
    public func abandon() {}

    /// Has none.
    public func makeQueue(
        requestByteCount: Int, responseByteCount: Int
    ) throws(DSPQueueError) -> any MessageQueue {
        throw .remote(
            RemoteCallError(
                .unsupported, operation: "make a message queue",
                advice: "this transport has none; use plain calls"))
    }
}
