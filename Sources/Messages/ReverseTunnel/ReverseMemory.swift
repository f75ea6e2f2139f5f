import RemoteCalls

/// What the transport does for the DSP's memory requests. Whatever it does not implement answers
/// `AEE_EUNSUPPORTED`. Called by one thread at a time, but not always by the one that made it.
public protocol ReverseMemory: AnyObject, Sendable {
    /// Maps memory for the DSP, for example to grow its heap.
    func map(_ request: ReverseMapRequest) throws(RemoteCallError) -> ReverseMapping
    /// Undoes `map`.
    func unmap(dspAddress: UInt64, length: Int64) throws(RemoteCallError)
    /// Maps a buffer that the host already has.
    func share(descriptor: Int32, size: Int32) throws(RemoteCallError) -> ReverseMapping
    /// Undoes `share`.
    func unshare(dspAddress: UInt64, size: Int32) throws(RemoteCallError)
    /// Maps a slice of a DMA buffer.
    func mapDMAHandle(descriptor: Int32, offset: Int32, size: Int32) throws(RemoteCallError)
    /// Undoes `mapDMAHandle`.
    func unmapDMAHandle(descriptor: Int32, size: Int32) throws(RemoteCallError)
}

/// The parameters of `apps_mem.request_map` and `request_map64`.
public struct ReverseMapRequest: Hashable, Sendable {
    /// Heap of the old ION allocator.
    public var heap: Int32
    /// Flags of the old ION allocator.
    public var heapFlags: UInt32
    /// Kind of mapping: `0x1000` adds pages to the DSP's heap.
    public var flags: UInt32
    /// Address wished for.
    public var address: UInt64
    /// Bytes; not negative.
    public var length: Int64

    /// Describes a request.
    public init(heap: Int32, heapFlags: UInt32, flags: UInt32, address: UInt64, length: Int64) {
        self.heap = heap
        self.heapFlags = heapFlags
        self.flags = flags
        self.address = address
        self.length = length
    }
}

/// Where memory was mapped.
public struct ReverseMapping: Hashable, Sendable {
    /// Address on the host, or 0.
    public var hostAddress: UInt64
    /// Address on the DSP.
    public var dspAddress: UInt64

    /// Describes a mapping.
    public init(hostAddress: UInt64, dspAddress: UInt64) {
        self.hostAddress = hostAddress
        self.dspAddress = dspAddress
    }
}

extension ReverseMemory {
    private func unsupported(_ what: String) -> RemoteCallError {
        RemoteCallError(.unsupported, operation: "apps_mem.\(what)")
    }

    /// Answers `AEE_EUNSUPPORTED`.
    public func map(_ request: ReverseMapRequest) throws(RemoteCallError) -> ReverseMapping {
        throw unsupported("request_map64")
    }
    /// Answers `AEE_EUNSUPPORTED`.
    public func unmap(dspAddress: UInt64, length: Int64) throws(RemoteCallError) {
        throw unsupported("request_unmap64")
    }
    /// Answers `AEE_EUNSUPPORTED`.
    public func share(descriptor: Int32, size: Int32) throws(RemoteCallError) -> ReverseMapping {
        throw unsupported("share_map")
    }
    /// Answers `AEE_EUNSUPPORTED`.
    public func unshare(dspAddress: UInt64, size: Int32) throws(RemoteCallError) {
        throw unsupported("share_unmap")
    }
    /// Answers `AEE_EUNSUPPORTED`.
    public func mapDMAHandle(descriptor: Int32, offset: Int32, size: Int32) throws(RemoteCallError) {
        throw unsupported("dma_handle_map")
    }
    /// Answers `AEE_EUNSUPPORTED`.
    public func unmapDMAHandle(descriptor: Int32, size: Int32) throws(RemoteCallError) {
        throw unsupported("dma_handle_unmap")
    }
}
