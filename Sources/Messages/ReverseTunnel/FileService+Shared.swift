import RemoteCalls

/// Memory for files that the DSP reads through a mapping instead of `fread`.
public protocol SharedFileMemory: AnyObject, Sendable {
    /// Allocates a buffer, has it filled, and maps it on the DSP by its descriptor.
    ///
    /// - Returns: the descriptor, by which the DSP finds the mapping.
    func shareFile(
        byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws(RemoteCallError) -> Void
    ) throws(RemoteCallError) -> Int32
    /// Unmaps and frees a buffer of ``shareFile(byteCount:fill:)``.
    func unshareFile(_ descriptor: Int32) throws(RemoteCallError)
}

extension FileService {
    /// The largest file that is handed out as a buffer.
    public static let maximumSharedBytes = 256 << 20

    /// `fopen_fd`: the whole file in a mapped buffer.
    func openShared(_ call: inout IncomingCall, _ reply: inout WireWriter) throws(RemoteCallError) {
        let name = try call.readName()
        try share(name, mode: try call.readName(), &reply)
    }

    /// `fopen_with_env_fd`
    func openSharedWithEnvironment(
        _ call: inout IncomingCall, _ reply: inout WireWriter
    ) throws(RemoteCallError) {
        let (name, mode) = try readNameByEnvironment(&call)
        try share(name, mode: mode, &reply)
    }

    /// `fclose_fd`
    func closeShared(_ call: inout IncomingCall) throws(RemoteCallError) {
        let descriptor = try call.read(Int32.self)
        guard let shared, sharedFiles.remove(descriptor) != nil else {
            throw RemoteCallError(.badHandle, "shared file \(descriptor)")
        }
        try shared.unshareFile(descriptor)
    }

    private func share(
        _ name: String, mode: String, _ reply: inout WireWriter
    ) throws(RemoteCallError) {
        guard let shared else {
            throw RemoteCallError(.unsupported, operation: "apps_std: \(name) as a buffer")
        }
        guard sharedFiles.count < Self.maximumFiles else { throw RemoteCallError(.tooManyFiles, name) }
        var file = try find(name, mode: mode)
        let length = try file.length
        guard length > 0 else { throw RemoteCallError(.invalid, "the empty file \(name) as a buffer") }
        guard length <= Self.maximumSharedBytes else { throw RemoteCallError(.tooLarge, name) }
        let descriptor = try shared.shareFile(byteCount: Int(length)) { room throws(RemoteCallError) in
            let room = UnsafeMutableRawBufferPointer(rebasing: room.prefix(Int(length)))
            guard try file.read(into: room) == room.count else {
                throw RemoteCallError(.readFailed, "\(name) became shorter")
            }
        }
        sharedFiles.insert(descriptor)
        reply.append(descriptor)
        reply.append(Int32(length))
    }
}
