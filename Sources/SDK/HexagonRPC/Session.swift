import DSPQueue

/// A process of our own on a DSP.
///
/// ```swift
/// let session = try Session(LibraryTransport())
/// let handle = try session.open(ModuleURI(interface: "calculator"))
/// ```
///
/// Close handles before the session. A session that goes out of scope is ended as well.
public struct Session: ~Copyable, Sendable {
    /// How the DSP is reached.
    public let transport: any Transport
    /// Which DSP and which of its sessions.
    public let configuration: SessionConfiguration
    private let connection: any TransportSession

    /// Begins a session.
    public init(
        _ transport: any Transport, _ configuration: SessionConfiguration = SessionConfiguration()
    ) throws(RemoteCallError) {
        self.transport = transport
        self.configuration = configuration
        connection = try transport.connect(configuration)
    }

    deinit {
        connection.end()
    }

    /// Gives the session up whose DSP does not answer: later calls fail at once. Calls under way wait on, as their
    /// threads are in the driver; a signal ends that. The DSP may still use what was shared with it.
    package func abandon() { connection.abandon() }

    /// Ends the process on the DSP and with it whatever it still holds.
    public consuming func close() {}

    /// Loads a module and opens a handle on it.
    public func open(_ uri: ModuleURI) throws(RemoteCallError) -> RemoteHandle {
        RemoteHandle(try connection.open(uri), of: connection)
    }

    /// What the DSP says about itself, for example its architecture; nil where the transport or the firmware
    /// cannot say.
    public func capability(_ attribute: DSPAttribute) throws(RemoteCallError) -> UInt32? {
        try connection.capability(attribute)
    }

    /// Makes a message queue in shared memory: packets there and back without a remote call for each. Buffers
    /// that packets name must be mapped in this session. Close it before the session.
    ///
    /// A queue may hang on some machines: read with a deadline, and make plain calls where it passes.
    ///
    /// - Parameters:
    ///   - requestByteCount: bytes for packets to the DSP, a multiple of 8 up to 16,777,216; 0 for 65,536.
    ///   - responseByteCount: bytes for packets from it, likewise; 0 for 16,384.
    /// - Throws: `AEE_EUNSUPPORTED` where the transport has no queues.
    public func makeQueue(
        requestByteCount: Int = 0, responseByteCount: Int = 0
    ) throws(DSPQueueError) -> any MessageQueue {
        try connection.makeQueue(requestByteCount: requestByteCount, responseByteCount: responseByteCount)
    }

    /// Makes buffers that this session can map.
    public var allocator: any SharedMemoryAllocator { connection.allocator }

    /// How much memory the process on the DSP can have mapped, and how much of that is left; nil where the transport
    /// cannot say. What a heap really gives may be less.
    public var memory: SessionMemory? { connection.mappableMemory }

    /// Maps a buffer into the DSP's address space, where code finds it by its descriptor.
    ///
    /// The C library wants an open handle first. Unmap it before the buffer is closed.
    public func map(_ buffer: borrowing SharedBuffer) throws(RemoteCallError) {
        try connection.map(buffer.descriptor, buffer.address, buffer.byteCount)
    }

    /// Takes a buffer out of the DSP's address space.
    public func unmap(_ buffer: borrowing SharedBuffer) throws(RemoteCallError) {
        try connection.unmap(buffer.descriptor, buffer.address, buffer.byteCount)
    }
}
