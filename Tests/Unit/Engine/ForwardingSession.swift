import HexagonRPC

/// Passes everything on to another session; what inherits from it changes some of that.
class ForwardingSession: TransportSession, @unchecked Sendable {
    let session: any TransportSession

    init(_ session: any TransportSession) { self.session = session }

    func open(_ uri: ModuleURI) throws(RemoteCallError) -> UInt64 { try session.open(uri) }

    func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        try session.invoke(handle, scalars, arguments)
    }

    func close(_ handle: UInt64) throws(RemoteCallError) { try session.close(handle) }

    var allocator: any SharedMemoryAllocator { session.allocator }

    func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try session.map(descriptor, address, byteCount)
    }

    func unmap(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try session.unmap(descriptor, address, byteCount)
    }

    func abandon() { session.abandon() }

    func end() { session.end() }
}

extension Scalars {
    /// `submit` of htp.idl.
    var isBatch: Bool { method == 7 }
}
