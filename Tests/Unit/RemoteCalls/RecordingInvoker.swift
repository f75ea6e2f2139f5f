import RemoteCalls

/// Notes what a stub sends, and answers from a script.
final class Recorder {
    var scalars = Scalars(rawValue: 0)
    /// The in buffers' bytes, the out buffers' sizes, and the handles as descriptor and offset.
    var sent: [[UInt8]] = []
    var outSizes: [Int] = []
    var handles: [(CInt, UInt32)] = []
    /// What is written into the out buffers, in their order.
    var answer: [[UInt8]] = []
    var failure: RemoteCallError?

    fileprivate func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        self.scalars = scalars
        let ins = arguments[..<scalars.inBuffers]
        let outs = arguments[scalars.inBuffers..<(scalars.inBuffers + scalars.outBuffers)]
        sent = ins.map { Array($0.buffer) }
        outSizes = outs.map(\.buffer.count)
        handles = arguments[(scalars.inBuffers + scalars.outBuffers)...].map { ($0.descriptor, $0.offset) }
        if let failure { throw failure }
        for (out, bytes) in zip(outs, answer) { out.buffer.copyBytes(from: bytes.prefix(out.buffer.count)) }
    }
}

/// A handle in front of a recorder; like a real handle it cannot be copied.
struct RecordingInvoker: RemoteInvoker, ~Copyable {
    let recorder: Recorder

    func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        try recorder.invoke(scalars, arguments)
    }
}

/// Bytes from text such as `11000000 2222`.
func bytes(_ text: String) -> [UInt8] {
    var digits = text.filter { !$0.isWhitespace }[...]
    var bytes: [UInt8] = []
    while digits.count >= 2 {
        bytes.append(UInt8(digits.prefix(2), radix: 16) ?? 0)
        digits = digits.dropFirst(2)
    }
    return bytes
}
