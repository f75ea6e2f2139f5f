import RemoteCalls

/// A module that the client has opened: a loaded skel's own handle.
final class Program: Sendable {
    private let library: any ModuleLibrary
    private let entry: ModuleLibrary.Entry
    private let handle: UInt64
    private let callsUnderWay = Monitor(0)

    /// Calls the skel's `open`, method 0: the URI goes in with its zero, the skel's handle comes out.
    init(
        _ library: any ModuleLibrary, _ entry: @escaping ModuleLibrary.Entry, uri: String
    ) throws(RemoteCallError) {
        self.library = library
        self.entry = entry
        let text = Array(uri.utf8) + [0]
        var length = UInt32(text.count)
        var arguments = [RemoteArgument](repeating: RemoteArgument(handle: 0), count: 3)
        let result = text.withUnsafeBytes { text in
            withUnsafeBytes(of: &length) { length in
                arguments[0] = RemoteArgument(reading: length)
                arguments[1] = RemoteArgument(reading: text)
                return arguments.withUnsafeMutableBufferPointer { list in
                    Result { () throws(RemoteCallError) in
                        try entry(0, Scalars(method: 0, inBuffers: 2, outHandles: 1), list)
                    }
                }
            }
        }
        let status = try result.get()
        guard status == .success else {
            throw RemoteCallError(status, operation: "the program refused to open")
        }
        handle = arguments[2].handle
    }

    /// Calls a method of the skel's interface.
    ///
    /// - Throws: where the process has died over it.
    func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) -> AEEResult {
        callsUnderWay.withLock { $0 += 1 }
        defer { callsUnderWay.withLock { $0 -= 1 } }
        // A stray open or close would leave the skel's handle behind for later calls.
        guard scalars.method >= 2 else { return .badParameter }
        return try entry(handle, scalars, arguments)
    }

    /// Calls the skel's `close`, method 1, once no other call is under way.
    func close() -> AEEResult {
        _ = callsUnderWay.waitForever { $0 == 0 ? true : nil }
        var arguments = [RemoteArgument(handle: handle)]
        return arguments.withUnsafeMutableBufferPointer { list in
            do throws(RemoteCallError) {
                return try entry(0, Scalars(method: 1, inHandles: 1), list)
            } catch {
                return error.result
            }
        }
    }
}
