import Glibc
import RemoteCalls
import SharedMemory

extension HexagonProcess {
    /// Loads a shared object from a file.
    package func load(path: String) throws(RemoteCallError) -> UInt32 {
        let file: CInt
        let byteCount: Int
        do throws(SystemError) {
            file = try SystemCalls.open(path, O_RDONLY)
        } catch {
            throw RemoteCallError(.failed, operation: "open \(path): \(error)")
        }
        defer { SystemCalls.close(file) }
        do throws(SystemError) {
            byteCount = try SystemCalls.byteCount(file)
        } catch {
            throw RemoteCallError(.failed, operation: "read \(path): \(error)")
        }
        return try load(
            file: file, byteCount: byteCount, name: path.split(separator: "/").last.map(String.init) ?? path)
    }

    /// Calls a skel's `open`, method 0: the URI goes in with its zero, the skel's handle comes out.
    package func openModule(_ function: UInt32, uri: String) throws(RemoteCallError) -> UInt64 {
        let text = Array(uri.utf8) + [0]
        var length = UInt32(text.count).littleEndian
        var arguments = [RemoteArgument](repeating: RemoteArgument(handle: 0), count: 3)
        let result = text.withUnsafeBytes { text in
            withUnsafeBytes(of: &length) { length in
                arguments[0] = RemoteArgument(reading: length)
                arguments[1] = RemoteArgument(reading: text)
                return call(function, Scalars(method: 0, inBuffers: 2, outHandles: 1), &arguments)
            }
        }
        try Self.check(result, "open \(uri)")
        return arguments[2].handle
    }

    /// Calls a skel's `close`, method 1: its handle goes in.
    package func closeModule(_ function: UInt32, handle: UInt64) throws(RemoteCallError) {
        var arguments = [RemoteArgument(handle: handle)]
        try Self.check(
            call(function, Scalars(method: 1, inHandles: 1), &arguments), "close a module under qemu")
    }

    private func call(
        _ function: UInt32, _ scalars: Scalars, _ arguments: inout [RemoteArgument]
    ) -> Result<AEEResult, RemoteCallError> {
        arguments.withUnsafeMutableBufferPointer { list in
            Result { () throws(RemoteCallError) in try invoke(function, handle: 0, scalars, list) }
        }
    }

    private static func check(
        _ result: Result<AEEResult, RemoteCallError>, _ operation: @autoclosure () -> String
    ) throws(RemoteCallError) {
        let result = try result.get()
        guard result == .success else { throw RemoteCallError(result, operation: operation()) }
    }
}
