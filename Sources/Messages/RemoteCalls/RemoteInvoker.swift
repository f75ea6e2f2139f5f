/// Something that carries a packed call to a DSP: an open handle of a session, or a test double.
///
/// Generated stubs are written against this protocol.
public protocol RemoteInvoker: ~Copyable {
    /// Makes the call and waits for its end.
    ///
    /// - Parameters:
    ///   - scalars: method and argument counts; `arguments.count` equals `scalars.argumentCount`.
    ///   - arguments: in buffers, out buffers, in handles, out handles. The memory of out buffers is
    ///     written before the call returns; nothing is written when it throws.
    func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError)
}
