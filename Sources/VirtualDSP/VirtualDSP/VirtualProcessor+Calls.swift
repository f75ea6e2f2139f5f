import CRemote
import HexagonRPC

extension VirtualProcessor {
    /// Method 0: the URI goes in with its NUL, the module's handle comes out.
    static func callOpen(_ entry: Entry, uri: String) -> (CInt, UInt64) {
        let text = Array(uri.utf8) + [0]
        var length = UInt32(text.count)
        var arguments = [RemoteArgument](repeating: RemoteArgument(handle: 0), count: 3)
        let status = text.withUnsafeBytes { text in
            withUnsafeBytes(of: &length) { length in
                arguments[0] = RemoteArgument(reading: length)
                arguments[1] = RemoteArgument(reading: text)
                return arguments.withUnsafeMutableBufferPointer {
                    withCArguments($0) { entry(0, 0x0002_0001, $0) }
                }
            }
        }
        return (status, arguments[2].handle)
    }

    /// Method 1: the module's handle goes in.
    static func callClose(_ entry: Entry, _ handle: UInt64) -> CInt {
        var arguments = [RemoteArgument(handle: handle)]
        return arguments.withUnsafeMutableBufferPointer { withCArguments($0) { entry(0, 0x0100_0010, $0) } }
    }

    /// Calls with copies of the buffers; what the callee wrote is copied back when it returns 0.
    static func withCopies(
        of arguments: UnsafeMutableBufferPointer<RemoteArgument>, inBuffers: Int,
        _ body: (UnsafeMutablePointer<remote_arg>?) -> CInt
    ) -> CInt {
        let alignment = 128
        func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }
        let total = arguments.reduce(0) { $0 + padded($1.buffer.count) }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: total, alignment: alignment)
        defer { memory.deallocate() }
        // Whoever reads an out buffer finds no data of the caller's there.
        _ = memory.initializeMemory(as: UInt8.self, repeating: 0xa5)
        var copies: [RemoteArgument] = []
        var offset = 0
        for (index, argument) in arguments.enumerated() {
            let original = argument.buffer
            let copy = UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + original.count])
            if index < inBuffers { copy.copyMemory(from: UnsafeRawBufferPointer(original)) }
            copies.append(RemoteArgument(buffer: copy.baseAddress, count: copy.count))
            offset += padded(original.count)
        }
        let status = copies.withUnsafeMutableBufferPointer { withCArguments($0, body) }
        guard status == 0 else { return status }
        for index in inBuffers..<arguments.count {
            arguments[index].buffer.copyMemory(from: UnsafeRawBufferPointer(copies[index].buffer))
        }
        return status
    }

    /// `RemoteArgument` has the layout of the C union.
    private static func withCArguments<Result>(
        _ arguments: UnsafeMutableBufferPointer<RemoteArgument>,
        _ body: (UnsafeMutablePointer<remote_arg>?) -> Result
    ) -> Result {
        guard let base = arguments.baseAddress else { return body(nil) }
        return base.withMemoryRebound(to: remote_arg.self, capacity: arguments.count) { body($0) }
    }
}
