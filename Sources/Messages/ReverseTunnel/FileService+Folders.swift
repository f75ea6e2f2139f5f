import Glibc
import RemoteCalls

/// A folder that the DSP lists.
final class OpenFolder {
    private let stream: OpaquePointer

    /// Lists an open folder, from its beginning.
    init(_ folder: Descriptor) throws(RemoteCallError) {
        // The stream closes its descriptor.
        let copy = openat(folder.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw RemoteCallError(.last, "opendir") }
        guard let stream = fdopendir(copy) else {
            let error = FileError.last
            Glibc.close(copy)
            throw RemoteCallError(error, "opendir")
        }
        self.stream = stream
    }

    deinit { closedir(stream) }

    /// The next entry's number and name, or nil at the end.
    func next() throws(RemoteCallError) -> (number: UInt64, name: [UInt8])? {
        errno = 0
        guard let entry = readdir(stream) else {
            guard errno == 0 else { throw RemoteCallError(.last, "readdir") }
            return nil
        }
        // By address: an entry is shorter than its type.
        let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
        let name = UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: UInt8.self)
        let length = strlen(UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))
        return (UInt64(entry.pointee.d_ino), Array(UnsafeBufferPointer(start: name, count: length)))
    }
}

extension FileService {
    /// Bytes of the wire's file name, the zero included.
    private static var entryNameSize: Int { 255 }

    func openFolder(_ call: inout IncomingCall, _ reply: inout WireWriter) throws(RemoteCallError) {
        let components = try SearchPath.components(try call.readName())
        guard folders.count < Self.maximumFolders else { throw RemoteCallError(.tooManyFiles, "opendir") }
        let folder = try OpenFolder(try searchPath.open(components, .folder))
        var handle: UInt64 = 1
        while folders[handle] != nil { handle += 1 }
        folders[handle] = folder
        reply.append(handle)
    }

    func closeFolder(_ call: inout IncomingCall) throws(RemoteCallError) {
        let handle = try call.read(UInt64.self)
        guard folders.removeValue(forKey: handle) != nil else {
            throw RemoteCallError(.badHandle, "folder \(handle)")
        }
    }

    func readFolder(_ call: inout IncomingCall, _ reply: inout WireWriter) throws(RemoteCallError) {
        let handle = try call.read(UInt64.self)
        guard let folder = folders[handle] else { throw RemoteCallError(.badHandle, "folder \(handle)") }
        let entry = try folder.next()
        reply.append(Int32(truncatingIfNeeded: entry?.number ?? 0))
        var name = Array((entry?.name ?? []).prefix(Self.entryNameSize - 1))
        name += repeatElement(0, count: Self.entryNameSize - name.count)
        try reply.append(name, count: Self.entryNameSize)
        reply.append(Int32(entry == nil ? 1 : 0))
    }

    func fileExists(_ call: inout IncomingCall, _ reply: inout WireWriter) throws(RemoteCallError) {
        let components = try SearchPath.components(try call.readName())
        let exists =
            table[components.joined(separator: "/")] != nil
            || (try? searchPath.open(components, .file)) != nil
        reply.append(exists)
    }

    func status(_ call: inout IncomingCall, _ reply: inout WireWriter) throws(RemoteCallError) {
        let components = try SearchPath.components(try call.readName())
        var status = Glibc.stat()
        if let bytes = table[components.joined(separator: "/")] {
            status.st_mode = S_IFREG | S_IRUSR
            status.st_nlink = 1
            status.st_size = .init(bytes.count)
        } else {
            let descriptor: Descriptor
            do throws(RemoteCallError) {
                descriptor = try searchPath.open(components, .file)
            } catch {
                guard let folder = try? searchPath.open(components, .folder) else { throw error }
                descriptor = folder
            }
            guard fstat(descriptor.number, &status) == 0 else { throw RemoteCallError(.last, "stat") }
        }
        // The structure's size comes first.
        reply.append(UInt64(96))
        reply.append(UInt64(status.st_dev))
        reply.append(UInt64(status.st_ino))
        reply.append(UInt32(status.st_mode))
        reply.append(UInt32(clamping: status.st_nlink))
        reply.append(UInt64(status.st_rdev))
        reply.append(UInt64(clamping: status.st_size))
        for time in [status.st_atim, status.st_mtim, status.st_ctim] {
            reply.append(Int64(time.tv_sec))
            reply.append(Int64(time.tv_nsec))
        }
    }

    /// Returns the folders that exist. How many there are and the room that the longest needs come back even
    /// when there is less room, for the DSP to ask again.
    func getSearchPaths(
        _ call: inout IncomingCall, _ scalars: Scalars,
        _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        let isSearchPath = try readSearchVariable(&call)
        // A returned sequence of strings: its capacities are an in buffer, its strings out buffers.
        let capacities = try call.readSequence(elementSize: 4)
        guard capacities.count / 4 == scalars.outBuffers - 1 else {
            throw RemoteCallError(
                .badParameter,
                operation: "apps_std: \(capacities.count / 4) paths in "
                    + "\(scalars.outBuffers - 1) buffers")
        }
        let paths = isSearchPath ? searchPath.existing : []
        var strings: [(String, UnsafeMutableRawBufferPointer)] = []
        for place in 0..<capacities.count / 4 {
            let capacity = Int(capacities.loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self))
            let room = arguments[scalars.inBuffers + 1 + place].buffer
            guard capacity <= room.count else {
                throw RemoteCallError(.badParameter, operation: "apps_std: a path of \(capacity) bytes")
            }
            guard place < paths.count else { break }
            guard paths[place].utf8.count < capacity else { throw RemoteCallError(.noRoom, paths[place]) }
            strings.append((paths[place], room))
        }
        for (path, room) in strings { room.copyString(path) }
        var reply = WireWriter()
        reply.append(UInt32(paths.count))
        reply.append(UInt16(clamping: (paths.map(\.utf8.count).max() ?? -1) + 1))
        arguments[scalars.inBuffers].buffer.copyBytes(from: reply.bytes)
    }
}
