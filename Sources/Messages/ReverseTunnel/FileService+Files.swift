import RemoteCalls

extension FileService {
    func file(_ handle: Int32) throws(RemoteCallError) -> OpenFile {
        guard let file = files[handle] else { throw RemoteCallError(.badHandle, "file \(handle)") }
        return file
    }

    /// Changes an open file, also where that fails half-way.
    private func withFile<Result>(
        _ handle: Int32, _ body: (inout OpenFile) throws(RemoteCallError) -> Result
    ) throws(RemoteCallError) -> Result {
        var file = try file(handle)
        defer { files[handle] = file }
        return try body(&file)
    }

    // MARK: Opening

    func open(_ call: inout IncomingCall, _ reply: inout WireWriter) throws(RemoteCallError) {
        let name = try call.readName()
        reply.append(try open(name, mode: try call.readName()))
    }

    func openWithEnvironment(
        _ call: inout IncomingCall, _ reply: inout WireWriter
    ) throws(RemoteCallError) {
        let (name, mode) = try readNameByEnvironment(&call)
        reply.append(try open(name, mode: mode))
    }

    /// Takes variable, delimiter, name and mode; the variable must be the library path.
    func readNameByEnvironment(
        _ call: inout IncomingCall
    ) throws(RemoteCallError) -> (name: String, mode: String) {
        let isSearchPath = try readSearchVariable(&call)
        let name = try call.readName()
        let mode = try call.readName()
        guard isSearchPath else {
            throw RemoteCallError(.notFound, "\(name) by a variable other than the library path")
        }
        return (name, mode)
    }

    private func open(_ name: String, mode: String) throws(RemoteCallError) -> Int32 {
        guard files.count < Self.maximumFiles else { throw RemoteCallError(.tooManyFiles, name) }
        let file = try find(name, mode: mode)
        var handle: Int32 = 100
        while files[handle] != nil { handle += 1 }
        files[handle] = file
        return handle
    }

    /// Opens a file for reading, wherever it is, and lets the observer know.
    func find(_ name: String, mode: String) throws(RemoteCallError) -> OpenFile {
        do throws(RemoteCallError) {
            let file = try findQuietly(name, mode: mode)
            observe(name, nil)
            return file
        } catch {
            observe(name, error.result)
            throw error
        }
    }

    private func findQuietly(_ name: String, mode: String) throws(RemoteCallError) -> OpenFile {
        guard let first = mode.utf8.first, "rwa".utf8.contains(first) else {
            throw RemoteCallError(.invalid, "the mode \(mode)")
        }
        guard first == UInt8(ascii: "r"), !mode.utf8.contains(UInt8(ascii: "+")) else {
            throw RemoteCallError(.refused, "writing \(name)")
        }
        let components = try SearchPath.components(name)
        if let bytes = table[components.joined(separator: "/")] { return OpenFile(.memory(bytes)) }
        return OpenFile(.file(try searchPath.open(components, .file)))
    }

    func close(_ call: inout IncomingCall) throws(RemoteCallError) {
        let handle = try call.read(Int32.self)
        guard files.removeValue(forKey: handle) != nil else {
            throw RemoteCallError(.badHandle, "file \(handle)")
        }
    }

    // MARK: Reading

    func read(_ call: inout IncomingCall, _ reply: inout WireWriter) throws(RemoteCallError) {
        let handle = try call.read(Int32.self)
        let room = try call.roomForSequence(elementSize: 1)
        let count = try withFile(handle) { file throws(RemoteCallError) in try file.read(into: room) }
        reply.append(Int32(clamping: count))
        reply.append(Int32(count < room.count ? 1 : 0))
    }

    func readLine(_ call: inout IncomingCall, _ reply: inout WireWriter) throws(RemoteCallError) {
        let handle = try call.read(Int32.self)
        let room = try call.roomForSequence(elementSize: 1)
        let isOver = try withFile(handle) { file throws(RemoteCallError) in try file.readLine(into: room) }
        reply.append(Int32(isOver ? 1 : 0))
    }

    // MARK: Position

    /// `rewind` and `clearerr`.
    func change(_ call: inout IncomingCall, rewinds: Bool) throws(RemoteCallError) {
        try withFile(try call.read()) { file throws(RemoteCallError) in
            if rewinds { try file.seek(0, whence: 0) }
            file.clearErrors()
        }
    }

    /// The opaque position is the offset, 8 bytes; without room for it only its size goes back.
    func getPosition(_ call: inout IncomingCall, _ reply: inout WireWriter) throws(RemoteCallError) {
        let position = try file(try call.read()).position
        let room = try call.roomForSequence(elementSize: 1)
        if room.count >= 8 { room.storeBytes(of: position.littleEndian, as: Int64.self) }
        reply.append(Int32(8))
    }

    func setPosition(_ call: inout IncomingCall) throws(RemoteCallError) {
        let handle = try call.read(Int32.self)
        let bytes = try call.readSequence(elementSize: 1)
        guard bytes.count == 8 else { throw RemoteCallError(.invalid, "a position of \(bytes.count) bytes") }
        let position = Int64(littleEndian: bytes.loadUnaligned(as: Int64.self))
        try withFile(handle) { file throws(RemoteCallError) in try file.seek(position, whence: 0) }
    }

    func tell(_ call: inout IncomingCall, _ reply: inout WireWriter) throws(RemoteCallError) {
        guard let position = Int32(exactly: try file(try call.read()).position) else {
            throw RemoteCallError(.overflow, "ftell past 2 GiB")
        }
        reply.append(position)
    }

    func seek(_ call: inout IncomingCall) throws(RemoteCallError) {
        let handle = try call.read(Int32.self)
        let offset = try call.read(Int32.self)
        let whence = try call.read(UInt32.self)
        try withFile(handle) { file throws(RemoteCallError) in
            try file.seek(Int64(offset), whence: whence)
        }
    }
}
